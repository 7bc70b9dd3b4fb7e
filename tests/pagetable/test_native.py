# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The wrapper around the C core, and life without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import crc32c as package
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.pagetable import native
from devstate.pagetable.preserved import CODES, PA_BITS

from .conftest import build_script

ROOT = Path(__file__).resolve().parents[2]

PURE = """
import sys
sys.modules["devstate._core"] = None
from devstate.pagetable import folios, native, radix
from devstate.memory import MemoryRegion, PhysMemory
assert not native.BUILT and native.features() == ("pure",)
assert native.crc32c(b"123456789") == 0xE3069283
shape = radix.radix_shape(4096)
needed, _ = native.radix_build([radix.Run(0x5000, 2, 0)], shape, [], "little")
places = [0x100000 + 4096 * n for n in range(needed)]
pages = native.radix_build([radix.Run(0x5000, 2, 0)], shape, places, "little")[1]
found = native.radix_decode(PhysMemory([MemoryRegion(places[0], len(pages), memoryview(pages))]), places[0], shape)
assert list(found.ranges()) == [(0x5000, 0x2000)]
record = bytes([1]) + bytes(15)
assert native.folios_decode(record, folios.ANY_FOLIO)[0].pfn.tolist() == [1]
assert native.folios_decode(record, folios.ANY_FOLIO, into=native.folios_room(1))[0].pfn.tolist() == [1]
assert not native.folios_check(record, folios.ANY_FOLIO)
assert "numpy" not in sys.modules
"""


def run_python(code: str) -> None:
    """Run code in an interpreter of its own."""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_pure_python_takes_over() -> None:
    """Without the extension everything works, without numpy."""
    run_python(PURE)


def test_nothing_heavy_is_imported() -> None:
    """A decode of a small handover imports no numpy; the import of the wrapper none of what start-up may not have."""
    heavy = "{'numpy', 'typing', 'dataclasses', 'inspect', 're', 'pathlib'}"
    run_python(f"import sys; from devstate.pagetable import native; assert not {heavy} & {{*sys.modules}}")


@pytest.mark.skipif(not native.BUILT, reason="devstate is installed without its C core")
def test_the_numbers_of_the_header_are_ours(core: str) -> None:
    """CODES counts as the header does; addresses are as wide."""
    assert list(range(1, len(CODES) + 1)) == [getattr(native.lib, f"DS_{code.upper().replace('-', '_')}") for code in CODES]
    assert native.lib.DS_PA_BITS == PA_BITS


def test_every_status_has_its_text(core: str) -> None:
    """What the build script reads out of the table is what C says, and other numbers have words too."""
    table = build_script().status_table(build_script().read_header())
    assert len(table) >= 4
    for name, value, text in table:
        assert value == getattr(native.lib, name)
        assert text == native.ffi.string(native.lib.ds_status_text(value)).decode()
    assert b"unknown status" == native.ffi.string(native.lib.ds_status_text(-99))


def test_features_of_the_portable_build(core: str) -> None:
    """None; the installed core says what the machine has."""
    assert core == "installed" or () == native.features()


def test_crc32c_check_value(core: str) -> None:
    """The published check value, and nothing of nothing."""
    assert 0xE3069283 == native.crc32c(b"123456789")
    assert 0 == native.crc32c(b"")


@given(st.binary(max_size=600), st.integers(0, 80_000), st.integers(0, 20), st.integers(0, (1 << 32) - 1))
@settings(max_examples=150, deadline=None)
def test_crc32c_is_that_of_the_package(core: str, seed: bytes, size: int, skew: int, crc: int) -> None:
    """Any length around the sizes of streams, any alignment, any start; and in two parts as in one."""
    data = (seed * (size // max(len(seed), 1) + 1))[: size + skew] if seed else bytes(size + skew)
    view = memoryview(data)[min(skew, len(data)) :]
    assert package.crc32c(view, crc) == native.crc32c(view, crc)
    middle = len(view) // 3
    assert native.crc32c(view, crc) == native.crc32c(view[middle:], native.crc32c(view[:middle], crc))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 383, 384, 385, 1535, 1536, 1537, 3 * 8192 - 1, 3 * 8192, 3 * 8192 + 1, 6 * 8192 + 385 + 9])
def test_crc32c_at_the_sizes_of_streams(core: str, size: int) -> None:
    """Where one loop hands over to the next."""
    data = bytes(range(256)) * (size // 256 + 1)
    assert package.crc32c(data[:size]) == native.crc32c(data[:size])
