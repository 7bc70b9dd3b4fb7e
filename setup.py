# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The part of the build that pyproject.toml cannot say: the C extension, left out when DEVSTATE_PURE=1."""

import os

from setuptools import setup

PURE = os.environ.get("DEVSTATE_PURE", "") not in ("", "0")
EXTENSION = {"cffi_modules": ["csrc/build_core.py:ffibuilder"], "options": {"bdist_wheel": {"py_limited_api": "cp311"}}}

setup(**({} if PURE else EXTENSION))
