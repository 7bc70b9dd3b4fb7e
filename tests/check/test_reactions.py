# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One edit of a real handover, one reaction: what the reading kernel's code does with each defect (7.3, x86-64).

The expected reactions were read from kernel/liveupdate and mm/memfd_luo.c; those that a real kernel has shown are in
tests/check/test_tampered.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.check.run import check
from devstate.finding import Reaction
from tests.check.edits import Edited

Edit = Callable[[Edited], int]


def luo(name: str, value: int | bytes) -> Edit:
    """Set a field of luo_ser."""
    return lambda e: e.field(e.opened.luo.pa, e.opened.luo.record.layout, name, value)


def session(index: int, name: str, value: int | bytes) -> Edit:
    """Set a field of a luo_session_ser, or of its file set."""

    def edit(e: Edited) -> int:
        record = e.session(index).record
        if name in ("files", "count"):
            outer = e.session(index).pa + record.layout.field("file_set_ser").offset
            return e.field(outer, record.file_set_ser.layout, name, value)
        return e.field(e.session(index).pa, record.layout, name, value)

    return edit


def file(token: int, name: str, value: int | bytes) -> Edit:
    """Set a field of a luo_file_ser."""
    return lambda e: e.field(e.file(token).pa, e.file(token).record.layout, name, value)


def memfd(token: int, name: str, value: int) -> Edit:
    """Set a field of a memfd_luo_ser, or of its kho_vmalloc."""

    def edit(e: Edited) -> int:
        body, pa = e.file(token).body, e.file(token).data_pa
        if name.startswith("folios."):
            return e.field(pa + body.layout.field("folios").offset, body.folios.layout, name[7:], value)
        return e.field(pa, body.layout, name, value)

    return edit


def folio(index: int, *, word: int | None = None, at: int | None = None) -> Edit:
    """Set the first word (pfn and flags) or the index of a folio record of the file with token 2."""

    def edit(e: Edited) -> int:
        pa = e.folio(2, index)
        return e.u64(pa, word) if word is not None else e.u64(pa + 8, at or 0)

    return edit


def block(session_index: int | None, offset: int, value: int) -> Edit:
    """Set a header word of the first block of sessions (None) or of a session's files."""

    def edit(e: Edited) -> int:
        pa = e.opened.luo.record.sessions_pa if session_index is None else e.session(session_index).record.file_set_ser.files
        return e.u64(pa + offset, value)

    return edit


def self_loop(session_index: int | None) -> Edit:
    """Make a block its own successor."""

    def edit(e: Edited) -> int:
        pa = e.opened.luo.record.sessions_pa if session_index is None else e.session(session_index).record.file_set_ser.files
        return e.u64(pa, pa)

    return edit


def unpreserve(find: Callable[[Edited], int]) -> Edit:
    """Clear the bit of a page in the memory map."""
    return lambda e: e.preserve(find(e), set=False)


def rename(old: bytes, new: bytes) -> Edit:
    """Replace a text of the root devicetree by another of its length."""

    def edit(e: Edited) -> int:
        root = bytes(e.memory.read(e.opened.fdt_pa, 4096))
        return e.write(e.opened.fdt_pa + root.index(old), new)

    return edit


