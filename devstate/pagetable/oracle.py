# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Page tables in plain Python: slow, obvious, and held equal to the C core by the tests. It is what runs where there is no core.

The order of a walk, what it enters, and what it says is wrong are those of csrc/pt_walk.c.
"""

from __future__ import annotations

from struct import unpack

from devstate.pagetable.entries import Leaf, Next, read_entry
from devstate.pagetable.format import CONTIGUOUS, TOUCHED
from devstate.pagetable.mapping import PROBLEM_LIMIT, Mapping, TableProblem, Walk, columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.pagetable.table import PageTable


class _Place:
    """A table that a walk is in."""

    def __init__(self, table: PageTable, pa: int, level: int, iova: int, lost: int) -> None:
        self.pa, self.level, self.iova, self.lost = pa, level, iova, lost
        self.size = 8 * table.entries(level)
        self.words = unpack(f"<{self.size // 8}Q", table.memory.read(pa, self.size))
        self.next = 0
        self.hinted = 0


class TableWalk:
    """One walk, as csrc/pt_walk.c makes it. ``entered`` are the tables that were, each once: (first iova, address, bytes)."""

    def __init__(self, table: PageTable, budget: int) -> None:
        self.table = table
        self.budget = budget
        self.visited: set[int] = set()
        self.path: list[_Place] = []
        self.leaves: dict[int, int] = {}
        self.tables: dict[int, int] = {}
        self.entered: list[tuple[int, int, int]] = []
        self.problems: list[TableProblem] = []
        self.problem_count = 0

    def wrong(self, code: str, place: _Place, index: int) -> None:
        iova = self.table.entry_iova(place.iova, place.level, index)
        self.add_problem(TableProblem(code, place.pa + 8 * index, place.words[index], iova, place.level))

    def add_problem(self, problem: TableProblem) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < PROBLEM_LIMIT:
            self.problems.append(problem)

    def enter(self, pa: int, level: int, place: _Place | None = None, index: int = 0, lost: int = 0) -> None:
        """Go into a table, unless something is against it."""
        size = 8 * self.table.entries(level)
        if not self.table.memory.contains(pa, size):
            if place is None:
                self.add_problem(TableProblem("table-not-in-memory", None, pa, 0, level))
            else:
                self.wrong("table-not-in-memory", place, index)
            return
        if any(pa < above.pa + above.size and above.pa < pa + size for above in self.path):
            assert place is not None
            self.wrong("table-cycle", place, index)
            return
        units = range(pa >> 12, (pa + size - 1 >> 12) + 1)
        known = any(unit in self.visited for unit in units)
        self.visited.update(units)
        if known and self.budget < size:
            assert place is not None
            self.wrong("table-budget", place, index)
            return
        if known:
            self.budget -= size
            assert place is not None
            self.wrong("table-shared", place, index)
        iova = 0 if place is None else self.table.entry_iova(place.iova, place.level, index)
        if not known:
            self.tables[level] = self.tables.get(level, 0) + 1
            self.entered.append((iova, pa, size))
        self.path.append(_Place(self.table, pa, level, iova, lost))

    def too_wide(self, pa: int, size: int) -> bool:
        return self.table.pa_bits is not None and pa + size > 1 << self.table.pa_bits

    def leaves_in_order(self) -> Iterator[Mapping]:
        """Every leaf, in the order of iovas."""
        self.enter(self.table.top_table, self.table.top_level)
        while self.path:
            place = self.path[-1]
            if place.next == len(place.words):
                self.path.pop()
                continue
            index = place.next
            place.next += 1
            if not place.words[index]:
                continue  # nothing, in every format
            said = read_entry(self.table.format, place.words[index], place.level)
            if isinstance(said, str):
                self.wrong(said, place, index)
            elif isinstance(said, Next):
                self._take_table(place, index, said)
            elif said is not None:
                yield self._take_leaf(place, index, said)

    def _take_table(self, place: _Place, index: int, said: Next) -> None:
        if said.reserved:
            self.wrong("reserved-bits", place, index)
        if self.too_wide(said.pa, 8 * self.table.entries(said.level)):
            self.wrong("address-width", place, index)
        self.enter(said.pa, said.level, place, index, place.lost | said.lost)

    def _take_leaf(self, place: _Place, index: int, leaf: Leaf) -> Mapping:
        item = 1 << self.table.format.shift(place.level)
        many = 1 << leaf.run
        if leaf.reserved:
            self.wrong("reserved-bits", place, index)
        if leaf.misaligned:
            self.wrong("leaf-misaligned", place, index)
        if self.too_wide(leaf.pa, item * many):
            self.wrong("address-width", place, index)
        if leaf.hint and index >= place.hinted:
            self._take_hint(place, index, 1 << leaf.hint)
        pa, attributes = leaf.pa, leaf.attributes
        if many > 1:
            code, touched = self._run(place, index, many)
            if code is None:
                place.next = index + many
                attributes |= touched
            else:
                self.wrong(code, place, index)
                pa += index % many * item
                many = 1
        self.leaves[item * many] = self.leaves.get(item * many, 0) + 1
        return Mapping(self.table.entry_iova(place.iova, place.level, index), pa, item * many, attributes & ~place.lost)

    def _run(self, place: _Place, index: int, many: int) -> tuple[str | None, int]:
        """What is wrong with the run that an entry says to be the first of, and what the hardware has noted in any of its entries."""
        format = self.table.format
        first = index - index % many
        touched = 0
        if first + many > len(place.words):
            return "run-broken", 0
        for at in range(index, first + many) if index == first else [first]:
            said = read_entry(format, place.words[at], place.level)
            if (place.words[at] ^ place.words[index]) & ~format.touched:
                return "run-broken" if said is None else "run-overlap", 0
            assert isinstance(said, Leaf)
            touched |= said.attributes & TOUCHED
        return (None, touched) if index == first else ("run-broken", 0)

    def _take_hint(self, place: _Place, index: int, many: int) -> None:
        """A hint is about a whole aligned run of leaves that follow each other and have the same attributes."""
        place.hinted = index - index % many + many
        group = place.words[place.hinted - many : place.hinted]
        said = [read_entry(self.table.format, word, place.level) for word in group]
        leaves = [each for each in said if isinstance(each, Leaf) and each.attributes & CONTIGUOUS]
        item = 1 << self.table.format.shift(place.level)
        whole = len(leaves) == many and leaves[0].pa % (item * many) == 0
        whole = whole and all(not leaf.misaligned and leaf.pa == leaves[0].pa + n * item for n, leaf in enumerate(leaves))
        if not whole or len({leaf.attributes & ~TOUCHED for leaf in leaves}) > 1:
            self.wrong("run-broken", place, index)


def walk(table: PageTable, *, merge: bool, attributes: int, budget: int) -> Walk:
    """See PageTable.walk(). ``budget``: bytes of tables that may be read again."""
    state = TableWalk(table, budget)
    rows: list[tuple[int, int, int, int]] = []
    for found in state.leaves_in_order():
        row = found.iova, found.pa, found.size, found.attributes & attributes
        if merge and rows:
            iova, pa, size, same = rows[-1]
            if iova + size == row[0] and pa + size == row[1] and same == row[3]:
                rows[-1] = iova, pa, size + row[2], same
                continue
        rows.append(row)
    return Walk(columns(rows), state.leaves, state.tables, tuple(state.problems), state.problem_count)


def table_pages(table: PageTable) -> dict[int, tuple[int, ...]]:
    """See PageTable.table_pages()."""
    found: dict[int, list[int]] = {}
    visited: set[int] = set()
    pending = [(table.top_table, table.top_level)]
    while pending:
        pa, level = pending.pop()
        size = 8 * table.entries(level)
        units = range(pa >> 12, (pa + size - 1 >> 12) + 1)
        if not table.memory.contains(pa, size) or any(unit in visited for unit in units):
            continue
        visited.update(units)
        found.setdefault(level, []).append(pa)
        if level:
            said = [read_entry(table.format, word, level) for word in _Place(table, pa, level, 0, 0).words]
            pending.extend((each.pa, each.level) for each in reversed(said) if isinstance(each, Next))
    return {level: tuple(pas) for level, pas in found.items()}


def _noted(table: PageTable, pa: int, level: int, index: int, run: int) -> int | None:
    """What the hardware has noted in any of the entries that are one leaf together, for it may come by each; None when they are none."""
    first, many = index >> run << run, 1 << run
    if first + many > table.entries(level):
        return None
    words = unpack(f"<{many}Q", table.memory.read(pa + 8 * first, 8 * many))
    touched = 0
    for word in words:
        said = read_entry(table.format, word, level)
        if (word ^ words[0]) & ~table.format.touched or not isinstance(said, Leaf):
            return None
        touched |= said.attributes & TOUCHED
    return touched


def translate(table: PageTable, iova: int) -> Mapping | None:
    """See PageTable.translate()."""
    top = table.format.shift(table.top_level)
    index = iova >> top & (table.top_entries - 1)
    if iova != table.entry_iova(0, table.top_level, index) + iova % (1 << top):
        return None  # beyond what the tables reach, or not canonical
    pa, level, lost = table.top_table, table.top_level, 0
    while table.memory.contains(pa, 8 * table.entries(level)):
        shift = table.format.shift(level)
        index = iova >> shift & (table.entries(level) - 1)
        said = read_entry(table.format, int.from_bytes(table.memory.read(pa + 8 * index, 8), "little"), level)
        if isinstance(said, Leaf):
            at = said.pa + (index % (1 << said.run) << shift) + iova % (1 << shift)
            noted = _noted(table, pa, level, index, said.run)
            size = 1 << (shift if noted is None else shift + said.run)
            return Mapping(iova, at, size - iova % size, (said.attributes | (noted or 0)) & ~lost)
        if not isinstance(said, Next) or iova % (1 << shift) >> table.format.shift(said.level + 1):
            return None  # the bits of a level that is left out must be 0
        pa, level, lost = said.pa, said.level, lost | said.lost
    return None
