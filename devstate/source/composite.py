# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Structs and unions as a compiler knows them, whoever tells: BTF, DWARF or a header. The step before a layout.

::

    struct foo {                       Composite(name="foo", keyword="struct", size=24, members=
        u32 a : 4;                         Member("a", bit_offset=0,   width=4, type=ValueType("int", 4))
        union { u64 b; u32 c; };           Member("",  bit_offset=64,  type=ValueType("union", 8, inner=<key>))
        struct bar *d;                     Member("d", bit_offset=128, type=ValueType("pointer", 8)))
    };

``inner`` is a key by which the source gives the composite inside; what a pointer leads to is not followed.
"""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Protocol

    class CompositeSource(Protocol):
        """Who knows composites by their key."""

        def composite(self, key: Hashable) -> Composite:
            """The composite; DecodeError when it makes no sense."""


@frozen
class ValueType:
    """The type of a member: ``kind`` is int, float, pointer, enum, struct or union; ``size`` the bytes of one element.

    ``dims`` are the array dimensions, outermost first, None for an open one; ``text`` tells char from a small integer; ``names`` are
    enumerators; ``order`` is that of a type which has one (``__be32``); ``inner`` the key of the struct or union.
    """

    kind: str
    size: int
    signed: bool = False
    order: str = "native"
    dims: tuple[int | None, ...] = ()
    text: bool = False
    names: tuple[tuple[str, int], ...] = ()
    inner: Hashable = None


@frozen
class Member:
    """One member. ``bit_offset`` counts from the start of its composite, in big-endian machines from the most significant bit of the
    first byte, as all debug formats do; ``width`` is the bits of a bit-field. An empty ``name`` is C's unnamed member.
    """

    name: str
    bit_offset: int
    type: ValueType
    width: int | None = None
    doc: str = ""
    counted_by: str | None = None
    line: int | None = None


@frozen
class Composite:
    """A struct or union (``keyword``). ``packed`` and ``align`` are None where the source does not say, and so are ``file``
    and ``line``, where it is declared."""

    name: str
    keyword: str
    size: int
    members: tuple[Member, ...]
    align: int | None = None
    packed: bool | None = None
    doc: str = ""
    file: str | None = None
    line: int | None = None
