# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts in the words of C, for messages."""

from __future__ import annotations

from devstate.compat.leaves import innermost, is_float
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.compat.leaves import Leaf
    from devstate.layout.model import FieldLayout, TargetLayout, TypeLayout

NAMES_MAX = 4
"""Names that a message lists before it counts the rest."""


def type_text(kind: TypeLayout) -> str:
    """``u64``, ``char[48]``, ``struct kho_vmalloc``, ``le32[4]``, ``union`` with its size."""
    counts = ""
    while isinstance(kind, ArrayType):
        counts += f"[{'' if kind.count is None else kind.count}]"
        kind = kind.element
    if isinstance(kind, IntType):
        order = "" if kind.order == "native" else kind.order[0] + "e"
        return f"{order}{'s' if kind.signed else 'u'}{kind.size * 8}{counts}"
    if isinstance(kind, BytesType):
        return f"{'char' if kind.text else 'u8'}[{kind.size}]{counts}"
    if isinstance(kind, StructType):
        return f"struct {kind.struct}{counts}"
    return f"union of {kind.size} bytes{counts}"


def field_text(field: FieldLayout, at: int) -> str:
    """``u32 at 16``; ``52 bits at 0.12`` for a bit-field that starts at bit 12 of its unit."""
    if field.width is not None:
        return f"{field.width} bits at {at}.{field.shift}"
    pointer = field.target is not None and field.target.kind == "kernel"
    if is_float(field):
        return f"{'float' if field.size == 4 else 'double' if field.size == 8 else f'float of {field.size} bytes'} at {at}"
    return f"{'kernel pointer' if pointer else type_text(field.type)} at {at}"


def leaves_text(leaves: Iterable[Leaf | None]) -> str:
    """``seals u32 at 16, flags u32 at 20``: what is there of some leaves, each with its place."""
    there = [leaf for leaf in leaves if leaf is not None]
    shown = [f"{leaf.path} ({field_text(leaf.field, leaf.at)})" for leaf in there[:NAMES_MAX]]
    return ", ".join(shown) + (f" and {len(there) - NAMES_MAX} more" if len(there) > NAMES_MAX else "")


def names_text(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - NAMES_MAX} more" if len(known) > NAMES_MAX else ""
    return ", ".join(known[:NAMES_MAX]) + more


def target_text(target: TargetLayout | None) -> str:
    """What a link leads to."""
    if target is None:
        return "a number"
    element = "" if target.element is None else f" of {type_text(target.element)}"
    words = {
        "one": type_text(target.element) if target.element is not None else "one struct",
        "contiguous": f"an array{element}",
        "counted": f"an area with a counted array{element}",
        "blocks": f"a chain of blocks{element}",
        "pages": f"a chain of pages{element}",
        "chunks": "a chain of chunks with bitmaps",
        "radix": "a radix tree of pages",
        "tree": f"a tree of pages{element}",
        "vmalloc": f"a page list{element}",
        "handle": f"what {target.count} names",
        "token": "another file",
        "opaque": "memory that nothing describes",
        "kernel": "a kernel virtual address",
    }
    return words.get(target.kind, target.kind)


def is_text(kind: TypeLayout) -> bool:
    """Whether a type holds a string."""
    kind = innermost(kind)
    return isinstance(kind, BytesType) and kind.text


def union_of(kind: TypeLayout) -> UnionType | None:
    """The union that a type is, or is an array of."""
    kind = innermost(kind)
    return kind if isinstance(kind, UnionType) else None


def struct_in(kind: TypeLayout | None) -> str | None:
    """The struct that a type is, or is an array of."""
    inner = None if kind is None else innermost(kind)
    return inner.struct if isinstance(inner, StructType) else None


def are_alike(one: str, other: str) -> bool:
    """Whether two names may be spellings of one thing: one is in the other, or most of the longer one is in the shorter, in order."""
    import difflib

    short, long = sorted((one.lower(), other.lower()), key=len)
    blocks = difflib.SequenceMatcher(None, short, long, autojunk=False).get_matching_blocks()
    return short in long or sum(block.size for block in blocks) * 5 >= len(long) * 3
