# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Random declarations of C structs, for compilers to lay out."""

from __future__ import annotations

from hypothesis import strategies as st

INTS = ("unsigned char", "signed char", "short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "unsigned long long")
BITS = {"unsigned char": 8, "unsigned short": 16, "unsigned int": 32, "int": 32, "unsigned long long": 64}
PLAIN = (*INTS, "char", "_Bool", "float", "double", "void *", "enum kind")


@st.composite
def plain_member(draw: st.DrawFn, name: str) -> str:
    """A member of a type that has no members: alone, as an array, as a bit-field, or padding without a name."""
    match draw(st.integers(0, 5)):
        case 0:
            base = draw(st.sampled_from(sorted(BITS)))
            return f"{base} {name} : {draw(st.integers(1, BITS[base]))};"
        case 1:
            base = draw(st.sampled_from(sorted(BITS)))
            return f"{base} : {draw(st.integers(0, BITS[base]))};"
        case 2:
            dims = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
            return f"{draw(st.sampled_from(PLAIN))} {name}{''.join(f'[{dim}]' for dim in dims)};"
        case _:
            return f"{draw(st.sampled_from(PLAIN))} {name};"


@st.composite
def members(draw: st.DrawFn, prefix: str, depth: int) -> str:
    """Some members; structs and unions inside them, with and without a name or a tag."""
    made = []
    for number in range(draw(st.integers(1, 5))):
        name = f"{prefix}{number}"
        if depth and draw(st.integers(0, 3)) == 0:
            keyword = draw(st.sampled_from(("struct", "union")))
            tag = draw(st.sampled_from(("", f" t{name}")))
            inner = draw(members(f"{name}_", depth - 1))
            packed = draw(st.sampled_from(("", " __attribute__((packed))")))
            shown = name if tag else draw(st.sampled_from((name, "", f"{name}[2]")))
            made.append(f"{keyword}{tag} {{ {inner} }}{packed} {shown};")
        else:
            made.append(draw(plain_member(name)))
    return " ".join(made)


@st.composite
def declaration(draw: st.DrawFn) -> str:
    """``struct it`` and a variable of it, so that a compiler describes it."""
    inner = draw(members("m", 2))
    tail = draw(st.sampled_from(("", "unsigned long tail[];", "")))
    attribute = draw(st.sampled_from(("", " __attribute__((packed))", " __attribute__((aligned(16)))")))
    return f"enum kind {{ ZERO, ONE, MANY = 1000 }};\nstruct it {{ int first; {inner} {tail} }}{attribute};\nstruct it it;\n"
