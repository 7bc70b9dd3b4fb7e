# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""schemas: every format is listed, every layout can be shown, in text and as JSON, for every environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner import Runner

from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.plain import layout_from_plain
from devstate.layout.registry import Registry


def test_the_list(run: Runner) -> None:
    """One line a format under a heading, mainline first; the figures stand below each other."""
    outcome = run("schemas")
    assert (0, "") == (outcome.status, outcome.err)
    heading, *lines = outcome.lines
    assert ["name", "status", "kernels", "size", "source"] == heading.split()
    registry = Registry.shipped()
    assert set(registry.summaries) == {line.split()[0] for line in lines} and len(registry.summaries) == len(lines)
    row = next(line for line in lines if line.startswith("memfd-v2 "))
    assert ["memfd-v2", "mainline", "7.1..", "48", "include/linux/kho/abi/memfd.h"] == row.split()[:5]
    assert heading.index("source") == row.index("include/")
    statuses = [line.split()[1] for line in lines]
    assert statuses == sorted(statuses, key=("mainline", "posted", "project").index)


def test_the_list_of_one_status(run: Runner) -> None:
    """--status narrows, in JSON too."""
    rows = run("schemas", "--status", "posted", "--json").json["schemas"]
    assert {"posted"} == {row["status"] for row in rows}
    assert [row["name"] for row in rows] == [line.split()[0] for line in run("schemas", "--status", "posted").lines[1:]]
    assert ["name", "compatible", "status", "since", "until", "size", "source", "doc", "found_by", "carrier", "structs"] == list(rows[0])


def test_a_layout(run: Runner) -> None:
    """Offsets, sizes, types, names, bit-fields, links and docs."""
    outcome = run("schemas", "memfd-v2")
    assert (0, "") == (outcome.status, outcome.err)
    for text in (
        "memfd-v2: a memfd with its seals\n",
        "  kernels      7.1..\n",
        "  replaces     memfd-v1\n",
        "  on mismatch  open-fails\n",
        "memfd_luo_ser  48 bytes, packed\n",
        "    0x10     4  u32          seals      F_SEAL_* of the file; others are refused; flags: SEAL=0, SHRINK=1,",
        "    0x20    16  kho_vmalloc  folios     -> page list of memfd_luo_folio_ser, nr_folios of them\n",
        "    0x00     8  u64:12  flags  bits 52..63; flags: DIRTY=0, UPTODATE=1\n",
    ):
        assert text in outcome.out


def test_a_tree(run: Runner) -> None:
    """A devicetree as one, with every bracket closed."""
    out = run("schemas", "luo-v1").out
    assert '        compatible = "luo-session-v2"\n        luo-session-header = <u64>    -> area' in out
    assert out.count("{") == out.count("}") == 3


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_every_layout_can_be_shown(run: Runner, page_size: int, byte_order: str) -> None:
    """Text without a line that ends in blanks; JSON that reads back as the same layout."""
    environment = Environment(page_size, byte_order)  # type: ignore[arg-type]  # a text that is one of the two
    options = ["--page-size", page_size, "--byte-order", byte_order]
    for name in Registry.shipped().summaries:
        text = run("schemas", name, *options)
        assert 0 == text.status and text.out.startswith(f"{name}: ")
        assert f"{page_size}-byte pages, {byte_order}-endian" in text.out
        assert all(line == line.rstrip() for line in text.lines)
        layout = Registry.shipped().layout(name, environment)
        for struct in layout.structs:
            assert f"\n{struct.name}  {struct.size} bytes" in text.out
        assert layout == layout_from_plain(run("schemas", name, "--json", *options).json)


def test_a_struct_finds_its_format(run: Runner) -> None:
    """The name of a struct is as good as that of a format."""
    assert run("schemas", "luo_file_ser").out.startswith("luo-v5: ")


def test_unknown_names(run: Runner) -> None:
    """2, and what it might have been."""
    outcome = run("schemas", "memfd-v3")
    assert (2, "") == (outcome.status, outcome.out)
    assert "'memfd-v2'" in outcome.err and "did you mean" in outcome.err
    assert 2 == run("schemas", "").status
    assert "one of 4096, 16384, 65536, not 8192" in run("schemas", "memfd-v2", "--page-size", "8192").err


def test_schemas_of_the_user(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed beside the shipped ones; a file that is none is an error with its reason."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from devstate.schema import U64, Schema, Struct, Reaction\n"
        "SCHEMAS = [Schema(compatible='mine-v1', doc='mine', source='here', status='project', found_by='x', carrier='string',\n"
        "  on_mismatch=Reaction.ACCEPTED, root=Struct('mine', 'pos' / U64, packed=True))]\n"
    )
    assert ["mine-v1", "project", "8", "here"] == run("schemas", "--schemas", mine).lines[-1].split()
    for text in ("raise ValueError('no')", "SCHEMAS = [3]", "SCHEMAS = 3", "this is no Python", "import sys; sys.exit(0)"):
        mine.write_text(text)
        outcome = run("schemas", "--schemas", mine)
        assert (2, "") == (outcome.status, outcome.out), text
        assert outcome.err.startswith("error: ") and 1 == outcome.err.count("\n")
