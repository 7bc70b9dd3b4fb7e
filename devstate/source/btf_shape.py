# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From BTF types to what C says: the type of a member, and the flattened shape of a struct.

Everything is iterative and bounded: a chain of modifiers, pointers and arrays by ``MAX_CHAIN``, structs inside structs by
``MAX_NESTING``, the members of one shape by ``MAX_MEMBERS``. Types that lead back to themselves run into these limits.
"""

from __future__ import annotations

from devstate.source.btf_section import (
    ARRAY,
    CONST,
    ENUM,
    ENUM64,
    FLOAT,
    FUNC_PROTO,
    FWD,
    INT,
    PTR,
    RESTRICT,
    STRUCT,
    TYPE_TAG,
    TYPEDEF,
    UNION,
    VOLATILE,
)
from devstate.source.shape import CType, Member, StructShape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.source.btf import Btf

MAX_CHAIN = 32
"""Typedefs, qualifiers, pointers and arrays in a row; the kernel resolves as many (MAX_RESOLVE_DEPTH)."""

MAX_NESTING = 32
"""Structs inside structs, by value; the kernel resolves as many."""

MAX_MEMBERS = 1 << 16
"""Members of one shape, all levels together: the largest of a kernel has some thousands."""

MAX_PATH = 1023
"""Characters in a member's path: above what C code is written with; bounds the memory that MAX_MEMBERS paths take."""

MAX_SIZE = (1 << 32) - 1
"""Bytes of a type: BTF and the kernel hold sizes in 32 bits."""

_QUALIFIER = {CONST: "const ", VOLATILE: "volatile ", RESTRICT: "restrict "}
_REFERS = frozenset({PTR, TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG, FUNC_PROTO})
_SIZED = {PTR: "pointer", INT: "int", FLOAT: "float", ENUM: "enum", ENUM64: "enum", STRUCT: "struct", UNION: "union"}
_KEYWORD = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum"}


def shape(btf: Btf, type_id: int) -> StructShape:
    """The struct or union with this id, flattened."""
    return StructShape(btf.name(type_id), _KEYWORD[btf.kind(type_id)], btf.word(type_id, 2), tuple(_flatten(btf, type_id)))


def ctype(btf: Btf, type_id: int) -> CType:
    """The type behind an id. BtfError when it has no size (void, a forward declaration, a function), LimitError for endless chains."""
    return _resolve(btf, type_id)[0]


def last(btf: Btf, type_id: int) -> int:
    """The id of what a chain of typedefs and arrays ends at."""
    return _resolve(btf, type_id)[1]


def _flatten(btf: Btf, outermost: int) -> list[Member]:
    """Walk structs inside structs with a stack of iterators, outer members first."""
    members: list[Member] = []
    seen: dict[int, tuple[CType, int]] = {}
    stack = [(_members(btf, outermost, seen), "", 0)]
    left = MAX_MEMBERS
    while stack:
        level, prefix, base = stack[-1]
        for member, inner in level:
            left -= 1
            path, offset = prefix + member.path, base + member.bit_offset
            if left < 0 or len(path) > MAX_PATH:
                raise btf.limit("a struct is too large", outermost, f"at most {MAX_MEMBERS} members with paths of {MAX_PATH} characters")
            if member.path:  # what has no name is padding, or a struct whose members belong to the one around it
                members.append(Member(path, member.type, offset, member.bit_size, member.bitfield))
                path += "[]." if member.type.dims else "."
            if inner:
                if len(stack) == MAX_NESTING:
                    raise btf.limit("structs are nested too deeply", outermost, f"at most {MAX_NESTING} levels")
                stack.append((_members(btf, inner, seen), path, offset))
                break
        else:
            stack.pop()
    return members


