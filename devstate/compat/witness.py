# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Witnesses: bytes that one layout writes, each value unlike the others, and what the other layout reads there.

::

    old memfd-v1 writes   pos | size | nr_folios=.. | folios
    new memfd-v2 reads    pos | size | seals , flags | nr_folios       seals reads 0x1b1a1918, which is nr_folios & 0xffffffff

A witness is made without the rules: it writes and reads. Where the two disagree, one of them is wrong; a finding whose witness shows no
harm is taken down, and a test holds that there is none.
"""

from __future__ import annotations

from devstate.compat.cells import CELLS_MAX, OPEN_COUNT, arms_read, cells_of, partners, with_indices
from devstate.compat.reads import BEHIND, meaning, stands_for, value_at, value_text
from devstate.compat.tags import Tags
from devstate.finding import Outcome, Read, Witness
from devstate.frozen import frozen
from devstate.layout.model import ArrayType, Layout, StructLayout, StructType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.compat.cells import Cell
    from devstate.compat.change import Change, Comparison

ROWS = ("element", "row")
"""Contexts in which records stand in a row."""

READERS = 2
"""Records of a row that the reader looks at: the second one shows a wrong stride."""

ROWS_MAX = 64
"""Records that are written for a reader whose own are larger: beyond that, what it reads may as well be behind the end."""

ARMS_MAX = 16
"""Arms of a union that are written in turn until one shows harm."""

READS_MAX = 64
"""Fields that a witness lists: a row of thousands is no better proof."""

SIZE_MAX = 1 << 20
"""Bytes of a witness: an area of the largest limit upstream has."""


@frozen
class Parse:
    """What one direction comes to: the bytes, what each of the reader's fields gets, and which of that is harm."""

    data: bytes
    reads: tuple[Read, ...]
    harm: tuple[Outcome, ...]
    copies: int = 1

    @property
    def worst(self) -> Outcome:
        """The worst of all fields."""
        return max(self.harm, default=Outcome.OK)


@frozen
class Side:
    """One side's struct."""

    layout: Layout
    struct: StructLayout


def parse(writer: Side, reader: Side, *, newer: bool, copies: int = 1, arm: int = 0, plain: bool = False, size: int | None = None) -> Parse:
    """Write ``copies`` records and read them back. ``newer``: the reader is the new kernel, to which a zero in place of a field
    that was not written is fine.

    ``arm`` is the one that is written of every union; ``plain``: tags also for fields that have named values. ``size`` are the bytes that
    there are when that is not the struct's own size (arms of a union).
    """
    return Reading(writer, reader, newer=newer, copies=copies, arm=arm, plain=plain).run(size or 0)


