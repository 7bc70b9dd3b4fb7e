# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a C compiler says about a struct: plain frozen facts, the same whatever source they were read from.

Offsets count from the start of the outermost struct. A member is listed in the order of declaration, a nested struct or union
with a name directly before its own members::

    struct memfd_luo_ser {          pos            bit   0  u64
        u64 pos;                    size           bit  64  u64
        u64 size;                   folios         bit 128  struct kho_vmalloc
        struct kho_vmalloc folios;  folios.first   bit 128  union, folios.first.phys, folios.first.ptr ...
    };

Members of an unnamed struct or union are members of the struct around it, as in C. Below an array of structs stands its first
element, as ``table[].field``.
"""

from __future__ import annotations

from devstate.frozen import frozen


@frozen
class CType:
    """The type of a member, qualifiers and typedefs resolved.

    ``text`` is how C writes it (``const char *``, ``u64[511]``, ``union`` for one without a name); ``kind`` one of int, float, enum,
    pointer, struct, union; ``base`` the name below all typedefs and arrays (``long long unsigned int``, ``kho_vmalloc``), empty for
    pointers and what has no name; ``size`` the bytes of the whole (0 for a flexible array); ``dims`` the array dimensions, outermost
    first; ``signed`` whether an int or enum is.
    """

    text: str
    kind: str
    base: str
    size: int
    dims: tuple[int, ...] = ()
    signed: bool = False

    @property
    def count(self) -> int:
        """Elements in all dimensions: 1 when it is no array, 0 for a flexible one."""
        count = 1
        for dim in self.dims:
            count *= dim
        return count


@frozen
class Member:
    """One member: ``path`` as C would name it, ``bit_offset`` and ``bit_size`` counted from the start of the outermost struct.

    ``bitfield`` tells a bit-field from a whole member; ``bit_size`` of a whole member is eight times its type's size. On big-endian
    machines a bit-field's offset counts from the most significant bit, as BTF has it.
    """

    path: str
    type: CType
    bit_offset: int
    bit_size: int
    bitfield: bool = False

    @property
    def offset(self) -> int:
        """The byte that the member starts in."""
        return self.bit_offset // 8


@frozen
class StructShape:
    """A struct or union: ``keyword`` says which, ``size`` its bytes, ``members`` all members, flattened (see the module)."""

    name: str
    keyword: str
    size: int
    members: tuple[Member, ...]

    def member(self, path: str) -> Member | None:
        """The first member with this path, or None."""
        return next((member for member in self.members if member.path == path), None)