R = Reaction
CASES: dict[str, tuple[Edit, Reaction, str]] = {
    "root magic": (lambda e: e.write(e.opened.fdt_pa, b"\xd0\x0d\xfe\xee"), R.IGNORED, "kho-fdt"),
    "root string of another kernel": (rename(b"kho-v4", b"kho-v3"), R.IGNORED, "kho-compatible"),
    "root string of no kernel": (rename(b"kho-v4", b"kho-v9"), R.IGNORED, "kho-compatible"),
    "map 0": (lambda e: e.u64(map_property(e), 0), R.IGNORED, "kho-map"),
    "map beyond memory": (lambda e: e.u64(map_property(e), 0x7FF000000000), R.DIES_EARLY, "radix-node-outside"),
    "map misaligned": (lambda e: e.u64(map_property(e), e.opened.memory_map_pa + 8), R.DIES_EARLY, "kho-map"),
    "radix child misaligned": (
        lambda e: e.u64(e.opened.memory_map_pa + 16, e.opened.preserved.map.node_pages[1] + 8),
        R.DIES_EARLY,
        "radix-node-misaligned",
    ),
    "radix root in itself": (lambda e: e.u64(e.opened.memory_map_pa + 16, e.opened.memory_map_pa), R.DIES_EARLY, "radix-node-twice"),
    "radix key too wide": (lambda e: e.u64(e.opened.memory_map_pa + 32, e.opened.preserved.map.node_pages[1]), R.DIES_EARLY, "radix-key"),
    "LUO node renamed": (rename(b"LUO\0", b"LUp\0"), R.RETRIEVE_FAILS, "lost-subtree"),
    "LUO address 0": (lambda e: e.u64(e.opened.subtree("LUO").data_pa, 0), R.PANIC, "subtree-property"),
    "LUO at the root": (lambda e: e.u64(e.opened.subtree("LUO").data_pa, e.opened.fdt_pa), R.PANIC, "subtree-format"),
    "LUO string unknown": (luo("compatible", b"luo-v6\0\0"), R.PANIC, "subtree-format"),
    "LUO string older": (luo("compatible", b"luo-v3\0\0"), R.PANIC, "luo-compatible"),
    "LUO string unterminated": (luo("compatible", b"luo-v5xx"), R.PANIC, "subtree-format"),
    "LUO number 0": (luo("liveupdate_num", 0), R.ACCEPTED, "luo-number"),
    "sessions_pa 0": (luo("sessions_pa", 0), R.RETRIEVE_FAILS, "lost-records"),
    "sessions_pa beyond memory": (luo("sessions_pa", 0x7FF000000000), R.PANIC, "not-in-memory"),
    "flbs_pa 0": (luo("flbs_pa", 0), R.ACCEPTED, "luo-flbs"),
    "session block count 0": (block(None, 8, 0), R.PANIC, "chain-count"),
    "session block count 1 of 2": (block(None, 8, 1), R.RETRIEVE_FAILS, "lost-records"),
    "session block loop": (self_loop(None), R.PANIC, "chain-cycle"),
    "session block next beyond memory": (block(None, 0, 0x7FF000000000), R.PANIC, "not-in-memory"),
    "file block count 0": (block(0, 8, 0), R.OPEN_FAILS, "chain-count"),
    "file block count 64": (block(0, 8, 64), R.OPEN_FAILS, "chain-count"),
    "file block loop": (self_loop(0), R.OPEN_FAILS, "chain-cycle"),
    "files 0": (session(0, "files", 0), R.RETRIEVE_FAILS, "session-files"),
    "files beyond memory": (session(0, "files", 0x7FF000000000), R.OOPS, "not-in-memory"),
    "file count 0": (session(0, "count", 0), R.OPEN_FAILS, "session-files"),
    "session name twice": (session(1, "name", b"vm-alpha".ljust(64, b"\0")), R.OPEN_FAILS, "session-name"),
    "session name unterminated": (session(0, "name", b"n" * 64), R.RETRIEVE_FAILS, "string-unterminated"),
    "session name empty": (session(0, "name", bytes(64)), R.RETRIEVE_FAILS, "session-name"),
    "file string older": (file(2, "compatible", b"memfd-v1".ljust(48, b"\0")), R.OPEN_FAILS, "file-compatible"),
    "file string unterminated": (file(2, "compatible", b"memfd-v2".ljust(48, b"2")), R.OPEN_FAILS, "string-unterminated"),
    "file string empty": (file(2, "compatible", bytes(48)), R.OPEN_FAILS, "file-compatible"),
    "file string tail": (file(2, "compatible", b"memfd-v2\0x".ljust(48, b"\0")), R.ACCEPTED, "string-tail"),
    "file data 0": (file(2, "data", 0), R.RETRIEVE_FAILS, "file-data"),
    "file data beyond memory": (file(2, "data", 0x7FF000000000), R.OOPS, "not-in-memory"),
    "token twice": (file(2, "token", 1), R.RETRIEVE_FAILS, "file-token"),
    "seals unknown": (memfd(2, "seals", 0x80000001), R.RETRIEVE_FAILS, "memfd-seals"),
    "seal exec alone": (memfd(2, "seals", 0x21), R.SILENT_WRONG, "memfd-seal-exec"),
    "flags not zero": (memfd(2, "flags", 1), R.ACCEPTED, "field-reserved"),
    "pos negative": (memfd(2, "pos", (1 << 64) - 1), R.ACCEPTED, "memfd-position"),
    "pos behind the end": (memfd(2, "pos", 1 << 30), R.SILENT_WRONG, "memfd-position"),
    "size negative": (memfd(2, "size", 1 << 63), R.SILENT_WRONG, "memfd-size"),
    "size larger": (memfd(2, "size", 2 << 20), R.SILENT_WRONG, "memfd-size"),
    "size smaller": (memfd(2, "size", 4096), R.SILENT_WRONG, "folio-records"),
    "nr_folios smaller": (memfd(2, "nr_folios", 255), R.SILENT_WRONG, "memfd-size"),
    "nr_folios larger": (memfd(2, "nr_folios", 257), R.OOPS, "memfd-folios"),
    "nr_folios huge": (memfd(2, "nr_folios", 1 << 60), R.OOPS, "memfd-folios"),
    "nr_folios larger inside the page": (memfd(3, "nr_folios", 75), R.ACCEPTED, "folio-records"),
    "vmalloc first 0": (memfd(2, "folios.first", 0), R.RETRIEVE_FAILS, "vmalloc-length"),
    "vmalloc first beyond memory": (memfd(2, "folios.first", 0x7FF000000000), R.OOPS, "not-in-memory"),
    "vmalloc total_pages 0": (memfd(2, "folios.total_pages", 0), R.RETRIEVE_FAILS, "vmalloc-length"),
    "vmalloc order 1": (memfd(2, "folios.order", 1), R.RETRIEVE_FAILS, "vmalloc-length"),
    "vmalloc flags unknown": (memfd(2, "folios.flags", 0x8001), R.ACCEPTED, "vmalloc-flags"),
    "folio flags unknown": (lambda e: edit_flags(e, 3, 0x7FF), R.ACCEPTED, "folio-records"),
    "folio without DIRTY": (lambda e: edit_flags(e, 3, 2), R.ACCEPTED, ""),
    "folio pfn beyond memory": (folio(3, word=3 << 52 | 1 << 40), R.RETRIEVE_FAILS, "folio-records"),
    "folio pfn twice": (lambda e: e.write(e.folio(2, 3), bytes(e.memory.read(e.folio(2, 4), 8))), R.RETRIEVE_FAILS, "folio-records"),
    "folio pfn of another file": (
        lambda e: e.write(e.folio(2, 3), bytes(e.memory.read(e.folio(77, 3), 8))),
        R.RETRIEVE_FAILS,
        "claimed-twice",
    ),
    "folio index beyond the file": (folio(255, at=1 << 40), R.SILENT_WRONG, "folio-records"),
    "folio index the last there is": (folio(3, at=(1 << 64) - 1), R.OOPS, "folio-records"),
    "folio index twice": (folio(3, at=4), R.RETRIEVE_FAILS, "folio-records"),
    "folios exchanged": (lambda e: exchange(e, 3, 9), R.SILENT_WRONG, "folio-records"),
    "root page not preserved": (unpreserve(lambda e: e.opened.fdt_pa), R.ACCEPTED, "page-not-preserved"),
    "metadata not preserved": (unpreserve(lambda e: e.opened.subtree("kexec-metadata").pa), R.ACCEPTED, "page-not-preserved"),
    "session block not preserved": (unpreserve(lambda e: e.opened.luo.record.sessions_pa), R.OOPS, "page-not-preserved"),
    "page list not preserved": (unpreserve(lambda e: e.file(2).pages.lists[0]), R.RETRIEVE_FAILS, "page-not-preserved"),
    "folio array not preserved": (unpreserve(lambda e: e.file(2).pages.blocks[0]), R.RETRIEVE_FAILS, "vmalloc-page"),
    "folio not preserved": (unpreserve(lambda e: e.memory.u64(e.folio(2, 9)) % (1 << 52) * 4096), R.RETRIEVE_FAILS, "folio-records"),
    "LUO size larger": (lambda e: e.u64(e.opened.subtree("LUO").size_pa, 64), R.ACCEPTED, "subtree-size"),
    "LUO size huge": (lambda e: e.u64(e.opened.subtree("LUO").size_pa, 1 << 60), R.ACCEPTED, "subtree-size"),
    "metadata node renamed": (rename(b"kexec-metadata", b"kexec-metadatb"), R.ACCEPTED, "subtree-unknown"),
    "page list cut": (lambda e: e.u64(e.file(2).pages.lists[0] + 8, 0), R.RETRIEVE_FAILS, "vmalloc-length"),
    "page list entry of another file": (
        lambda e: e.u64(e.file(2).pages.lists[0] + 8, e.file(77).pages.blocks[0]),
        R.RETRIEVE_FAILS,
        "claimed-twice",
    ),
    "data of another file": (
        lambda e: e.field(e.file(2).pa, e.file(2).record.layout, "data", e.file(77).data_pa),
        R.RETRIEVE_FAILS,
        "claimed-twice",
    ),
    "kexec_count 0": (lambda e: e.write(e.opened.subtree("kexec-metadata").pa + 69, bytes(4)), R.ACCEPTED, "luo-number"),
    "metadata version 0": (lambda e: e.write(e.opened.subtree("kexec-metadata").pa, bytes(4)), R.ACCEPTED, "metadata-version"),
    "metadata release": (lambda e: e.write(e.opened.subtree("kexec-metadata").pa + 4, b"x" * 65), R.ACCEPTED, "string-unterminated"),
}


