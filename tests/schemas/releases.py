# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which schemas a kernel release stands behind: the range ``since``..``until`` as an order of releases."""

from __future__ import annotations

import re

from devstate.schema import Schema

NEVER = (1 << 30, 0, 0)


def release(text: str) -> tuple[int, int, int]:
    """A release as a key to compare: ``7.1-rc5`` stands before ``7.1``."""
    match = re.fullmatch(r"(\d+)\.(\d+)(?:-rc(\d+))?", text)
    assert match is not None, f"{text!r} is no release"
    return int(match[1]), int(match[2]), int(match[3] or 1 << 20)


def written_by(schema: Schema, version: str) -> bool:
    """Whether the kernel of this release writes the form; never for what no release has."""
    if schema.status != "mainline" or schema.since is None:
        return False
    until = NEVER if schema.until is None else release(schema.until)
    return release(schema.since) <= release(version) <= until
