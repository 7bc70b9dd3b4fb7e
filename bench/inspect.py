# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``devstate inspect --json`` of many-7.3 (120 sessions, 326 memfds) against reading and decompressing the same file.

Both are whole processes, from start to exit, and take turns; the peer does nothing but ``open_input``. Needs the captures beside the
repository.
"""

from __future__ import annotations

import sys

from bench.row import Row, at_most
from bench.startup import ROOT, command, compile_all, race

MANY = ROOT.parent / "shared" / "captures" / "many-7.3.core.zst"
OPEN = "import sys; from devstate.memory.open import open_input; open_input(sys.argv[1])"


def run() -> list[Row]:
    """Ratios to the peer; no row where the capture is not there."""
    if not MANY.exists():
        return []
    compile_all()
    seconds = race(
        {
            "open": [sys.executable, "-c", OPEN, str(MANY)],
            "json": [*command(), "inspect", "--json", str(MANY)],
            "check": [*command(), "check", "--json", str(MANY)],
        }
    )
    return [
        at_most("inspect --json of many-7.3, to reading and decompressing it", seconds["json"] / seconds["open"], "x", must=2),
        at_most("check --json of many-7.3, to reading and decompressing it", seconds["check"] / seconds["open"], "x"),
        at_most("reading and decompressing many-7.3", seconds["open"] * 1e3, "ms"),
    ]
