# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Strings in fixed arrays of bytes, as the kernel reads them: up to the first NUL."""

from __future__ import annotations


def c_string(raw: bytes) -> tuple[str, bool]:
    """(text up to the first NUL, whether there is a NUL). Bytes that are not UTF-8 show as ``\\xNN``."""
    text, terminator, _ = bytes(raw).partition(b"\0")
    return text.decode("utf-8", "backslashreplace"), bool(terminator)
