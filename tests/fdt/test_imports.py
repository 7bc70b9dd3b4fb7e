# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What importing the package costs: start-up time is a figure that users feel."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("typing", "re", "dataclasses", "numpy", "construct", "inspect", "pathlib", "enum", "json")


def test_nothing_heavy() -> None:
    """Reader and writer together need struct and what is ours; an isolated interpreter shows what else would come."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import devstate.fdt.writer; print(*sys.modules)"
    root = __file__.rpartition("/tests/")[0]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, root], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "devstate.fdt.reader" in loaded
    assert set() == {name for name in HEAVY if name in loaded}
