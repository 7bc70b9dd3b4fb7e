# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The BTF reader on sections built field by field: every kind, both byte orders, limits, damage."""

from __future__ import annotations

import importlib.util
import random
import time
from pathlib import Path
from struct import pack

import btfwriter
import pytest
import zstandard
from btfwriter import BtfWriter, every_kind
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.errors import BtfError, DecodeError, ImageError, LimitError, UsageError
from devstate.source import btf as reader
from devstate.source import btf_section, btf_shape, vmlinux
from devstate.source.btf import Btf
from devstate.source.shape import CType

ROOT = Path(__file__).resolve().parents[2]


def fuzzer() -> object:
    """The property that fuzzers run, loaded from where it stands."""
    spec = importlib.util.spec_from_file_location("btf_fuzzer", ROOT / "fuzz" / "btf_fuzzer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


one_input = fuzzer().one_input


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_is_read_in_both_byte_orders(order: str) -> None:
    """Offsets, widths, texts and facts of each kind of member; the order of the machine does not matter to the reader."""
    shape = Btf.open(every_kind(order).bytes()).layout("all")
    assert ("all", "struct", 96) == (shape.name, shape.keyword, shape.size)
    assert [
        ("low", 0, 52, True, "u64", "int"),
        ("high", 52, 12, True, "u64", "int"),
        ("pairs", 64, 256, False, "struct pair[2]", "struct"),
        ("pairs[].first", 64, 64, False, "u64", "int"),
        ("pairs[].second", 128, 64, False, "unsigned int[2]", "int"),
        ("phys", 320, 64, False, "u64", "int"),
        ("ptr", 320, 64, False, "struct pair *", "pointer"),
        ("color", 384, 32, False, "enum color", "enum"),
        ("call", 448, 64, False, "unsigned int (*)(...)", "pointer"),
        ("text", 512, 64, False, "const char *", "pointer"),
        ("ratio", 576, 64, False, "double", "float"),
        ("wide", 640, 64, False, "volatile enum wide", "enum"),
        ("opaque", 704, 64, False, "struct hidden *", "pointer"),
        ("tail", 768, 0, False, "char[0]", "int"),
    ] == [(m.path, m.bit_offset, m.bit_size, m.bitfield, m.type.text, m.type.kind) for m in shape.members]
    assert [6, 8] == [shape.member("high").offset, shape.member("pairs").offset]
    assert [1, 2, 0] == [shape.member(path).type.count for path in ("low", "pairs", "tail")]
    assert shape.member("nothing") is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_enums_of_32_and_64_bits(order: str) -> None:
    """kflag says that values are signed; without it the top bit is a bit."""
    btf = Btf.open(every_kind(order).bytes())
    assert {"RED": 0, "GREEN": 0xFFFFFFFF} == btf.enum("color")
    assert {"LOW": -1, "HIGH": 1 << 40} == btf.enum("wide")
    made = BtfWriter(order)
    made.enum("below", {"A": -1, "B": 5, "C": -(1 << 31)}, signed=True)
    made.enum("huge", {"D": (1 << 64) - 1}, wide=True)
    made.enum("empty", {})
    btf = Btf.open(made.bytes())
    assert [{"A": -1, "B": 5, "C": -(1 << 31)}, {"D": (1 << 64) - 1}, {}] == [btf.enum(name) for name in ("below", "huge", "empty")]


def texts(make: object) -> str:
    """How the reader writes the type that ``make(writer, int id)`` adds, as the member of a struct."""
    made = BtfWriter()
    made.struct("holder", 4096, [("member", make(made, made.int("int", 4, encoding=btfwriter.SIGNED)), 0)])
    return Btf.open(made.bytes()).layout("holder").member("member").type.text


@pytest.mark.parametrize(
    ("expected", "make"),
    [
        ("int[2][3]", lambda w, i: w.array(w.array(i, 3), 2)),
        ("int *[3]", lambda w, i: w.array(w.add(btfwriter.PTR, "", i), 3)),
        ("int (*)[3]", lambda w, i: w.add(btfwriter.PTR, "", w.array(i, 3))),
        ("int **", lambda w, i: w.add(btfwriter.PTR, "", w.add(btfwriter.PTR, "", i))),
        ("int *const", lambda w, i: w.add(btfwriter.CONST, "", w.add(btfwriter.PTR, "", i))),
        ("int *const *", lambda w, i: w.add(btfwriter.PTR, "", w.add(btfwriter.CONST, "", w.add(btfwriter.PTR, "", i)))),
        ("const volatile int", lambda w, i: w.add(btfwriter.CONST, "", w.add(btfwriter.VOLATILE, "", i))),
        ("int *restrict", lambda w, i: w.add(btfwriter.RESTRICT, "", w.add(btfwriter.PTR, "", i))),
        ("void *", lambda w, i: w.add(btfwriter.PTR)),
        ("const void *", lambda w, i: w.add(btfwriter.PTR, "", w.add(btfwriter.CONST))),
        ("union hidden *", lambda w, i: w.add(btfwriter.PTR, "", w.add(btfwriter.FWD, "hidden", 0, kflag=1))),
        ("struct *", lambda w, i: w.add(btfwriter.PTR, "", w.struct("", 4, [("x", i, 0)]))),
        ("void (*)(...)", lambda w, i: w.add(btfwriter.PTR, "", w.add(btfwriter.FUNC_PROTO))),
        ("int (*[4])(...)", lambda w, i: w.array(w.add(btfwriter.PTR, "", w.add(btfwriter.FUNC_PROTO, "", i)), 4)),
        ("enum", lambda w, i: w.enum("", {"A": 1})),
        ("uuid_t", lambda w, i: w.add(btfwriter.TYPEDEF, "uuid_t", w.array(i, 16))),
    ],
)
def test_types_are_written_as_c_writes_them(expected: str, make: object) -> None:
    """Declarators nest inside out in C: pointers to arrays and arrays of pointers are told apart."""
    assert expected == texts(make)


def test_a_typedef_is_resolved_through_arrays_and_qualifiers() -> None:
    """typedef const u8 uuid_t[4][4]: sixteen bytes of an unsigned int, whatever the names on the way."""
    made = BtfWriter()
    byte = made.add(btfwriter.TYPEDEF, "u8", made.int("unsigned char", 1))
    made.add(btfwriter.TYPEDEF, "uuid_t", made.add(btfwriter.CONST, "", made.array(made.array(byte, 4), 4)))
    resolved = Btf.open(made.bytes()).typedef("uuid_t")
    assert CType("const u8[4][4]", "int", "unsigned char", 16, (4, 4), False) == resolved
    assert 16 == resolved.count


def test_unnamed_structs_inside_unnamed_unions_belong_to_the_outermost() -> None:
    """Offsets add up through all levels, paths gain nothing from a level without a name; unnamed padding is left out."""
    made = BtfWriter()
    word = made.int("unsigned int", 4)
    inner = made.struct("", 8, [("a", word, 0), ("b", word, 32)])
    union = made.struct("", 8, [("", inner, 0), ("whole", made.int("long long unsigned int", 8), 0)], kind=btfwriter.UNION)
    named = made.struct("", 16, [("", union, 0), ("c", word, 64)])
    made.struct("outer", 24, [("first", word, 0), ("", word, 32), ("", union, 64), ("named", named, 64)])
    assert [
        ("first", 0),
        ("a", 64),
        ("b", 96),
        ("whole", 64),
        ("named", 64),
        ("named.a", 64),
        ("named.b", 96),
        ("named.whole", 64),
        ("named.c", 128),
    ] == [(each.path, each.bit_offset) for each in Btf.open(made.bytes()).layout("outer").members]


def test_bitfields_of_old_kernels() -> None:
    """Without kflag an int type of its own said how many bits, and where in it they begin."""
    made = BtfWriter()
    low = made.int("unsigned int", 4, bits=3)
    high = made.int("unsigned int", 4, bits=5, offset=3)
    made.struct("old", 4, [("low", low, 0), ("high", high, 0)])
    assert [("low", 0, 3, True), ("high", 3, 5, True)] == [
        (each.path, each.bit_offset, each.bit_size, each.bitfield) for each in Btf.open(made.bytes()).layout("old").members
    ]


def test_pointers_are_as_large_as_long() -> None:
    """A 32-bit kernel's pointers have four bytes; when no long is described, eight are assumed."""
    for long, expected in ((4, 4), (8, 8), (None, 8), (3, 8)):
        made = BtfWriter()
        if long:
            made.int("long unsigned int", long)
        made.struct("holder", 8, [("pointer", made.add(btfwriter.PTR), 0)])
        assert expected == Btf.open(made.bytes()).layout("holder").member("pointer").type.size


def test_names_may_be_tails_of_others() -> None:
    """A name that ends another's string is found where it stands, not where it merely occurs; kinds have one name space each."""
    made = BtfWriter()
    word = made.int("unsigned int", 4)
    made.struct("outer_ser", 4, [("x", word, 0)])
    made.struct("ser", 4, [("y", word, 0)])
    made.add(btfwriter.TYPEDEF, "ser", word)
    shared = made.name("outer_ser") + len("outer_")
    made.types += pack("<3I3I", shared, btfwriter.STRUCT << 24 | 1, 8, made.name("z"), word, 0)
    made.count += 1
    btf = Btf.open(made.bytes())
    assert [["y"], ["z"]] == [[member.path for member in each.members] for each in btf.structs("ser")]
    assert "unsigned int" == btf.typedef("ser").text
    assert ["outer_ser", "ser"] == btf.names() and ["ser"] == btf.names("typedef") and [] == btf.names("union") == btf.names("enum")
    assert [] == btf.structs("") == btf.structs("s\0er") == btf.structs("sér") == btf.structs("\ud800")
    with pytest.raises(UsageError, match="not 'function'"):
        btf.names("function")


def test_equal_twins_are_one_layout() -> None:
    """The same struct twice is no ambiguity; two that differ are."""
    made = BtfWriter()
    word = made.int("unsigned int", 4)
    for _ in range(2):
        made.struct("twin", 4, [("x", word, 0)])
        made.enum("same", {"A": 1})
        made.add(btfwriter.TYPEDEF, "t", word)
    btf = Btf.open(made.bytes())
    assert 4 == btf.layout("twin").size == btf.typedef("t").size and {"A": 1} == btf.enum("same")
    made.struct("twin", 8, [("x", word, 0)])
    made.enum("same", {"A": 2})
    made.add(btfwriter.TYPEDEF, "t", made.int("char", 1))
    for ask, name in (("layout", "twin"), ("enum", "same"), ("typedef", "t")):
        with pytest.raises(UsageError, match="differ"):
            getattr(Btf.open(made.bytes()), ask)(name)


def test_kinds_of_the_future_are_stepped_over() -> None:
    """With a layout section (2026) the length of an unknown kind is known; without one it is an error."""
    made = BtfWriter()
    made.add(22, "later", 0, [1, 2, 3, 4, 5], vlen=2)
    made.struct("after", 4, [("x", made.int("unsigned int", 4), 0)])
    layout = b"".join(bytes([4, 8, 0, 0]) if kind == 22 else bytes(4) for kind in range(23))
    btf = Btf.open(made.bytes(layout=layout))
    assert (3, 4) == (len(btf), btf.layout("after").size)
    with pytest.raises(BtfError, match=r"offset 0x18: type 1: a type is malformed; expected a kind of 1\.\.19 .*found info 0x16000002"):
        Btf.open(made.bytes())


@pytest.mark.parametrize("wrap", ["raw", "elf64", "elf32", "big", "extended", "zstd", "zstd-elf"])
def test_each_form_of_a_section_opens(wrap: str, tmp_path: Path) -> None:
    """Raw, in ELF of both classes and orders with few and with very many sections, compressed; as a path and as bytes."""
    order = ">" if wrap == "big" else "<"
    raw = every_kind(order).bytes()
    inside = {".text": b"code", ".BTF": raw, ".BTF.ext": b"no"}
    data = {
        "raw": raw,
        "zstd": zstandard.compress(raw),
        "zstd-elf": zstandard.compress(btfwriter.elf(inside)),
    }.get(wrap) or btfwriter.elf(inside, wide=wrap != "elf32", order=order, extended=wrap == "extended")
    file = tmp_path / "kernel"
    file.write_bytes(data)
    expected = Btf(raw).layout("all")
    assert expected == Btf.open(file).layout("all") == Btf.open(str(file)).layout("all") == Btf.open(data).layout("all")
    assert str(file) == Btf.open(file).source and Btf.open(data).source is None


def test_what_is_no_btf_says_so_with_the_file(tmp_path: Path) -> None:
    """The error names the file; a file that is not there is an OSError, as always."""
    file = tmp_path / "thing"
    for content, message in (
        (b"", "neither BTF nor an ELF file.*found no bytes"),
        (b"hello", "neither BTF nor an ELF file.*found 68656c6c"),
        (btfwriter.elf({".text": b"x"}), "has no section .BTF"),
        (zstandard.compress(b"hello"), "neither BTF nor an ELF file"),
        (zstandard.compress(bytes(999))[:-3], "truncated zstd frame"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "zstd frame"),
        (every_kind().bytes()[:40], "types are outside the section"),
    ):
        file.write_bytes(content)
        with pytest.raises((BtfError, ImageError), match=message) as caught:
            Btf.open(file)
        assert str(file) == caught.value.source
    with pytest.raises(FileNotFoundError):
        Btf.open(tmp_path / "missing")


HEADER = {
    "magic": (0, "H", 0xEB9E, "this is no BTF"),
    "version": (2, "B", 2, "this is no BTF.*found magic 0xeb9f, version 2"),
    "flags": (3, "B", 1, "this is no BTF"),
    "hdr_len below": (4, "I", 23, "length of the BTF header is wrong.*expected 24"),
    "hdr_len above": (4, "I", 1 << 31, "length of the BTF header is wrong"),
    "type_off": (8, "I", 0xFFFFFFFC, "types are outside"),
    "type_off unaligned": (8, "I", 1, "32-bit words|malformed|cut short"),
    "type_len": (12, "I", 0xFFFFFFFC, "types are outside"),
    "type_len unaligned": (12, "I", 2, "32-bit words"),
    "str_off": (16, "I", 0xFFFFFFFF, "strings are outside"),
    "str_len": (20, "I", 0, "begin and end with a NUL.*found no strings"),
    "str_len one above": (20, "I", len(every_kind().strings) + 1, "strings are outside"),
    "str_len below": (20, "I", 3, "begin and end with a NUL"),
}


@pytest.mark.parametrize("field", HEADER)
def test_each_field_of_the_header_is_checked(field: str) -> None:
    """One wrong field at a time: the error has the offset, what was expected and what was found."""
    offset, form, value, message = HEADER[field]
    data = bytearray(every_kind().bytes())
    data[offset : offset + len(pack("<" + form, value))] = pack("<" + form, value)
    with pytest.raises(BtfError, match=message) as caught:
        Btf(bytes(data))
    assert caught.value.offset is not None


def test_info_bits_that_a_kind_does_not_have_are_refused() -> None:
    """vlen or kflag on a kind without them is no version of BTF."""
    for kind, vlen, kflag in (
        (btfwriter.INT, 1, 0),
        (btfwriter.INT, 0, 1),
        (btfwriter.TYPEDEF, 1, 0),
        (btfwriter.FLOAT, 1 << 16, 0),
        (0, 0, 0),
        (20, 0, 0),
    ):
        made = BtfWriter()
        made.add(kind, "x", 4, [32] if kind == btfwriter.INT else [], vlen=vlen, kflag=kflag)
        with pytest.raises(BtfError, match="type 1: a type is malformed"):
            Btf.open(made.bytes())


@pytest.mark.parametrize(("words", "vlen", "left"), [([], 0, 4), ([], 0, 8), ([0], 1, 0), ([0, 1], 2, 0)])
def test_the_last_type_must_be_whole(words: list[int], vlen: int, left: int) -> None:
    """Bytes left behind the last type, or fewer than its elements take: the error is at what is cut."""
    made = BtfWriter()
    made.int("int", 4)
    made.add(btfwriter.ENUM, "e", 4, words, vlen=vlen)
    made.types += bytes(left)
    with pytest.raises(BtfError, match=r"the last type is cut short; expected \d+ bytes; found \d+ bytes left") as caught:
        Btf.open(made.bytes())
    assert 24 + 16 + (12 if left else 0) == caught.value.offset


def test_void_has_a_kind_and_no_words() -> None:
    """Type 0 is void: it stands in no section, nor does the type behind the last."""
    btf = Btf.open(every_kind().bytes())
    assert 0 == btf.kind(0)
    for type_id in (0, -1, len(btf) + 1):
        with pytest.raises(BtfError, match=f"a type id is out of range; expected 1..{len(btf)}; found {type_id}"):
            btf.word(type_id, 0)
    assert 1 << 31 > btf.word(len(btf), 0)


BROKEN = {
    "member id": (lambda w, i: w.struct("s", 4, [("x", 99, 0)]), "a type id is out of range; expected 1..2; found 99"),
    "void member": (lambda w, i: w.struct("s", 4, [("x", 0, 0)]), "has no size.*found kind 0"),
    "function member": (lambda w, i: w.struct("s", 4, [("x", w.add(btfwriter.FUNC_PROTO, "", i), 0)]), "has no size.*found kind 13"),
    "forward member": (lambda w, i: w.struct("s", 4, [("x", w.add(btfwriter.FWD, "f"), 0)]), "has no size.*found kind 7"),
    "behind the end": (
        lambda w, i: w.struct("s", 4, [("x", i, 8)]),
        "member 'x' ends behind its struct; expected at or below bit 32; found bit 40",
    ),
    "inside a byte": (lambda w, i: w.struct("s", 8, [("x", i, 4)]), "member 'x' does not fit its type"),
    "too wide": (lambda w, i: w.struct("s", 8, [("x", i, 33 << 24)], kflag=1), "does not fit its type.*found int, 33 bits at bit 0"),
    "bits of a pointer": (lambda w, i: w.struct("s", 8, [("x", w.add(btfwriter.PTR), 3 << 24)], kflag=1), "does not fit its type"),
    "name": (lambda w, i: w.add(btfwriter.STRUCT, "s", 4, [0x1000000, i, 0], vlen=1), "a name is outside the strings"),
    "array too large": (lambda w, i: w.struct("s", 8, [("x", w.array(i, 1 << 30), 0)]), "a type is too large"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_struct_is_an_error_at_its_type(case: str) -> None:
    """What an id, name, offset or width may be is checked when the struct is asked for; the error says which type."""
    make, message = BROKEN[case]
    made = BtfWriter()
    make(made, made.int("int", 4))
    with pytest.raises(BtfError, match=message) as caught:
        Btf.open(made.bytes()).layout("s")
    assert caught.value.offset is not None and caught.value.offset >= 24


def chain(length: int) -> bytes:
    """A typedef over ``length`` - 2 qualifiers over an int: ``length`` types in a row."""
    made = BtfWriter()
    last = made.int("int", 4)
    for _ in range(length - 2):
        last = made.add(btfwriter.CONST, "", last)
    made.struct("s", 4, [("x", made.add(btfwriter.TYPEDEF, "t", last), 0)])
    return made.bytes()


def nest(levels: int) -> bytes:
    """Structs inside structs, ``levels`` of them, the outermost called s."""
    made = BtfWriter()
    last = made.int("int", 4)
    for level in range(levels, 0, -1):
        last = made.struct("s" if level == 1 else f"s{level}", 4, [("x", last, 0)])
    return made.bytes()


def flat(members: int) -> bytes:
    """A struct of which half the members are its own and half those of a nested struct; ``members`` in all, the nested one counted."""
    made = BtfWriter()
    byte = made.int("char", 1)
    half = members // 2
    inner = made.struct("inner", half, [("m", byte, 8 * at) for at in range(half)])
    made.struct("s", members, [("m", byte, 8 * at) for at in range(members - half - 1)] + [("inner", inner, 0)])
    return made.bytes()


def long_path(length: int) -> bytes:
    """Nested members with names of up to 255 characters whose path has ``length`` of them."""
    made = BtfWriter()
    last = made.int("char", 1)
    parts, left = [], length
    while left > 255:
        parts.append(min(255, left - 2))
        left -= parts[-1] + 1
    for index, size in enumerate([*parts, left]):
        last = made.struct("s" if index == len(parts) else f"s{index}", 1, [("n" * size, last, 0)])
    return made.bytes()


def twins(count: int) -> bytes:
    made = BtfWriter()
    byte = made.int("char", 1)
    for _ in range(count):
        made.struct("s", 1, [("x", byte, 0)])
    return made.bytes()


def named(length: int) -> bytes:
    made = BtfWriter()
    made.struct("s", 1, [("n" * length, made.int("char", 1), 0)])
    return made.bytes()


LIMITS = {
    "chain": (chain, btf_shape.MAX_CHAIN, "refers to others without an end"),
    "nesting": (nest, btf_shape.MAX_NESTING, "nested too deeply"),
    "members": (flat, btf_shape.MAX_MEMBERS, "a struct is too large"),
    "path": (long_path, btf_shape.MAX_PATH, "a struct is too large"),
    "same name": (twins, reader.MAX_SAME_NAME, "too many types are called 's'"),
    "name": (named, reader.MAX_NAME, "a name is too long"),
}


@pytest.mark.parametrize("case", LIMITS)
def test_limits_hold_at_and_one_above(case: str) -> None:
    """What is at a limit is read; one more is a LimitError with the place."""
    make, limit, message = LIMITS[case]
    assert Btf.open(make(limit)).layout("s").members
    with pytest.raises(LimitError, match=message) as caught:
        Btf.open(make(limit + 1)).layout("s")
    assert caught.value.offset is not None and caught.value.offset >= 24


def test_limits_of_elements() -> None:
    """A type may have as many enumerators as BTF could count until 2026, not one more."""
    made = BtfWriter()
    made.add(btfwriter.ENUM, "e", 4, [0, 7] * reader.MAX_ELEMENTS, vlen=reader.MAX_ELEMENTS)
    assert {"": 7} == Btf.open(made.bytes()).enum("e")
    made.add(btfwriter.ENUM, "f", 4, [0, 7] * (reader.MAX_ELEMENTS + 1), vlen=reader.MAX_ELEMENTS + 1)
    with pytest.raises(LimitError, match=f"too many members; expected at most {reader.MAX_ELEMENTS}; found {reader.MAX_ELEMENTS + 1}"):
        Btf.open(made.bytes()).enum("f")


def test_limits_of_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A section is bounded, be it a file or bytes; one byte above the limit is refused before it is looked at."""
    raw = every_kind().bytes()
    file = tmp_path / "raw"
    file.write_bytes(raw)
    for module, data in ((btf_section, raw), (vmlinux, file)):
        with monkeypatch.context() as patch:
            patch.setattr(module, "MAX_SECTION", len(raw))
            assert len(Btf.open(data))
            patch.setattr(module, "MAX_SECTION", len(raw) - 1)
            with pytest.raises(LimitError, match="too large"):
                Btf.open(data)


def test_endless_types_end() -> None:
    """A typedef of itself, a const ring, a struct that holds itself, an array of itself: an error, at once."""
    for words in (
        [(btfwriter.TYPEDEF, "s", 1, [])],
        [(btfwriter.CONST, "", 2, []), (btfwriter.VOLATILE, "", 1, []), (btfwriter.TYPEDEF, "s", 1, [])],
        [(btfwriter.ARRAY, "", 0, [1, 1, 1]), (btfwriter.TYPEDEF, "s", 1, [])],
    ):
        made = BtfWriter()
        for kind, name, third, rest in words:
            made.add(kind, name, third, rest)
        with pytest.raises(LimitError, match="without an end"):
            Btf.open(made.bytes()).typedef("s")
    made = BtfWriter()
    made.struct("s", 8, [("x", 1, 0)])
    with pytest.raises(LimitError, match="nested too deeply"):
        Btf.open(made.bytes()).layout("s")


def test_a_bomb_of_nested_structs_costs_nothing() -> None:
    """Thirty levels, each with its inner struct twice, would be 2**30 members; with and without names the count is bounded."""
    for name in ("x", ""):
        made = BtfWriter()
        last = made.struct("s30", 0, [])
        for level in range(29, -1, -1):
            last = made.struct("s" if not level else f"s{level}", 0, [(name, last, 0), (name, last, 0)])
        started = time.process_time()
        with pytest.raises(LimitError, match="a struct is too large"):
            Btf.open(made.bytes()).layout("s")
        assert time.process_time() - started < 2


def test_every_prefix_fails_cleanly() -> None:
    """A section cut anywhere is no section: strings come last, and end with a NUL inside the length that the header gives."""
    whole = every_kind().bytes()
    for length in range(len(whole)):
        with pytest.raises(BtfError):
            Btf.open(whole[:length])


def test_every_changed_byte_is_survived() -> None:
    """All 255 other values of the header's bytes, and each bit of all others: facts or errors of ours, nothing else."""
    whole = every_kind().bytes()
    for at in range(len(whole)):
        for change in range(1, 256) if at < 24 else (1 << bit for bit in range(8)):
            damaged = bytearray(whole)
            damaged[at] ^= change
            one_input(bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(data: bytes, header: bool) -> None:
    """Random bytes, alone or behind a good header, are survived."""
    one_input(data)
    if header:
        types = len(data) // 2 & ~3
        one_input(pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, types, types, len(data) - types) + data)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_type_words(data: st.DataObject) -> None:
    """Well-formed types that refer to each other at random, so that chains, cycles and nesting of all sorts arise."""
    made = BtfWriter()
    ids = st.integers(0, 24)
    for number in range(data.draw(st.integers(1, 24))):
        kind = data.draw(st.sampled_from([*range(1, 12), 13, 16, 18, 19]))
        name = data.draw(st.sampled_from(["", "s", f"n{number}"]))
        if kind in (btfwriter.STRUCT, btfwriter.UNION):
            members = data.draw(st.lists(st.tuples(st.sampled_from(["", "x", "y"]), ids, st.sampled_from([0, 8, 64, 3 << 24])), max_size=4))
            made.struct(name, data.draw(st.integers(0, 64)), members, kind=kind, kflag=data.draw(st.integers(0, 1)))
        elif kind == btfwriter.ARRAY:
            made.array(data.draw(ids), data.draw(st.integers(0, 3)))
        elif kind == btfwriter.INT:
            made.int(name, 4)
        else:
            made.add(kind, name, data.draw(ids))
    one_input(made.bytes())


def test_damage_to_elf_files_is_survived() -> None:
    """Prefixes and changed bytes of the files around a section: facts or errors of ours."""
    raw = every_kind().bytes()
    for whole in (
        btfwriter.elf({".BTF": raw}),
        btfwriter.elf({".BTF": raw}, wide=False, order=">"),
        btfwriter.elf({".BTF": raw}, extended=True),
    ):
        for length in range(0, len(whole), 3):
            with pytest.raises(DecodeError):
                Btf.open(whole[:length])
        chance = random.Random(3)
        outside = [at for at in range(len(whole)) if at < 64 or at > len(whole) - 280]
        for at in outside:
            damaged = bytearray(whole)
            damaged[at] = chance.choice([0, 0xFF, damaged[at] ^ 1, damaged[at] ^ 0x80])
            one_input(bytes(damaged))
