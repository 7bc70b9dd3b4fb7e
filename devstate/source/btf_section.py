# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The bytes of a ``.BTF`` section: header, type words and their index, strings.

All in the order of the machine that the kernel was built for (facts: include/uapi/linux/btf.h, Documentation/bpf/btf.rst)::

    header   magic eb9f u16@0   version 1 u8@2   flags 0 u8@3   hdr_len u32@4   type_off @8   type_len @12   str_off @16   str_len @20
             since 2026: layout_off @24   layout_len @28      all offsets count from the end of the header
    type     name_off u32@0    info u32@4 = kflag:1 kind:7 vlen:24    size or type id u32@8    then what the kind and vlen say
    strings  NUL-terminated, the first one empty
    layout   a kind: info_sz u8@0   elem_sz u8@1   flags u16@2     tells how long kinds are that a reader does not know

Until 2026 vlen had 16 bits and kind 5, the rest being zero: such a section reads the same.
"""

from __future__ import annotations

import sys
from array import array
from struct import Struct

from devstate.errors import BtfError, LimitError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SECTION = 64 << 20
"""Four times what the kernel accepts itself (BTF_MAX_SIZE): a distribution's vmlinux has 5 to 8 MiB."""

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)

KINDS = 128
"""How many kinds the 7 bits can tell apart."""

HEADER = 24
_MAGIC = 0xEB9F
_WORDS = {
    INT: (4, 0), PTR: (3, 0), ARRAY: (6, 0), STRUCT: (3, 3), UNION: (3, 3), ENUM: (3, 2), FWD: (3, 0), TYPEDEF: (3, 0), VOLATILE: (3, 0),
    CONST: (3, 0), RESTRICT: (3, 0), FUNC: (3, 0), FUNC_PROTO: (3, 2), VAR: (4, 0), DATASEC: (3, 3), FLOAT: (3, 0), DECL_TAG: (4, 0),
    TYPE_TAG: (3, 0), ENUM64: (3, 3),
}  # fmt: skip
"""Kind -> 32-bit words of the type itself, and of each of its vlen elements."""

_KFLAG = frozenset({STRUCT, UNION, ENUM, FWD, DECL_TAG, TYPE_TAG, ENUM64})
_VLEN = frozenset({STRUCT, UNION, ENUM, FUNC, FUNC_PROTO, DATASEC, ENUM64})


@frozen
class BtfSection:
    """The parts of a section. ``words`` are the types in native order, ``starts[id]`` the word that type ``id`` begins at
    (``starts[0]`` stands for void), ``types_at`` the byte offset of the first type in the section."""

    words: array[int]
    starts: array[int]
    strings: bytes
    types_at: int


def split(data: memoryview, *, is_split: bool = False) -> BtfSection:
    """Take a section apart and walk its types once. BtfError where it is malformed, LimitError when it is too large.

    The strings of a module (``is_split``) go on from those of the kernel, and need not begin with a NUL.
    """
    if len(data) > MAX_SECTION:
        raise LimitError("a BTF section is too large", expected=f"at most {MAX_SECTION} bytes", found=len(data))
    if len(data) < HEADER:
        raise BtfError("the BTF header is cut short", offset=0, expected=f"{HEADER} bytes", found=len(data))
    order = "<" if bytes(data[:2]) == b"\x9f\xeb" else ">"
    magic, version, flags, length, *places = Struct(order + "HBBI4I").unpack_from(data)
    if (magic, version, flags) != (_MAGIC, 1, 0):
        found = f"magic {magic:#x}, version {version}, flags {flags}"
        raise BtfError("this is no BTF", offset=0, expected=f"magic {_MAGIC:#x}, version 1, flags 0", found=found)
    if length < HEADER or length > len(data):
        raise BtfError("the length of the BTF header is wrong", offset=4, expected=f"{HEADER}..{len(data)}", found=length)
    places += Struct(order + "2I").unpack_from(data, HEADER) if length >= HEADER + 8 else (0, 0)
    types = _part(data, length, "types", places[0], places[1])
    strings = bytes(_part(data, length, "strings", places[2], places[3]))
    if (not strings and not is_split) or (strings and ((strings[0] and not is_split) or strings[-1])):
        found = f"{strings[0]} and {strings[-1]}" if strings else "no strings"
        raise BtfError("strings must begin and end with a NUL", offset=length + places[2], expected="0 and 0", found=found)
    if places[0] % 4 or places[1] % 4:
        found = f"offset {places[0]:#x}, {places[1]:#x} bytes"
        raise BtfError("types are not made of 32-bit words", offset=8, expected="multiples of 4", found=found)
    words = array("I", bytes(types))
    if order != "<>"[sys.byteorder == "big"]:
        words.byteswap()
    widths = _widths(_part(data, length, "layout", places[4], places[5]))
    return BtfSection(words, _index(words, widths, length + places[0]), strings, length + places[0])


def _part(data: memoryview, base: int, what: str, offset: int, size: int) -> memoryview:
    start, end = base + offset, base + offset + size
    if end > len(data):
        raise BtfError(f"{what} are outside the section", offset=start, expected=f"an end at or below {len(data):#x}", found=f"{end:#x}")
    return data[start:end]


def _widths(layout: memoryview) -> tuple[list[int], list[int], list[int]]:
    """For each of the possible kinds: words of the type (0: unknown), words of an element, info bits that must be zero.

    Kinds that this reader knows are what it knows; the layout section adds those that it does not.
    """
    fixed, element, zero = [0] * KINDS, [0] * KINDS, [0] * KINDS
    for kind in range(min(len(layout) // 4, KINDS)):
        extra, each = layout[4 * kind], layout[4 * kind + 1]
        if kind and not (extra % 4 or each % 4):
            fixed[kind], element[kind] = 3 + extra // 4, each // 4
    for kind, (fixed[kind], element[kind]) in _WORDS.items():
        zero[kind] = (0 if kind in _KFLAG else 1 << 31) | (0 if kind in _VLEN else 0xFFFFFF)
    return fixed, element, zero


def _index(words: array[int], widths: tuple[list[int], list[int], list[int]], base: int) -> array[int]:
    """Where each type begins. The loop runs once a type over untrusted words: all that is looked up is bounded by the word count."""
    fixed, element, zero = widths
    starts = array("I", [0])
    append: Callable[[int], None] = starts.append
    at, end = 0, len(words)
    while at + 3 <= end:
        info = words[at + 1]
        kind = info >> 24 & 0x7F
        if not fixed[kind] or info & zero[kind]:
            wanted, found = "a kind of 1..19 with only its own bits", f"info {info:#x}"
            raise BtfError("a type is malformed", offset=base + 4 * at, path=f"type {len(starts)}", expected=wanted, found=found)
        append(at)
        at += fixed[kind] + element[kind] * (info & 0xFFFFFF)
    if at != end:
        start, need = (starts[-1], at - starts[-1]) if at > end else (at, 3)
        wanted, found = f"{4 * need} bytes", f"{4 * (end - start)} bytes left"
        raise BtfError("the last type is cut short", offset=base + 4 * start, expected=wanted, found=found)
    return starts
