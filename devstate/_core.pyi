# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The extension has no types of its own: csrc/devstate_core.h is its interface, devstate/pagetable/native.py gives the types."""

from typing import Any

ffi: Any
lib: Any
