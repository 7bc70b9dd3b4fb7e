# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Workflow commands that annotate the lines of a pull request. Facts: GitHub's documentation of workflow commands.

::

    ::error file=mm/memfd_luo.h,line=12,title=DS102 field-inserted::memfd_luo_ser.seals: new: seals (u32 at 16)%0Awitness ...
"""

from __future__ import annotations

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def annotation(severity: str, title: str, message: str, source: str | None = None, line: int | None = None) -> str:
    """One command, without a line break at its end; line breaks and what else would end a part early are escaped."""
    settings = [("file", source), ("line", None if line is None else str(line)), ("title", title)]
    given = ",".join(f"{key}={_property(value)}" for key, value in settings if value is not None)
    return f"::{COMMANDS[severity]} {given}::{_data(message)}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
