# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Cells: every value that a reader takes out of a record, down to elements of arrays and arms of unions, each with its place.

A cell's ``path`` is for people (``pages[1].pfn``); its ``key`` has no indices (``pages[].pfn``) and is what pairs up with the other side.
Bits are counted through memory as in ``leaves``, from the low end in little-endian machines and from the high end in big-endian ones, so
that what a reader finds can be put together from what was written there.
"""

from __future__ import annotations

from devstate.compat.leaves import leaves_of, plain, role_of, struct_of
from devstate.compat.links import arm_pairs
from devstate.compat.matching import match
from devstate.compat.words import union_of
from devstate.frozen import frozen
from devstate.layout.model import ArrayType, BytesType, IntType, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

CELLS_MAX = 4096
"""Cells of one witness: a page of bytes one by one; what is behind them shows nothing new."""

OPEN_COUNT = 2
"""Elements that a flexible array has in a witness: the second one shows a wrong stride."""

DEPTH_MAX = 64
"""Levels of structs in structs, as in ``leaves``."""


@frozen
class Cell:
    """One value. ``size`` bytes at ``at``; of a bit-field the unit, with ``shift`` and ``width``. ``order`` is None for raw bytes."""

    path: str
    key: str
    indices: tuple[int, ...]
    field: FieldLayout
    at: int
    size: int
    role: str
    order: Literal["little", "big"] | None
    signed: bool = False
    shift: int = 0
    width: int | None = None

    @property
    def bits(self) -> tuple[int, int]:
        """Its first bit in memory, and the one behind its last."""
        start = self.at * 8
        if self.width is None:
            return start, start + self.size * 8
        low = self.shift if self.order == "little" else self.size * 8 - self.shift - self.width
        return start + low, start + low + self.width


def cells_of(
    layout: Layout,
    struct: StructLayout,
    *,
    base: int = 0,
    copy: int | None = None,
    arm: int = 0,
    arms: Mapping[str, int] | None = None,
    flat: frozenset[str] = frozenset(),
    open_count: int = OPEN_COUNT,
) -> list[Cell]:
    """The cells of a record at ``base``; ``copy`` numbers the records of a row. ``arm`` chooses among the arms of unions, and ``arms``
    by key (-1: none is read); ``flat`` are unions that the other side
    has as an integer; ``open_count`` says how many elements flexible arrays have.

    At most CELLS_MAX; structs that the layout does not have are left out.
    """
    prefix, key = ("", "") if copy is None else (f"[{copy}].", "[].")
    indices: tuple[int, ...] = () if copy is None else (copy,)
    found: list[Cell] = []
    stack: list[tuple[TypeLayout, FieldLayout, str, str, tuple[int, ...], int, int]] = []

    def enter(inner: StructLayout, path: str, key: str, indices: tuple[int, ...], at: int, depth: int) -> None:
        for field in reversed(inner.fields):
            stack.append((field.type, field, path + field.name, key + field.name, indices, at + field.offset, depth))

    enter(struct, prefix, key, indices, base, 0)
    while stack and len(found) < CELLS_MAX:
        kind, field, path, key, indices, at, depth = stack.pop()
        kind = plain(kind) if key.removeprefix("[].") in flat else kind
        if isinstance(kind, StructType):
            known = struct_of(layout, kind)
            if known is not None and depth < DEPTH_MAX:
                enter(known, f"{path}.", f"{key}.", indices, at, depth + 1)
        elif isinstance(kind, ArrayType):
            count = open_count if kind.count is None else min(kind.count, CELLS_MAX)
            for index in reversed(range(count)):
                stack.append((kind.element, field, f"{path}[{index}]", f"{key}[]", (*indices, index), at + index * kind.stride, depth))
        elif isinstance(kind, UnionType):
            chosen = (arms or {}).get(key, arm)
            if kind.arms and chosen >= 0:
                live = kind.arms[chosen % len(kind.arms)]
                stack.append((live.type, field, f"{path}.{live.name}", f"{key}.{live.name}", indices, at, depth))
        else:
            found.append(_cell(layout, kind, field, path, key, indices, at))
    return found


def _cell(layout: Layout, kind: IntType | BytesType, field: FieldLayout, path: str, key: str, indices: tuple[int, ...], at: int) -> Cell:
    if isinstance(kind, BytesType):
        return Cell(path, key, indices, field, at, kind.size, role_of(field), None)
    native = layout.environment.byte_order
    order = native if kind.order == "native" else "little" if kind.order == "little" else "big"
    return Cell(path, key, indices, field, at, kind.size, role_of(field), order, kind.signed, field.shift or 0, field.width)


@frozen
class Partners:
    """``keys`` lead from the reader's keys to those of the writer: what is one value on both sides. ``flat`` are the unions of
    the reader that are an integer for the writer, ``its_flat`` those of the writer that are one for the reader."""

    keys: dict[str, str]
    flat: frozenset[str]
    its_flat: frozenset[str]


def partners(reader: tuple[Layout, StructLayout], writer: tuple[Layout, StructLayout], *, newer: bool) -> Partners:
    """What belongs together of two structs, down to elements and arms."""
    found: dict[str, str] = {}
    flat: tuple[set[str], set[str]] = set(), set()
    pending = [(reader, writer, "", "")]
    for one, other, prefix, its_prefix in pending:
        old, new = (other, one) if newer else (one, other)
        for left, right in match(old[0], leaves_of(*old), new[0], leaves_of(*new)).pairs:
            mine, theirs = (right, left) if newer else (left, right)
            unions = union_of(mine.field.type), union_of(theirs.field.type)
            for side, (leaf, start) in enumerate(((mine, prefix), (theirs, its_prefix))):
                if unions[side] is not None and unions[1 - side] is None:
                    flat[side].add(f"{start}{leaf.path}{_dimensions(leaf.field.type)}")
            for key, its, inner in _inside(one[0], mine.field.type, other[0], theirs.field.type):
                at, its_at = f"{prefix}{mine.path}{key}", f"{its_prefix}{theirs.path}{its}"
                found[at] = its_at
                if inner is not None and len(pending) < CELLS_MAX:
                    pending.append(((one[0], inner[0]), (other[0], inner[1]), f"{at}.", f"{its_at}."))
    return Partners(found, frozenset(flat[0]), frozenset(flat[1]))


def arms_read(reader: tuple[Layout, StructLayout], writer: tuple[Layout, StructLayout], arm: int, *, newer: bool) -> dict[str, int]:
    """Which arm the reader takes, by the keys of its unions, when the writer wrote number ``arm`` of each: the one that the tag
    names, -1 where it names none; without a tag the same one, where the reader has it."""
    found: dict[str, int] = {}
    old, new = (writer, reader) if newer else (reader, writer)
    for left, right in match(old[0], leaves_of(*old), new[0], leaves_of(*new)).pairs:
        mine, theirs = (right, left) if newer else (left, right)
        unions = union_of(mine.field.type), union_of(theirs.field.type)
        if unions[0] is None or unions[1] is None or not unions[1].arms:
            continue
        live = unions[1].arms[arm % len(unions[1].arms)]
        if None not in (unions[0].tag, unions[1].tag):
            fits = [index for index, each in enumerate(unions[0].arms) if each.value == live.value]
            found[f"{mine.path}{_dimensions(mine.field.type)}"] = fits[0] if fits else -1
            continue
        same = [one for one, other in arm_pairs(unions[0], unions[1]) if other is live]
        if same:
            found[f"{mine.path}{_dimensions(mine.field.type)}"] = next(
                index for index, each in enumerate(unions[0].arms) if each is same[0]
            )
    return found


def _inside(
    layout: Layout, kind: TypeLayout, other: Layout, its: TypeLayout
) -> Iterator[tuple[str, str, tuple[StructLayout, StructLayout] | None]]:
    """What belongs together inside two leaves: suffixes of keys, and the structs whose fields follow."""
    unions = union_of(kind), union_of(its)
    keys = _dimensions(kind), _dimensions(its)
    if unions[0] is None or unions[1] is None:
        inner, its_inner = struct_of(layout, kind), struct_of(other, its)
        yield *keys, (inner, its_inner) if inner is not None and its_inner is not None else None
        return
    for one, two in arm_pairs(unions[0], unions[1]):
        inner, its_inner = struct_of(layout, one.type), struct_of(other, two.type)
        both = (inner, its_inner) if inner is not None and its_inner is not None else None
        yield f"{keys[0]}.{one.name}{_dimensions(one.type)}", f"{keys[1]}.{two.name}{_dimensions(two.type)}", both


def _dimensions(kind: TypeLayout) -> str:
    text = ""
    while isinstance(kind, ArrayType):
        text, kind = text + "[]", kind.element
    return text


def with_indices(key: str, indices: tuple[int, ...]) -> str:
    """A key with its indices filled in: the path of the cell."""
    parts = key.split("[]")
    if len(parts) - 1 != len(indices):
        return key
    return parts[0] + "".join(f"[{index}]{part}" for index, part in zip(indices, parts[1:], strict=True))
