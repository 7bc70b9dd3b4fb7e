# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Schemas that nobody would write: everything that is generated from them compiles and is proven, or a name is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.errors import UsageError
from devstate.gen.files import generate
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.schema import (
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    About,
    Array,
    Bits,
    Chars,
    Const,
    Contiguous,
    Enum,
    Flags,
    FlexArray,
    Int,
    MustBeZero,
    One,
    Phys,
    Raw,
    Reserved,
    Schema,
    Struct,
    Type,
    U16be,
    U16le,
    U32be,
    U64be,
    U64le,
    Union,
    this,
)
from devstate.testing.proof import prove_arrays, prove_records
from devstate.testing.prover import BIG_ENDIAN, GUARDED, Build, Prover, compile_c
from tests.gen.builds import missing

S64le, S16be = Int(8, signed=True, order="little"), Int(2, signed=True, order="big")
UGLY = "ends */ here /* and ??/ or ??= \\ back\\\nslash é 漢字 \u202e \"quote\" | %s 'x' // x /*/ **/"
WORDS = (
    "int", "struct", "default", "class", "this", "_Bool", "NULL", "PAGE_SIZE", "le16_to_cpu", "at", "count", "error", "it", "i", "n", "bad",
    "fault", "size", "data", "to", "pa", "errno", "noreturn", "__packed", "alignas", "static_assert", "EINVAL", "offsetof", "u8", "end",
)  # fmt: skip
LEAST, MOST = -(1 << 63), (1 << 63) - 1


def nested(depth: int, kind: Type) -> Type:
    """An array in an array, and so on; every other one has two elements."""
    for level in range(depth):
        kind = Array(1 + level % 2, kind)
    return kind


INNER = Struct("q", "int" / U8 * UGLY, "b" / U16, doc=UGLY)
TAGGED = Struct("tagged", "t" / U8, "v" / Union(tag=this.t, x=(2, MustBeZero(U16)), y=(3, Chars(4))))
ODD: dict[str, Struct] = {
    "words": Struct("words", *[word / U8 * UGLY for word in WORDS], "q" / INNER, doc="long " * 500 + "x" * 300),
    "case": Struct("root", "a" / Struct("Queue", "x" / U8), "b" / Struct("queue", "y" / U16)),
    "members": Struct("count", "size" / Struct("size", "name" / U8), "check" / Struct("name", "count" / U16)),
    "empty": Struct("root", "nothing" / Array(0, U8)),
    "area": Struct("root", "data" / FlexArray(U64)),
    "zeros": Struct("root", "a" / Raw(0), "b" / Chars(0), "c" / Reserved(3), "d" / Chars(1), "e" / Array(0, U64)),
    "deep": Struct("root", "a" / nested(12, MustBeZero(U8)), "b" / nested(9, Struct("g", "a" / U8, "b" / U32)), "c" / nested(10, Chars(3))),
    "enums": Struct(
        "root", "a" / Enum(U64, LOW=0, HIGH=(1 << 64) - 1, MID=1 << 63), "b" / Enum(S64, MIN=LEAST, MAX=MOST, NEG=-1),
        "c" / Enum(S8, A=-128, B=127), "d" / Enum(S64le, A=LEAST, B=-1), "e" / Enum(S16be, A=-32768, B=-1),
        "f" / Enum(S8, **{f"B{number}": number - 128 for number in range(255)}), "g" / Enum(U8, **{"a b": 0, "1x": 1, "ü": 2, "-": 3}),
    ),
    "ends": Struct(
        "root", "a" / S64 * About(minimum=LEAST + 1, maximum=5), "b" / U64 * About(minimum=1, maximum=(1 << 64) - 2),
        "c" / S32 * About(minimum=-5, maximum=-3), "d" / Const(S64, LEAST), "e" / Const(S8, -1), "f" / Const(U64, (1 << 64) - 1),
        "g" / Enum(U8, A=0, B=3, C=9) * About(minimum=1, maximum=8), "h" / Flags(U8, A=0, B=3) * About(minimum=1, maximum=8),
    ),
    "flags": Struct(
        "root", "a" / Flags(S64, TOP=63, LOW=0), "b" / Flags(S8, TOP=7), "c" / Flags(U64, A=63), "d" / Flags(S16be, TOP=15, A=3),
        "e" / Flags(S32, **{f"B{bit}": bit for bit in range(32)}), "f" / Array(3, Flags(U16be, A=0)) * About(maximum=1),
    ),
    "bits": Struct(
        "root", "a" / Bits(U8, 1), "b" / Bits(U8, 7, X=6), "c" / Bits(U64, 1, A=0), "d" / Bits(U64, 63, A=62),
        "e" / Bits(U32, 32, A=0, B=31), packed=True,
    ),
    "tags": Struct(
        "root", "t" / S64, "low" / Bits(U8, 3), "high" / Bits(U8, 5), "b" / U32be,
        "u" / Union(tag=this.t, a=(LEAST, MustBeZero(U8)), b=(MOST, Enum(U64be, A=5)), c=(None, U64le)),
        "v" / Union(tag=this.high, a=(1, MustBeZero(U8)), b=(31, Chars(2)), c=(40, Const(U16, 7))),
        "w" / Array(2, Array(2, Union(tag=this.b, a=(1, TAGGED), b=((1 << 32) - 1, Array(2, Array(2, Enum(U8, A=1))))))),
        "x" / Union(tag=this.last, a=(1, MustBeZero(U8)), b=(2, Enum(U8, A=5))), "last" / U8,
    ),
    "tails": Struct(
        "root", "h" / Array(3, U8),
        "f" / Struct("mid", "h" / U8, "f" / Struct("end", "n" / U16le, "data" / FlexArray(Array(3, Array(2, S16be)), this.n))), packed=True,
    ),
    "counted": Struct("root", "n" / S16 * About(minimum=2, maximum=3), "a" / U64, "b" / U8, "data" / FlexArray(TAGGED, this.n)),
    "links": Struct(
        "root", "n" / U32be, "a" / Phys(Contiguous(Struct("e", "x" / MustBeZero(U8)), this.n, 4096)),
        "b" / Array(3, Phys(One(Struct("one", "x" / MustBeZero(U8))))),
    ),
    "long": Struct("r" * 80, *[("f" * 70 + str(number)) / Flags(U32, **{"n" * 60: number}) for number in range(3)]),
}  # fmt: skip