def map_property(e: Edited) -> int:
    """Where the root says where the map is."""
    return e.opened.fdt_pa + e.opened.fdt.root.property("preserved-memory-map").offset


def edit_flags(e: Edited, index: int, flags: int) -> int:
    """Change the flags of a folio record and keep its pfn."""
    word = e.memory.u64(e.folio(2, index))
    return e.u64(e.folio(2, index), word & ((1 << 52) - 1) | flags << 52)


def exchange(e: Edited, one: int, other: int) -> int:
    """Swap the indices of two folio records."""
    e.u64(e.folio(2, other) + 8, one)
    return e.u64(e.folio(2, one) + 8, other)


@pytest.mark.parametrize("name", CASES)
def test_reaction(shipped: Path, name: str) -> None:
    """The edit is called by its rule, at its place, and the prediction is what the kernel's code does."""
    edit, reaction, rule = CASES[name]
    edited = Edited(shipped / "small-7.3.core.zst")
    pa = edit(edited)
    report = check(edited.reopened(), kernel="7.3")
    called = {finding.rule for finding in report.findings}
    assert (str(reaction), rule in called or rule == "") == (str(report.predicted), True), report.findings
    places = {finding.location.pa for finding in report.findings} | {place for finding in report.findings for place, _ in finding.related}
    near = any(place is not None and abs(place - pa) < 64 for place in places)
    assert near or rule == "", [hex(place or 0) for place in places]


def test_unedited_is_clean(shipped: Path) -> None:
    """The same way without an edit finds nothing, so each finding above is the edit's."""
    report = check(Edited(shipped / "small-7.3.core.zst").reopened(), kernel="7.3")
    assert ((), Reaction.ACCEPTED) == (report.findings, report.predicted)
