# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is read out of the text of headers and documentation: macros, structs, comments, mentions; and that no text takes long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import HeaderError, UsageError
from devstate.source.claims import claims_of, mentions_of, read_claims, read_texts, structs_named_in

TEXT = """\
/* Header of "a" thing: http://example.org/x */
/**
 * DOC: how it is versioned
 * This is a contract. Who changes &struct alpha_ser must increment the
 * number in `ALPHA_COMPATIBLE`.
 *     / { compatible = "alpha-v1"; };
 */
#define ALPHA_COMPATIBLE "alpha-v2"   // the version
#  define BETA_VERSION 3
#define GAMMA_COMPATIBLE(i) "gamma-v" #i
#define ALPHA_SIZE 12
/* #define DEAD_COMPATIBLE "dead-v1" */

/**
 * struct alpha_ser - the first
 * @one: a number
 * @gone: a member
 *        that left
 *
 * If this structure is modified, %OMEGA_COMPATIBLE must be updated.
 */
struct alpha_ser {
	u64 one;		/* struct dead { int x; } */
	struct beta_ser two, *three;
	unsigned int  four : 3;
	char name[ALPHA_SIZE][2] __aligned(8);
	union {
		u64 phys;
		const void *virt;
	} five;
	DECLARE_FLEX_ARRAY(struct item, items);
	int (*call)(long);
} __packed;

struct beta_ser { u8 a; };
static const char *text = "struct not_ser { u8 a; };";
"""

FOUND = claims_of(TEXT, "a.h")


def test_macros() -> None:
    """Versions and their lines: strings, numbers, with an argument; not what is in a comment, nor other macros."""
    assert [("ALPHA_COMPATIBLE", "alpha-v2", 8), ("BETA_VERSION", "3", 9), ("GAMMA_COMPATIBLE", None, 10)] == [
        (each.name, each.value, each.place.line) for each in FOUND.macros
    ]


def test_claims() -> None:
    """Of the struct below, of a struct that is named in an introduction, and of the whole file; at the line of the sentence's end."""
    assert [("alpha_ser", "ALPHA_COMPATIBLE", 5), ("", "ALPHA_COMPATIBLE", 5), ("alpha_ser", "OMEGA_COMPATIBLE", 20)] == [
        (each.struct, each.version, each.place.line) for each in FOUND.claims
    ]


def test_structs() -> None:
    """Members as they are spelled, at their lines, those of inner unions as well; what kernel-doc explains."""
    alpha, beta = FOUND.structs[:2]
    assert ("alpha_ser", 22, "beta_ser", 35) == (alpha.name, alpha.place.line, beta.name, beta.place.line)
    assert [
        ("one", "u64", 23), ("two", "struct beta_ser", 24), ("four", "unsigned int", 25), ("name", "char", 26), ("phys", "u64", 28),
        ("virt", "const void*", 29), ("item", "DECLARE_FLEX_ARRAY()", 31), ("items", "DECLARE_FLEX_ARRAY()", 31),
        ("call", "void (*)()", 32),
    ] == [(each.name, each.type, each.place.line) for each in alpha.members]  # fmt: skip
    assert [("one", 16), ("gone", 17)] == [(name, place.line) for name, place in alpha.documented]
    assert ("beta_ser", True, False) == (alpha.members[1].struct, alpha.members[1].embeds, alpha.members[0].embeds)


def test_mentions() -> None:
    """Versions in quotes or behind compatible; not what only looks alike."""
    assert [("alpha-v1", 6), ("dead-v1", 12)] == [(each.text, each.place.line) for each in FOUND.mentions]
    text = 'compatible: kho-v3\n``luo-v5`` is\n"kvm_vm_luo_v1"\nkho-v9 in prose\n"kho-version"\n"x-v2-rc1"\n`kho-v4;` "kho-v4;radix-v1"'
    assert [("kho-v3", 1), ("luo-v5", 2), ("kvm_vm_luo_v1", 3), ("kho-v4", 7), ("kho-v4", 7)] == [
        (each.text, each.place.line) for each in mentions_of(text, "x")
    ]


def test_structs_that_texts_name() -> None:
    """Serialised ones only."""
    text = "see &struct a_ser, `struct b_ser`\nstruct page and a_ser, struct  c_serial, xstruct d_ser"
    assert [("a_ser", 1), ("b_ser", 1)] == [(each.text, each.place.line) for each in structs_named_in(text, "x")]
    assert ["alpha_ser", "alpha_ser"] == [each.text for each in FOUND.named]


def test_files(tmp_path: Path) -> None:
    """A file knows the macros of those beside it; a directory is all of its headers; documentation is of three kinds."""
    (tmp_path / "a.h").write_text("/** If it is modified, B_COMPATIBLE must be updated. */\nstruct a { u8 x; };\n")
    (tmp_path / "b.h").write_text('#define B_COMPATIBLE "b-v1"\nstruct b { u8 x; };\n')
    alone, both = read_claims(str(tmp_path / "a.h")), read_claims(str(tmp_path))
    assert (["a"], "b-v1") == ([each.name for each in alone.structs], getattr(alone.macro("B_COMPATIBLE"), "value", None))
    assert ["a", "b"] == [each.name for each in both.structs]
    (tmp_path / "x.rst").write_text('"b-v2"')
    (tmp_path / "x.c").write_text('"b-v3"')
    (mentions, named) = read_texts(str(tmp_path))
    assert (["b-v2"], []) == ([each.text for each in mentions], [each.text for each in named])
    with pytest.raises(UsageError):
        read_claims(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="no documentation"):
        read_texts(str(tmp_path / "none"))
    (tmp_path / "nul.h").write_bytes(b"\0")
    with pytest.raises(HeaderError):
        read_claims(str(tmp_path / "nul.h"))


SIZE = 40_000
SLOW = [
    "/*", "/**/", "/* x */ ", "struct a {", "#define A((", "#define A_VERSION (\n", "a_", '"a_', "A", "/** @a:\n", "\n@a:", "[ ", "* ",
    "( ", "int a;", '"\\', "struct ", "/*\n", "`", "compatible ", "update A_VERSION. ", "&struct a ",
]  # fmt: skip


@pytest.mark.parametrize("piece", SLOW, ids=range(len(SLOW)))
@pytest.mark.parametrize("head", ["", "/**", "struct s {", '/* DOC: "'])
def test_no_text_takes_long(piece: str, head: str) -> None:
    """40 KB of anything are read in a second at most: time follows the size."""
    text = head + piece * (SIZE // len(piece))
    begin = time.process_time()
    claims_of(text, "x")
    assert 1.0 > time.process_time() - begin


PIECES = ["/*", "*/", "//", "\n", '"', "struct s {", "}", ";", "u8 a", "#define A_VERSION 1", "(", ")", "*", "@a:", " ", "'", "\\"]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_text(pieces: list[str]) -> None:
    """Whatever stands there is read without an error, and every place is a line of it."""
    text = "".join(pieces)
    found = claims_of(text, "x")
    lines = [each.place.line for each in (*found.macros, *found.structs, *found.claims, *found.mentions)]
    assert all(line is not None and 1 <= line <= text.count("\n") + 1 for line in lines)
