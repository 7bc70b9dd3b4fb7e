# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Links: 64-bit values that lead somewhere else, and what stands there.

A physical pointer always says what it points at (:class:`Target`), and 0 always means "nothing". Chains, vmalloc lists and
radix trees are targets too: how to walk them is the kernel's convention, what their entries are is the schema's word.
"""

from __future__ import annotations

from typing import Any

from devstate.errors import SchemaError
from devstate.schema.aggregates import Struct
from devstate.schema.base import Type, checked_type
from devstate.schema.expression import Size, checked_size, sibling
from devstate.schema.scalars import U64, Wrapped


class Target:
    """What stands at a physical address. ``kind`` is one of the words below; ``element`` the type of one entry."""

    kind = ""

    def __init__(self, element: Type | None = None, *, count: Any = None, size: Size | None = None) -> None:
        self.element = element
        self.counted_by = count
        self.size = size

    def check(self, path: str) -> None:
        """Refuse, with the field's path, a wrong element, a count that is no ``this.NAME`` and a size that is no number."""
        if self.element is not None:
            checked_type(f"{path}->", self.element).check(f"{path}->")
        if self.counted_by is not None and not isinstance(self.counted_by, str):
            sibling(self.counted_by, path)
        if self.size is not None:
            checked_size(self.size, path)

    @property
    def count(self) -> str | None:
        """The sibling that counts the entries (for a handle: that names the format; for a token: the other file's handler)."""
        return self.counted_by if self.counted_by is None or isinstance(self.counted_by, str) else sibling(self.counted_by, self.kind)


class One(Target):
    """One struct."""

    kind = "one"


class Contiguous(Target):
    """An array of ``size`` bytes: entries as many as the field ``count`` beside the pointer says."""

    kind = "contiguous"

    def __init__(self, element: Type, count: Any, size: Size | None = None) -> None:
        super().__init__(element, count=count, size=size)


class Counted(Target):
    """An area of ``size`` bytes that starts with a header struct whose flexible array is counted by the header itself."""

    kind = "counted"

    def __init__(self, element: Type, size: Size) -> None:
        super().__init__(element, size=size)


class BlockChain(Target):
    """kho_block: a chain of pages {next u64, count u64, entries}; ``count=this.X`` when a sibling holds the total.

    Source: include/linux/kho/abi/block.h (7.2). At most 10000 blocks, count 1..capacity in each, no cycle.
    """

    kind = "blocks"

    def __init__(self, element: Type, count: Any = None) -> None:
        super().__init__(element, count=count)


class PageChain(Target):
    """A chain of one-page arrays {next u64, nr_objects u64, objects}: the posted IOMMU series' form of the same idea."""

    kind = "pages"


class Chunks(Target):
    """kho-v1's preserved memory map: a chain of one-page chunks of bitmaps; ``size`` is the bytes of one bitmap object."""

    kind = "chunks"

    def __init__(self, element: Type, size: Size) -> None:
        super().__init__(element, size=size)


class Radix(Target):
    """KHO's radix tree of preserved pages (v2 on): inner pages of physical addresses, leaf pages of bits.

    ``depth`` is the number of levels, ``None`` for the formula of d64b0372760e; the older one gave one level less on 16K pages.
    """

    kind = "radix"

    def __init__(self, *, short: bool = False) -> None:
        super().__init__()
        self.short = short


class Tree(Target):
    """kho_xarray (posted): inner pages of pointers, leaf pages of u64 values. A key has ``key_width`` bits, log2(PAGE_SIZE / 8) a level."""

    kind = "tree"

    def __init__(self, *, key_width: int) -> None:
        super().__init__()
        self.key_width = key_width

    def check(self, path: str) -> None:
        if not isinstance(self.key_width, int) or not 0 < self.key_width <= 64:
            raise SchemaError(f"a key has 1..64 bits, not {self.key_width!r}", path=path)


class Opaque(Target):
    """Memory that this format does not describe: guest pages, hardware tables."""

    kind = "opaque"


class Kernel(Target):
    """A virtual address of the kernel that wrote it: never valid across the jump, always worth a finding."""

    kind = "kernel"


class _Named(Target):
    """A target found by name: the kind and the name are given by the type that uses it."""

    def __init__(self, kind: str, by: Any) -> None:
        self.kind = kind
        super().__init__(count=by)


class Link(Wrapped):
    """A 64-bit value that leads to a :class:`Target`."""

    default_hint = "pa"

    def __init__(self, target: Target) -> None:
        super().__init__(U64)
        self.target = target

    def check(self, path: str) -> None:
        if not isinstance(self.target, Target):
            raise SchemaError("a pointer says what it points at", path=path)
        self.target.check(path)


class Phys(Link):
    """A nullable physical address: of a struct (``Phys(memfd_luo_ser)``) or of any other target (``Phys(BlockChain(...))``)."""

    def __init__(self, target: Target | Type) -> None:
        super().__init__(One(target) if isinstance(target, Type) else target)


class KernelPointer(Link):
    """A raw kernel pointer inside a record."""

    default_hint = "hex"

    def __init__(self) -> None:
        super().__init__(Kernel())


class Handle(Link):
    """An opaque u64 whose meaning is chosen by the string in a sibling: ``Handle(by=this.compatible)``.

    The schema whose compatible is that string says what stands at the address. ``by="$name"`` takes the name of the
    devicetree node instead.
    """

    def __init__(self, by: Any) -> None:
        super().__init__(_Named("handle", by))


class Token(Link):
    """The token of another preserved file in the same session, whose handler string is ``of``."""

    default_hint = "dec"

    def __init__(self, of: str) -> None:
        super().__init__(_Named("token", of))


class VmallocArray(Type):
    """An embedded ``struct kho_vmalloc`` (16 bytes) whose pages make one array of ``count`` entries.

    Source: include/linux/kho/abi/kexec_handover.h (6.18). ``first`` leads to a chain of one-page lists of page addresses.
    """

    def __init__(self, element: Type, count: Any, descriptor: Struct) -> None:
        super().__init__()
        self.element = element
        self.counted_by = count
        self.descriptor = descriptor

    def check(self, path: str) -> None:
        checked_type(f"{path}->", self.element).check(f"{path}->")
        sibling(self.counted_by, path)

    @property
    def count(self) -> str:
        """The name of the sibling that counts the entries."""
        return sibling(self.counted_by, "VmallocArray")

    def align(self) -> int:
        return self.descriptor.align()

    def size_in(self, page_size: int) -> int | None:
        return self.descriptor.size_in(page_size)

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        return self.descriptor._parse(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return self.descriptor._build(obj, stream, context, path)
