# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The property of fuzz/memory_fuzzer.py: any bytes open as memory that reads as it says, or fail with an error of ours."""

from __future__ import annotations

import sys
from pathlib import Path
from struct import pack_into

import pytest
import zstandard
from corefile import PT_NOTE, Segment, core, note
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError
from devstate.memory.open import open_data, open_input

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))
from memory_fuzzer import one_input

NOTES = note(b"VMCOREINFO\0", 0, b"PAGESIZE=4096\n") + note(b"devstate\0", 0x4F484B, b"VERSION=1\nFDT_PA=0x1000\n")
LOADS = [Segment(0x1000, b"\xd0\x0d\xfe\xed" * 8), Segment(0x1020, b"b" * 40), Segment(0x3000, b"c")]
CORE = core([Segment(0, NOTES, PT_NOTE), *LOADS], extended=True)
MAGICS = [b"\x7fELF\x02\x01\x01", b"\x7fELF\x02\x02\x01", b"\x28\xb5\x2f\xfd", b"\x53\x2a\x4d\x18"]
ODD = [0, 1, 2, 0x1000, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 47, 1 << 63, (1 << 64) - 1, (1 << 64) - 0x1000]


@given(st.binary(max_size=300))
@example(b"\0\x28\xb5\x2f\xfd")
@example(b"\1")
@example(b"")
def test_random_bytes(data: bytes) -> None:
    """Anything at all."""
    one_input(data)


@given(st.integers(0, 3), st.sampled_from(MAGICS), st.binary(max_size=300))
def test_random_bytes_behind_a_magic(how: int, magic: bytes, data: bytes) -> None:
    """So that the readers behind the magic get their share."""
    one_input(bytes([how]) + magic + data)


@given(st.integers(0, 3), st.integers(0, len(CORE) - 8), st.sampled_from(ODD), st.sampled_from([2, 4, 8]), st.booleans())
@settings(max_examples=400)
def test_changed_fields(how: int, at: int, value: int, width: int, compressed: bool) -> None:
    """Each field of the headers, set to what breaks programs."""
    data = bytearray(CORE)
    pack_into({2: "<H", 4: "<I", 8: "<Q"}[width], data, at, value & ((1 << 8 * width) - 1))
    one_input(bytes([how]) + (zstandard.compress(bytes(data)) if compressed else bytes(data)))


def test_prefixes_of_a_real_capture(shipped: Path) -> None:
    """Compressed and not: no prefix opens without --partial, and none fails in another way."""
    packed = (shipped / "empty-7.3.core.zst").read_bytes()
    plain = zstandard.decompress(packed)
    for data, step in ((packed, 1), (plain, 37)):
        for length in range(0, len(data), step):
            with pytest.raises(DecodeError):
                open_data(memoryview(data)[:length])
            one_input(b"\2" + data[:length])


@settings(max_examples=100)
@given(st.data())
def test_flips_in_a_real_capture(shipped: Path, data: st.DataObject) -> None:
    """The headers of a real core with one byte changed."""
    plain = bytearray(zstandard.decompress((shipped / "empty-7.3.core.zst").read_bytes()))
    plain[data.draw(st.integers(0, 300))] ^= data.draw(st.integers(1, 255))
    one_input(b"\0" + bytes(plain))


def test_prefixes_of_all_captures(captures: Path, tmp_path: Path) -> None:
    """Files cut at a few places each."""
    cut = tmp_path / "cut.zst"
    for path in sorted(captures.glob("*.core.zst")) + sorted((captures / "iommu").glob("*.core.zst")):
        data = path.read_bytes()
        for length in (1, 5, 20, 100, len(data) // 3, len(data) - 1):
            cut.write_bytes(data[:length])
            with pytest.raises(DecodeError):
                open_input(str(cut))
