# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The table of formats: the same in C as in Python, and the same as what is written out from the specifications."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.pagetable import native
from devstate.pagetable.entries import Leaf, Next, read_entry
from devstate.pagetable.format import LEVELS, PageTableFormat, Test
from devstate.pagetable.formats import FORMATS, NAMES, find_format

Test.__test__ = False  # type: ignore[attr-defined]  # not a class of tests

ROOT = Path(__file__).resolve().parents[2]


def _tests(rows: object) -> list[tuple[int, int, int]]:
    return [(row.all, row.flip, row.attribute) for row in rows if row.all]  # type: ignore[attr-defined]  # an array of C


@pytest.mark.parametrize("number", range(len(FORMATS)))
def test_c_has_the_same(core: str, number: int) -> None:
    """Every field of every format."""
    ours, theirs = FORMATS[number], native.lib.ds_pt_format(number)
    for name in ours._fields:  # type: ignore[attr-defined]  # set by @frozen
        value = getattr(ours, name)
        if name == "levels":
            assert value == (theirs.min_levels, theirs.max_levels)
        elif name in ("attributes", "limits"):
            assert [(test.all, test.flip, test.attribute) for test in value] == _tests(getattr(theirs, name))
        elif isinstance(value, tuple):
            assert list(value) == list(getattr(theirs, name))
        elif name not in ("name", "leaf_set", "table_set", "encryption"):  # what the core does not need
            assert value == getattr(theirs, name)
    assert ours.touched == theirs.touched


def test_c_has_no_more(core: str) -> None:
    """A number too large is no format."""
    assert native.ffi.NULL == native.lib.ds_pt_format(len(FORMATS))


def test_the_header_is_what_the_formats_say() -> None:
    """csrc/pt_formats.gen.h is up to date."""
    spec = importlib.util.spec_from_file_location("pt_header", ROOT / "tools" / "pt_header.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pt_header"] = module
    spec.loader.exec_module(module)
    assert module.header() == (ROOT / "csrc" / "pt_formats.gen.h").read_bytes()


def test_names() -> None:
    """Those of the command line; LPAE has three granules, LPA2 two, all others one."""
    known = ("vtd-second-stage", "vtd-first-stage", "amd-v1", "amd-v2", "arm-lpae-s1", "arm-lpae-s2", "riscv-64")
    assert (*known, "arm-lpae-s1-lpa2", "arm-lpae-s2-lpa2") == NAMES
    assert 15 == len({(each.name, each.granule) for each in FORMATS})
    assert all(each is find_format(each.name, each.granule) for each in FORMATS)


def _tested(format: PageTableFormat, entry: int) -> int:
    found = 0
    for test in format.attributes:
        if (entry ^ test.flip) & test.all == test.all:
            found |= test.attribute
    return found


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.integers(0, LEVELS - 1),
    st.one_of(st.integers(0, (1 << 64) - 1), st.lists(st.integers(0, 63), max_size=12).map(lambda bits: sum({1 << bit for bit in bits}))),
)
def test_masks_say_what_the_specifications_say(format: PageTableFormat, level: int, entry: int) -> None:
    """Present, reserved, attributes and addresses, of any entry, by the masks and as written out."""
    if level >= format.levels[1]:
        return
    said = read_entry(format, entry, level)
    assert (entry & format.present != 0) == (said is not None)
    if isinstance(said, Next):
        assert said.pa == (entry & format.table) << format.address_shift | (entry & format.high) << format.high_shift
        assert said.reserved == (entry & format.reserved_table[level] != 0)
        assert 0 <= said.level < level
        lost = 0
        for test in format.limits:
            lost |= test.attribute if (entry ^ test.flip) & test.all == test.all else 0
        assert lost == said.lost
    if isinstance(said, Leaf):
        assert _tested(format, entry) == said.attributes & 0xFFF
        assert format.leaf_levels >> level & 1
        assert said.pa % (1 << format.shift(level)) == 0
        assert said.reserved or not entry & format.reserved_leaf[level]


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.label)
def test_every_bit_has_one_meaning(format: PageTableFormat) -> None:
    """Software bits, reserved bits and the address are apart, and the hardware does not write into any of them."""
    for level in range(format.levels[1]):
        address = format.address | format.high
        assert 0 == address & format.software
        assert 0 == format.reserved_leaf[level] & (address | format.software | format.touched)
        assert 0 == format.reserved_table[level] & (format.table | format.high | format.software | format.table_set)
        assert 0 == format.touched & (address | format.software | format.present | format.type)
        assert 0 == format.leaf_set & (address | format.reserved_leaf[level] | format.software)
    assert format.shift(format.levels[1] - 1) < 64
    assert format.granule_shift == format.index_bits + 3
