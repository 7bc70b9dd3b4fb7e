# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Records, bytes and names as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devstate.codec.decode import decode
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.report.layout import layout_lines
from devstate.report.printable import printable, quoted
from devstate.report.record import ELEMENTS_MAX, HEXDUMP_MAX, hexdump_lines, record_lines, value_text

KINDS = {"one", "contiguous", "counted", "blocks", "pages", "chunks", "radix", "tree", "vmalloc", "handle", "token", "opaque", "kernel"}


def test_record() -> None:
    """Offset, type, name, value as the layout says; embedded structs with dotted names."""
    layout = Registry.shipped().layout("memfd-v2", Environment())
    data = (
        (7).to_bytes(8, "little")  # pos
        + (300000).to_bytes(8, "little")  # size
        + (0x41).to_bytes(4, "little")  # seals
        + bytes(4)  # flags
        + (74).to_bytes(8, "little")  # nr_folios
        + (0x28DD000).to_bytes(8, "little")  # folios.first
        + (1).to_bytes(4, "little")  # folios.total_pages
        + (0).to_bytes(2, "little")  # folios.flags
        + (3).to_bytes(2, "little")  # folios.order
    )
    assert [
        "+0x00  u64  pos = 7",
        "+0x08  u64  size = 300000",
        "+0x10  u32  seals = SEAL|0x40",
        "+0x14  u32  flags = 0",
        "+0x18  u64  nr_folios = 74",
        "+0x20  u64  folios.first = 0x28dd000",
        "+0x28  u32  folios.total_pages = 1",
        "+0x2c  u16  folios.flags = 0",
        "+0x2e  u16  folios.order = 3",
    ] == list(record_lines(layout, decode(layout, data)))


@given(st.data())
def test_any_record_is_printable(data: st.DataObject) -> None:
    """Every struct of fixed size of every shipped format, whatever its bytes are."""
    registry = Registry.shipped()
    layout = registry.layout(data.draw(st.sampled_from(sorted(registry.summaries))), Environment())
    structs = [struct for struct in layout.structs if not struct.flexible and struct.size <= 4096]
    if structs:
        struct = data.draw(st.sampled_from(structs))
        raw = data.draw(st.binary(min_size=struct.size, max_size=struct.size))
        assert all(line.isprintable() for line in record_lines(layout, decode(layout, raw, struct.name)))


def test_long_arrays_are_cut() -> None:
    """At the limit in full, one above with a count."""
    assert "[" + ", ".join(["1"] * ELEMENTS_MAX) + "]" == value_text([1] * ELEMENTS_MAX)
    assert value_text([1] * (ELEMENTS_MAX + 1)).endswith(f"1, ... {ELEMENTS_MAX + 1} in all]")


def test_values() -> None:
    """The JSON forms of docs/json.md on one line."""
    assert ["0x10", '"text\\n"', "hex 00ff", "{arm = \"a\", value = 3}", "-1"] == [
        value_text(each) for each in ("0x10", "text\n", {"hex": "00ff"}, {"arm": "a", "value": 3}, -1)
    ]


def test_hexdump() -> None:
    """Addresses, bytes, text; equal lines once; the last line always; a limit that counts the rest."""
    data = memoryview(b"luo-v5\0\0" + bytes(72) + b"end")
    assert [
        "0x00001000  6c 75 6f 2d 76 35 00 00  00 00 00 00 00 00 00 00  |luo-v5..........|",
        "0x00001010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|",
        "*",
        "0x00001050  65 6e 64                                          |end|",
    ] == list(hexdump_lines(data, 0x1000))
    assert [] == list(hexdump_lines(memoryview(b""), 0))
    whole = bytes(range(256)) * (HEXDUMP_MAX // 256)
    assert HEXDUMP_MAX // 16 == len(list(hexdump_lines(memoryview(whole), 0)))
    assert "... 1 bytes more" == list(hexdump_lines(memoryview(whole + b"x"), 0))[-1]


@given(st.binary(max_size=600), st.integers(0, (1 << 64) - 1))
def test_hexdump_of_anything(data: bytes, base: int) -> None:
    """Printable, and without stars it holds exactly the bytes."""
    lines = list(hexdump_lines(memoryview(data), base))
    assert all(line.isprintable() for line in lines)
    if "*" not in lines:
        assert data == b"".join(bytes.fromhex(line.partition("  ")[2].partition("  |")[0]) for line in lines)


@given(st.text())
def test_printable(text: str) -> None:
    """Everything comes out printable; what was so stays the same."""
    assert printable(text).isprintable()
    assert (printable(text) == text) == text.isprintable()


@given(st.text())
def test_quoted_is_one_word(text: str) -> None:
    """A word without blanks, or in quotes."""
    shown = quoted(text)
    assert shown.isprintable() and (shown.startswith('"') or (shown != "" and " " not in shown and "=" not in shown))


def test_layout_of_every_target() -> None:
    """Each kind of link has words of its own: the kind's bare name never shows."""
    registry = Registry.shipped()
    for name in registry.summaries:
        for line in layout_lines(registry.layout(name, Environment())):
            _, arrow, target = line.partition("-> ")
            assert not arrow or target.split(";")[0] not in KINDS