def _members(btf: Btf, owner: int, seen: dict[int, tuple[CType, int]]) -> Iterator[tuple[Member, int]]:
    """The members of one struct, paths and offsets from its own start, each with the id of the struct that it is (0: none)."""
    packs_width, end = btf.word(owner, 1) >> 31, 8 * btf.word(owner, 2)
    for name, type_id, place in btf.elements(owner, 3):
        if type_id not in seen:
            seen[type_id] = _resolve(btf, type_id)
        kind, last = seen[type_id]
        width, at = (place >> 24, place & 0xFFFFFF) if packs_width else (0, place)
        if kind.kind == "int" and not (width or kind.dims):  # before kflag, an int type of its own said where the bits are
            encoding = btf.word(last, 3)
            if encoding & 0xFF != 8 * kind.size:
                width, at = encoding & 0xFF, at + (encoding >> 16 & 0xFF)
        path = btf.text(name, owner)
        bits = width or 8 * kind.size
        if bits > 8 * kind.size or (width and kind.kind not in ("int", "enum")) or (at % 8 and not width):
            wanted = f"whole bytes or up to {8 * kind.size} bits of an int or enum"
            raise btf.error(f"member {path!r} does not fit its type", owner, expected=wanted, found=f"{kind.text}, {bits} bits at bit {at}")
        if at + bits > end:
            raise btf.error(f"member {path!r} ends behind its struct", owner, expected=f"at or below bit {end}", found=f"bit {at + bits}")
        yield Member(path, kind, at, bits, bool(width)), last if kind.kind in ("struct", "union") else 0


def _resolve(btf: Btf, type_id: int) -> tuple[CType, int]:
    """The type, and the id of what its chain ends at: the first pointer, int, struct..."""
    dims: list[int] = []
    for end in _chain(btf, type_id):
        kind = btf.kind(end)
        if kind == ARRAY:
            dims.append(btf.word(end, 5))
        elif kind in _SIZED or kind == FUNC_PROTO:
            break
    if kind not in _SIZED:
        raise btf.error("a type has no size", end, expected="an int, float, pointer, enum, struct or union", found=f"kind {kind}")
    size = btf.pointer_size if kind == PTR else btf.word(end, 2)
    for dim in dims:
        size *= dim
        if size > MAX_SIZE:
            raise btf.error("a type is too large", type_id, expected=f"at most {MAX_SIZE} bytes", found=f"{size:#x}")
    signed = btf.word(end, 3) >> 24 & 1 if kind == INT else btf.word(end, 1) >> 31 if kind in (ENUM, ENUM64) else 0
    return CType(_text(btf, type_id), _SIZED[kind], "" if kind == PTR else btf.name(end), size, tuple(dims), bool(signed)), end


def _chain(btf: Btf, type_id: int) -> Iterator[int]:
    """The ids from a type to the end of what it refers to, itself first."""
    for _ in range(MAX_CHAIN):
        yield type_id
        kind = btf.kind(type_id)
        if kind != ARRAY and kind not in _REFERS:
            return
        type_id = btf.word(type_id, 3 if kind == ARRAY else 2)
    raise btf.limit("a type refers to others without an end", type_id, f"at most {MAX_CHAIN} steps")


def _text(btf: Btf, type_id: int) -> str:
    """How C writes the type alone: ``const char *``, ``u64[511]``, ``int (*)(...)``. Type tags (``__user``) are left out."""
    front = around = ""
    for each in _chain(btf, type_id):
        kind = btf.kind(each)
        if kind == PTR:
            around, front = f"*{front}{around}" if around else f"*{front}".rstrip(), ""
        elif kind in (ARRAY, FUNC_PROTO):
            around = f"({around})" if around.startswith("*") else around
            around += f"[{btf.word(each, 5)}]" if kind == ARRAY else "(...)"
        elif kind in _QUALIFIER:
            front += _QUALIFIER[kind]
        elif kind != TYPE_TAG:
            break
    name = btf.name(each) if kind else "void"
    keyword = ("union" if btf.word(each, 1) >> 31 else "struct") if kind == FWD else _KEYWORD.get(kind, "")
    space = " " if around[:1] in ("*", "(") else ""
    return front + f"{keyword} {name}".strip() + space + around
