# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The header alone: its words, what is refused, and the cheap probe for scanning memory."""

from __future__ import annotations

import mmap
from array import array

import pytest

from devstate.errors import FdtError, LimitError
from devstate.fdt import MAGIC, Header, header, rules, totalsize

from . import trees

BYTES = bytes.fromhex(
    "d00dfeed"  # magic
    "0000011d"  # totalsize
    "00000038"  # off_dt_struct
    "000000e4"  # off_dt_strings
    "00000028"  # off_mem_rsvmap
    "00000011"  # version
    "00000010"  # last_comp_version
    "00000002"  # boot_cpuid_phys
    "00000039"  # size_dt_strings
    "000000ac"  # size_dt_struct
)
WORDS = Header(
    totalsize=0x11D, off_dt_struct=0x38, off_dt_strings=0xE4, off_mem_rsvmap=0x28, version=17, last_comp_version=16, boot_cpuid_phys=2,
    size_dt_strings=0x39, size_dt_struct=0xAC,
)  # fmt: skip


def changed(at: int, word: int) -> bytes:
    """The header with one word replaced."""
    return BYTES[:at] + word.to_bytes(4, "big") + BYTES[at + 4 :]


def test_words() -> None:
    """Each word is at its place, big-endian, and packs to the same bytes."""
    assert WORDS == header(BYTES)
    assert BYTES == WORDS.pack()


@pytest.mark.parametrize(
    ("blob", "offset", "text"),
    [
        (b"", 0, "header is cut; expected 40 bytes; found 0"),
        (BYTES[:39], 0, "header is cut; expected 40 bytes; found 39"),
        (bytes(4) + BYTES[4:], 0, "wrong magic; expected d00dfeed; found 00000000"),
        (changed(0x14, 16), 0x14, "version is too old; expected 17 or later; found 16"),
        (changed(0x18, 18), 0x18, "version is too new; expected at most 17; found 18"),
        (changed(0x04, 39), 4, "total size is less than the header; expected >= 40; found 39"),
    ],
)
def test_refused(blob: bytes, offset: int, text: str) -> None:
    """Each refusal names the word's offset, what was expected and what was found; the probe says no."""
    with pytest.raises(FdtError) as caught:
        header(blob, source="a.dtb")
    assert (offset, "a.dtb", None) == (caught.value.offset, caught.value.source, caught.value.rule)
    assert text in str(caught.value)
    assert totalsize(blob) is None


def test_a_later_version_that_says_it_can_be_read() -> None:
    """Version 18, compatible back to 17."""
    assert 18 == header(changed(0x14, 18)[:0x18] + (17).to_bytes(4, "big") + BYTES[0x1C:]).version


def test_size_limit() -> None:
    """MAX_SIZE is accepted, one more is not: a probe of memory must not promise gigabytes."""
    assert rules.MAX_SIZE == totalsize(changed(4, rules.MAX_SIZE))
    with pytest.raises(LimitError) as caught:
        header(changed(4, rules.MAX_SIZE + 1))
    assert 4 == caught.value.offset
    assert totalsize(changed(4, rules.MAX_SIZE + 1)) is None


def test_any_buffer() -> None:
    """bytes, bytearray, memoryview, mmap and arrays of words; what follows the header does not matter."""
    page = mmap.mmap(-1, 4096)
    page[: len(BYTES)] = BYTES
    for blob in (BYTES, bytearray(BYTES), memoryview(BYTES + b"more"), page, memoryview(page)[:64], array("I", BYTES)):
        assert 0x11D == totalsize(blob)
        assert WORDS == header(blob)


def test_probe_of_other_memory() -> None:
    """Zeros, text, a lone magic: nothing there."""
    for blob in (bytes(4096), b"text" * 20, MAGIC, MAGIC + bytes(60)):
        assert totalsize(blob) is None


def test_blocks_outside() -> None:
    """A block that starts in the header or ends behind the blob is refused at the header's word."""
    from devstate.fdt import read

    for words, offset in (
        ({"off_dt_struct": 36}, 0x08),
        ({"size_dt_struct": 1000}, 0x08),
        ({"off_dt_strings": 39}, 0x0C),
        ({"size_dt_strings": 0xFFFFFFFF}, 0x0C),
        ({"off_mem_rsvmap": 0}, 0x10),
        ({"off_mem_rsvmap": 0xFFFFFFF8}, 0x10),
    ):
        with pytest.raises(FdtError) as caught:
            read(trees.assemble(trees.ROOT + trees.END_NODE + trees.END, **words))
        assert offset == caught.value.offset
        assert "outside the blob" in caught.value.message
