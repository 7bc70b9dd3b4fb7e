# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""docs/formats.md is what the schema files say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import devstate_schemas
from devstate.layout.compiling import schemas_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date() -> None:
    """The committed page is what `make docs` writes."""
    found = subprocess.run([sys.executable, ROOT / "tools" / "formats.py", "--check"], capture_output=True, text=True, check=False)
    assert (0, "") == (found.returncode, found.stderr)


def test_every_form_stands_in_a_table() -> None:
    """No schema file is left out of the page."""
    page = (ROOT / "docs" / "formats.md").read_text()
    assert [schema.name for schema in schemas_of(devstate_schemas) if f"| `{schema.name}` |" not in page] == []


def test_drawings_are_fenced() -> None:
    """Every fence is closed, and no line of a drawing is taken for prose or a table."""
    lines = (ROOT / "docs" / "formats.md").read_text().splitlines()
    fences = [line for line in lines if line.startswith("```")]
    assert fences == ["```text", "```"] * (len(fences) // 2)
    inside = False
    for line in lines:
        inside = line == "```text" or (inside and line != "```")
        assert inside or not line.startswith("    ")