def layouts(name: str, root: Struct, build: Build) -> list[Layout]:
    """The layouts of a schema around a struct, with a text in each place that takes one."""
    schema = Schema(name=f"odd-{name}", root=root, doc=UGLY, source=UGLY, owner=UGLY, freed=UGLY, status="project")
    return [lower(schema, Environment(size, build.byte_order)) for size in PAGE_SIZES]


@pytest.mark.parametrize("build", [GUARDED, BIG_ENDIAN], ids=["guarded", "big-endian"])
def test_odd_schemas_are_proven(tmp_path: Path, build: Build) -> None:
    """Docs that would end a comment, words of C as names, values at the ends of their types, arrays twelve deep, unions in unions."""
    if missing(build):
        pytest.skip(missing(build))
    formats = [layouts(name, root, build) for name, root in ODD.items()]
    made = Prover(tmp_path, formats, build=build)
    for layout, _, _ in formats:
        for struct in layout.structs:
            prove_records(made, layout, struct.name)
            prove_arrays(made, layout, struct.name)
    assert made.close() == 0
    if build is GUARDED:
        assert compile_c(tmp_path, "-fsyntax-only", "all.c", compiler=build.compiler) == ""


def test_a_page_about_anything() -> None:
    """A line break or a bar in a doc breaks no table."""
    _, page = generate("markdown", layouts("words", ODD["words"], GUARDED))
    rows = [line for line in page.split("\n") if line.startswith("| ")]
    assert {5} == {line.replace("\\|", "").count("|") for line in rows if line[2].isdigit()}


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (Struct("union", "x" / U8), "struct union: C has taken this name"),
        (Struct("root", "a" / Enum(U8, low=0, LOW=1)), "the macro ODD_BAD_ROOT_A_LOW would be 0 and 1"),
        (Struct("root", "a" / Flags(U8, KNOWN=0, X=1)), "the macro ODD_BAD_ROOT_A_KNOWN would be 1 and 3"),
        (
            Struct("root", "a" / Struct("a_b", "c" / Flags(U8, X=0)), "b" / Struct("a", "b_c" / Flags(U8, X=1))),
            "the macro ODD_BAD_A_B_C_X would be",
        ),
    ],
)
def test_what_c_cannot_spell(root: Struct, why: str) -> None:
    """The header is not written; the message has the name."""
    with pytest.raises(UsageError, match=why):
        generate("c-header", layouts("bad", root, GUARDED))


def test_a_field_without_a_value() -> None:
    """A constant outside of its own range: no record can be drawn."""
    root = Struct("root", "a" / Const(U8, 3) * About(minimum=4, maximum=8))
    with pytest.raises(UsageError, match="one of 3 has a range or bits that leave none"):
        generate("strategy", layouts("bad", root, GUARDED))


def test_a_struct_too_large_to_sweep(tmp_path: Path) -> None:
    """It is read and written; that its bits are not turned over is said."""
    formats = [layouts("large", Struct("root", "a" / Array(70000, U8)), GUARDED)]
    made = Prover(tmp_path, formats)
    with pytest.warns(UserWarning, match="odd-large root: 70000 bytes are too many to turn over every bit"):
        prove_records(made, formats[0][0], "root")
    assert made.close() == 0