class Reading:
    """One run of :func:`parse`."""

    def __init__(self, writer: Side, reader: Side, *, newer: bool, copies: int, arm: int, plain: bool) -> None:
        self.writer, self.reader, self.newer, self.copies, self.arm, self.plain = writer, reader, newer, copies, arm, plain
        self.partners = partners((reader.layout, reader.struct), (writer.layout, writer.struct), newer=newer)
        self.pairs = self.partners.keys
        self.back = {key: name for name, key in self.pairs.items()}
        self.counts = open_counts(writer.struct, reader.struct)
        self.prefix = "" if copies == 1 else "[]."
        self.wrote: dict[str, tuple[Cell, object]] = {}

    def run(self, least: int) -> Parse:
        """Write, then read; ``least`` bytes are there at least."""
        data, cells = self.write(least)
        found: list[tuple[Outcome, Read]] = []
        seen: set[str] = set()
        for cell in self.cells():
            seen.add(cell.path)
            if cell.role == "data":
                key = self.pairs.get(cell.key.removeprefix(self.prefix))
                source = None if key is None else self.wrote.get(with_indices(self.prefix + key, cell.indices))
                found.append(_judged(cell, source, data, cells, self.newer))
        if not (self.writer.struct.flexible and self.reader.struct.flexible):
            found += [(Outcome.MISREAD, lost) for lost in self.lost(seen)]
        stride = self.reader.struct.size
        if self.copies == 1 and stride > len(data) and all(outcome is Outcome.OK for outcome, _ in found):
            whole = Read(self.reader.struct.name, f"{len(data)} bytes", f"{stride} bytes", "a record that ends before its last byte")
            found.append((Outcome.SHORT, whole))
        return Parse(data, tuple([read for _, read in found]), tuple([outcome for outcome, _ in found]), self.copies)

    def write(self, least: int) -> tuple[bytes, list[Cell]]:
        """The bytes: as many records as the reader's look at, and one more."""
        stride, its_stride = self.writer.struct.size, self.reader.struct.size
        rows = 1 if self.copies == 1 else min(-(-its_stride * self.copies // max(stride, 1)) + 1, ROWS_MAX)
        cells: list[Cell] = []
        for row in range(rows):
            copy = None if self.copies == 1 else row
            cells += cells_of(self.writer.layout, self.writer.struct, base=row * stride, copy=copy, arm=self.arm, open_count=self.counts[0])
        end = max([stride * rows, least, *(cell.at + cell.size for cell in cells)])
        data = bytearray(min(end, SIZE_MAX))
        tags = Tags(self.writer.layout, self.reader.layout, self.back, plain=self.plain, open_count=self.counts[0], arm=self.arm)
        for cell in cells:
            self.wrote[cell.path] = cell, tags.put(data, cell, self.writer.struct, self.reader.struct)
        return bytes(data), sorted(cells, key=lambda cell: cell.bits)

    def cells(self) -> Iterator[Cell]:
        """What the reader looks at."""
        writer, reader = (self.writer.layout, self.writer.struct), (self.reader.layout, self.reader.struct)
        arms = arms_read(reader, writer, self.arm, newer=self.newer)
        for row in range(self.copies):
            copy, base = None if self.copies == 1 else row, row * self.reader.struct.size
            yield from cells_of(*reader, base=base, copy=copy, arm=self.arm, arms=arms, open_count=self.counts[1], flat=self.partners.flat)

    def lost(self, seen: set[str]) -> Iterator[Read]:
        """Elements of an array that the reader knows and does not look at, because it expects fewer."""
        first = int(self.copies > 1)
        for cell, value in self.wrote.values():
            name = self.back.get(cell.key.removeprefix(self.prefix))
            if cell.role != "data" or name is None or len(cell.indices) <= first or (first and cell.indices[0] >= self.copies):
                continue
            path = with_indices(self.prefix + name, cell.indices)
            if path not in seen:
                yield Read(path, value_text(cell, value), "nothing", "not looked at")


def open_counts(writer: StructLayout, reader: StructLayout) -> tuple[int, int]:
    """Elements of flexible arrays that are written, and that are read: two, but one more than the other side has when only one side's
    array is open, and as many more as the reader's fields in front could take up."""
    tails = [next((field.type for field in reversed(each.fields) if not field.gap), None) for each in (writer, reader)]
    strides = [max(kind.stride, 1) if isinstance(kind, ArrayType) else 1 for kind in tails]
    if writer.flexible and reader.flexible:
        ahead = max(reader.size - writer.size, 0) + OPEN_COUNT * strides[1]
        return min(OPEN_COUNT - -ahead // strides[0], CELLS_MAX), OPEN_COUNT
    fixed = [kind.count if isinstance(kind, ArrayType) and kind.count is not None else None for kind in tails]
    made = [OPEN_COUNT if count is None else count + 1 if count > 1 else count for count in (fixed[1], fixed[0])]
    return made[0], made[1]


def _judged(cell: Cell, source: tuple[Cell, object] | None, data: bytes, cells: list[Cell], newer: bool) -> tuple[Outcome, Read]:
    """What one field gets, and whether that is harm."""
    got = value_at(data, cell)
    wrote = None if source is None else value_text(source[0], source[1])
    if got is BEHIND:
        there = data[cell.at :]
        wrong = bool(there) if source is not None and cell.order is not None else any(there) or bool(there and not newer)
        if isinstance(source, tuple) and isinstance(source[1], bytes):  # the first bytes are what was written; the rest is new
            rest = there[len(source[1]) :]
            wrong = there[: len(source[1])] != source[1][: len(there)] or any(rest) or bool(rest and not newer)
        end = f"{len(there)} bytes, then the end" if there else "behind the last byte"
        return (Outcome.MISREAD if wrong else Outcome.SHORT), Read(cell.path, wrote, "nothing", end)
    shown = value_text(cell, got)
    if source is None:
        harmless = newer and not (any(got) if isinstance(got, bytes) else got)
        return (Outcome.OK, Read(cell.path, None, shown)) if harmless else (
            Outcome.MISREAD, Read(cell.path, None, shown, stands_for(cell, cells))
        )  # fmt: skip
    if "enum" in (cell.field.kind, source[0].field.kind) and isinstance(got, int) and isinstance(source[1], int):
        got &= (1 << _width(cell)) - 1  # its sign is the compiler's choice
        source = source[0], source[1] & ((1 << _width(source[0])) - 1)
    same = got == source[1] and meaning(cell, got) == meaning(source[0], source[1])
    if isinstance(got, bytes) and isinstance(source[1], bytes) and len(got) > len(source[1]):
        rest = got[len(source[1]) :]
        same = got.startswith(source[1]) and newer and not any(rest)
    pointers = [each.field.target is not None and each.field.target.kind == "kernel" for each in (cell, source[0])]
    if same and pointers[0] != pointers[1]:
        words = ["a number" if not each else "an address in the kernel that wrote it" for each in pointers]
        return Outcome.MISREAD, Read(cell.path, f"{wrote}, {words[1]}", f"{shown}, {words[0]}")
    if same and cell.order is not None and _width(cell) != _width(source[0]):
        return Outcome.MISREAD, Read(cell.path, wrote, shown, f"{source[0].path} as long as the bytes beside it are zero")
    if same:
        return Outcome.OK, Read(cell.path, wrote, shown)
    stands = stands_for(cell, cells)
    return Outcome.MISREAD, Read(cell.path, wrote, shown, "" if stands == source[0].path else stands)


def _width(cell: Cell) -> int:
    return cell.bits[1] - cell.bits[0]


def witness_of(comparison: Comparison, change: Change, *, newer: bool) -> tuple[Witness | None, bool]:
    """The witness of a change for one direction, and whether it shows harm. None where there are no bytes to show."""
    if comparison.old is None or comparison.new is None:
        return None, True
    sides = comparison.old, comparison.new
    writer, reader = sides if newer else sides[::-1]
    found = _of_structs(change, writer, reader, newer)
    if found is None:
        from devstate.compat.proofs import proof_of

        return proof_of(change, writer, reader, newer=newer), True
    best, structs = found
    relevant = _relevant(change, best)
    made = Witness(best.data, "old" if newer else "new", relevant, structs[0].name, structs[1].name, best.copies)
    return made, best.worst > Outcome.OK


def _of_structs(change: Change, writer: Layout, reader: Layout, newer: bool) -> tuple[Parse, tuple[StructLayout, StructLayout]] | None:
    """The first writing that shows harm, else the first one."""
    names = (change.old_struct, change.new_struct) if newer else (change.new_struct, change.old_struct)
    known = [next((each for each in side.structs if each.name == name), None) for side, name in zip((writer, reader), names, strict=True)]
    if known[0] is None or known[1] is None or change.kind in ("target", "constant", "repurposed") or is_chunks(change):
        return None
    first: Parse | None = None
    copies = READERS if change.context in ROWS else 1
    size = max(each.size for each in known if each is not None) if change.context == "arm" else None
    arms = max(_arms(writer, known[0]), _arms(reader, known[1]))
    for plain, arm in [(plain, arm) for plain in (False, True) for arm in range(arms)]:
        each = parse(Side(writer, known[0]), Side(reader, known[1]), newer=newer, copies=copies, arm=arm, plain=plain, size=size)
        if first is None or each.worst > first.worst:
            first = each
    return None if first is None else (first, (known[0], known[1]))


def is_chunks(change: Change) -> bool:
    """Whether a change is about a bitmap that a link leads to, not about the link's own bytes."""
    fields = change.old_field, change.new_field
    return change.kind in ("length", "limit") and all(field is not None and field.target is not None for field in fields)


def _arms(layout: Layout, struct: StructLayout) -> int:
    """Arms of the union with most of them that the struct has, itself or in what it embeds."""
    most, names = 1, [struct.name]
    known = {each.name: each for each in layout.structs}
    for name in names:
        for field in known[name].fields if name in known else ():
            kind = field.type
            if isinstance(kind, UnionType):
                most = max(most, len(kind.arms))
            elif isinstance(kind, StructType) and kind.struct not in names:
                names.append(kind.struct)
    return min(most, ARMS_MAX)


def _relevant(change: Change, parsed: Parse) -> tuple[Read, ...]:
    """The harmful reads that belong to the change; all harmful ones where none does."""
    harmful = [read for read, outcome in zip(parsed.reads, parsed.harm, strict=True) if outcome]
    names = {change.field, *change.folded, *(each.name for each in (change.old_field, change.new_field) if each is not None)}
    own = [read for read in harmful if _named(read.field, names)]
    return tuple((own or harmful)[:READS_MAX])


def _named(path: str, names: Iterable[str | None]) -> bool:
    plain = path.split("]")[-1].lstrip(".") if path.startswith("[") else path
    plain = plain.partition("[")[0]
    return any(name is not None and (plain == name or plain.startswith(f"{name}.") or plain.endswith(f".{name}")) for name in names)
