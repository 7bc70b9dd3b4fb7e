# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sections of ELF files, by name: what is refused, and why."""

from __future__ import annotations

from struct import pack_into

import btfwriter
import pytest

from devstate.errors import BtfError, LimitError
from devstate.source.elf import MAX_SECTIONS, section

WIDE = {"e_shoff": (40, "Q"), "e_shentsize": (58, "H"), "e_shnum": (60, "H"), "e_shstrndx": (62, "H")}
NARROW = {"e_shoff": (32, "I"), "e_shentsize": (46, "H"), "e_shnum": (48, "H"), "e_shstrndx": (50, "H")}


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("extended", [True, False])
def test_a_section_is_found(wide: bool, order: str, extended: bool) -> None:
    """Its bytes, not those of one whose name begins alike, in both classes and orders."""
    file = btfwriter.elf({".BTF_ids": b"ids", ".BTF": b"types", ".text": b"code"}, wide=wide, order=order, extended=extended)
    assert [b"types", b"code", b"ids"] == [bytes(section(memoryview(file), name)) for name in (".BTF", ".text", ".BTF_ids")]
    with pytest.raises(BtfError, match=r"no section \.BT;"):
        section(memoryview(file), ".BT")


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("e_shoff", 0, "has no section headers"),
        ("e_shoff", 0xFFFFFF00, "a section header is outside the file"),
        ("e_shentsize", 39, "section headers are too small"),
        ("e_shstrndx", 7, "index of the section names is out of range"),
        ("e_shnum", 900, "a section header is outside the file"),
    ],
)
def test_each_field_is_checked(wide: bool, field: str, value: int, message: str) -> None:
    """One wrong field at a time is an error with an offset."""
    file = bytearray(btfwriter.elf({".text": b"code"}, wide=wide))
    offset, form = (WIDE if wide else NARROW)[field]
    pack_into("<" + form, file, offset, value)
    with pytest.raises(BtfError, match=message) as caught:
        section(memoryview(file), ".BTF")
    assert caught.value.offset is not None


def test_sections_without_plain_bytes_are_refused() -> None:
    """A section of type NOBITS (a stripped debug file), a compressed one, and one that is outside the file."""
    for offset, form, value, message in (
        (4, "I", 8, "found type 8"),
        (8, "Q", 0x800, "flags 0x800"),
        (32, "Q", 1 << 40, "a section is outside the file"),
    ):
        file = bytearray(btfwriter.elf({".BTF": b"types"}))
        table = int.from_bytes(file[40:48], "little")
        pack_into("<" + form, file, table + 64 + offset, value)
        with pytest.raises(BtfError, match=message):
            section(memoryview(file), ".BTF")


def test_the_number_of_sections_is_bounded() -> None:
    """The extended count has 64 bits; only as many as a kernel can have are believed, whatever the file's size."""
    for count, error in ((MAX_SECTIONS, BtfError), (MAX_SECTIONS + 1, LimitError)):
        file = bytearray(btfwriter.elf({".text": b"x"}, extended=True))
        table = int.from_bytes(file[40:48], "little")
        pack_into("<Q", file, table + 32, count)
        with pytest.raises(error):
            section(memoryview(file), ".BTF")


def test_classes_that_do_not_exist() -> None:
    """Class and data must be 1 or 2; a file of a few bytes says that it ended."""
    for head in (b"\x7fELF", b"\x7fELF\x03\x01", b"\x7fELF\x02\x00", b"\x7fELF\x02\x01" + bytes(20), b"\x7fELF\x01\x02" + bytes(40)):
        with pytest.raises(BtfError, match=r"class is unknown|cut short"):
            section(memoryview(head), ".BTF")
