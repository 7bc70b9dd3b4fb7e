# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Reading what is left of a cut or damaged blob."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.errors import FdtError, LimitError
from devstate.fdt import read, read_partial, rules
from devstate.fdt.writer import PRESERVE, write

from .test_reader import BLOB, SOUND, TWICE, TWO
from .trees import COMPATIBLE, END, END_NODE, REG, ROOT, assemble, begin, prop


def test_a_sound_blob_has_no_problems() -> None:
    """The same tree as a strict read."""
    assert (read(BLOB), []) == read_partial(BLOB)


def test_every_prefix() -> None:
    """From the header on, each prefix gives what is in it: first the reserve map, then node by node and property by property."""
    whole = read(BLOB)
    counts = []
    for length in range(len(BLOB)):
        if length < 40:
            with pytest.raises(FdtError):
                read_partial(BLOB[:length])
            continue
        fdt, problems = read_partial(BLOB[:length], source="cut")
        assert problems
        assert {"cut"} == {problem.source for problem in problems}
        assert "blob is cut" == problems[0].message
        nodes = list(fdt.walk())
        counts.append(sum(1 + len(node.properties) for _, node in nodes))
        for path, node in nodes[1:]:
            assert whole.node(path) is not None
            assert node.offset is not None
            assert node.offset + node.size <= length
    assert sorted(counts) == counts
    assert (1, 6) == (counts[0], counts[-1])


def test_cut_names(captures: Path) -> None:
    """The kernel's debugfs shows its outgoing FDT cut at the size it had at boot: all values are there, the names are not."""
    complete = read((captures / "debugfs-7.3" / "in" / "fdt").read_bytes())
    fdt, problems = read_partial((captures / "debugfs-7.3" / "out" / "fdt").read_bytes())
    assert ["/", "/LUO", "/kexec-metadata"] == [path for path, _ in fdt.walk()]
    assert [list(node.properties.values()) for _, node in complete.walk()] == [list(node.properties.values()) for _, node in fdt.walk()]
    assert ["<0x15>", "<0x0>"] == list(fdt.root.properties)
    assert 5 == len(problems)
    assert (233, "285 bytes (totalsize)", "233 bytes") == (problems[0].offset, problems[0].expected, problems[0].found)


def test_broken_rules_are_collected() -> None:
    """A broken rule is a problem with its id, and reading goes on behind it; an allowed one is none."""
    structure = ROOT + begin("a/b") + END_NODE + prop(REG, b"1") + prop(REG, b"2") + END_NODE + END + bytes(4)
    fdt, problems = read_partial(assemble(structure))
    assert {"reg": b"1"} == fdt.root.properties
    assert [
        rules.SLASH_IN_NAME, rules.PROPERTY_AFTER_SUBNODE, rules.DUPLICATE_PROPERTY, rules.PROPERTY_AFTER_SUBNODE, rules.TRAILING_STRUCT,
    ] == [getattr(problem, "rule", None) for problem in problems]  # fmt: skip
    assert [] == read_partial(assemble(TWICE), allow={rules.DUPLICATE_PROPERTY})[1]
    assert 2 == len(read_partial(assemble(TWO))[0].root.children)


def test_damage_ends_the_open_nodes() -> None:
    """Behind a token that makes no sense nothing can be read; what was open ends there, what stood before is kept."""
    structure = ROOT + prop(COMPATIBLE, b"x\0") + begin("a") + prop(REG, b"1") + b"\0\0\0\5" + END_NODE + END_NODE + END
    fdt, problems = read_partial(assemble(structure))
    assert ["unknown token"] == [problem.message for problem in problems]
    assert (problems[0].offset, "/a") == (0x68, problems[0].path)
    assert [(0x38, 0x30), (0x50, 0x18)] == [(node.offset, node.size) for _, node in fdt.walk()]
    found = fdt.root.children[0].property("reg")
    assert (b"1", 0x64) == (found and found.value, found and found.offset)


def test_blocks_outside_of_the_blob() -> None:
    """Each misplaced block is a problem; without a structure block the tree is an empty root."""
    fdt, problems = read_partial(assemble(SOUND, off_dt_struct=4000, off_mem_rsvmap=5000, size_dt_strings=6000))
    assert [] == list(fdt.root.children)
    messages = [problem.message for problem in problems]
    for name in ("reserve map is outside", "structure block is outside", "strings block is outside", "reserve map has no end", "FDT_END"):
        assert any(name in message for message in messages), name


def test_problems_are_limited() -> None:
    """MAX_PROBLEMS are collected; at one more, reading stops with a LimitError as the last."""
    for count in (rules.MAX_PROBLEMS, rules.MAX_PROBLEMS + 1, 50_000):
        _, problems = read_partial(assemble(ROOT + prop(REG) + prop(REG) * count + END_NODE + END))
        assert min(count, rules.MAX_PROBLEMS + 1) == len(problems)
        assert (count > rules.MAX_PROBLEMS) == isinstance(problems[-1], LimitError)


def test_a_cut_tree_is_not_preserved() -> None:
    """There is no blob that it stands whole in."""
    from devstate.errors import EncodeError

    fdt, _ = read_partial(BLOB[:-1])
    with pytest.raises(EncodeError):
        write(fdt, PRESERVE)
