# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A model of the kernel that reads a handover (7.2, 7.3; x86-64, 4K pages): it does step by step what that kernel does, by raw reads.

It shares nothing with ``devstate.handover`` and ``devstate.check`` but the memory, so that the two can be held against each other.
What user space expects is what the model retrieves from the untampered twin. ``compare`` puts the difference into a reaction class as
the captures do: kho gone, no boot, oops, EIO on open, an errno, content, regions.

::

    find the root                         ignored
    walk the tree, stamp pages            dies-early
    regions                               dies-early, region-wrong
    LUO, its session chain, clients       panic
    deserialize sessions and files        open-fails, oops
    retrieve everything                   oops, retrieve-fails, silent-wrong

What depends on luck (a page that may be reused, memory of which nothing is known) raises ``Luck``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from devstate.frozen import frozen
from devstate.memory.physmem import PhysMemory
from tests.check.libfdt import Tree

PAGE = 4096
SECTION = 128 << 20
SESSIONS, FILES = 51, 63
"""Entries of 80 and of 64 bytes in a block."""

LAST = (1 << 64) - 1
"""The greatest index of a page in a file."""


class Luck(Exception):
    """What happens depends on what nobody knows."""


class Fault(Exception):
    """An address outside of the direct map."""


class Stop(Exception):
    """The kernel gets no further; the argument is the class."""


class Eio(Exception):
    """Sessions or files cannot be deserialized."""


class Errno(Exception):
    """One retrieve fails."""


@frozen
class Machine:
    """What stands outside of the handover: end of memory, the regions on the command line (name, bytes, alignment), who asks for FLBs."""

    top: int
    regions: tuple[tuple[str, int, int], ...] = ()
    asks_for_flbs: bool = False


@frozen
class Outcome:
    """``stop``: the class that ended it early, or None. ``files``: (session, token) to an errno or (size, position, seals, pages)."""

    stop: str | None
    sessions: tuple[bytes, ...]
    files: dict[tuple[bytes, int], object]
    regions: dict[str, int | None]


@frozen
class File:
    """A deserialized file: what luo_file_ser says."""

    token: int
    data: int


class Reader:
    """One boot of the reading kernel. ``wanted``: what user space will ask for, (session, tokens)."""

    def __init__(self, memory: PhysMemory, fdt_pa: int, machine: Machine) -> None:
        self.memory = memory
        self.fdt_pa = fdt_pa
        self.machine = machine
        self.stamps: dict[int, int] = {}
        self.visited = 0

    def raw(self, pa: int, size: int) -> bytes:
        """Bytes through the direct map."""
        if pa + size > self.machine.top:
            raise Fault
        if not self.memory.contains(pa, size):
            raise Luck(f"what is at {pa:#x}?")
        return bytes(self.memory.read(pa, size))

    def u64(self, pa: int) -> int:
        """A native word."""
        return int.from_bytes(self.raw(pa, 8), "little")

    def boot(self, wanted: list[tuple[bytes, list[int]]] | None = None) -> Outcome:
        """Boot, open the device, retrieve what is wanted (None: whatever is there)."""
        regions: dict[str, int | None] = {}
        try:
            tree = self.root()
            with_fault("dies-early", lambda: self.walk_tree())
            regions = with_fault("dies-early", lambda: {name: self.region(tree, name, size, align) for name, size, align in
                                                        self.machine.regions})  # fmt: skip
            blocks, flbs = with_fault("panic", lambda: self.luo(tree))
            with_fault("panic", lambda: self.others(tree, flbs))
            sessions = self.deserialize(blocks)
            wanted = [(name, [file.token for file in files]) for name, files in sessions.items()] if wanted is None else wanted
            files = with_fault("oops", lambda: self.retrieve(sessions, wanted))
        except Stop as stop:
            return Outcome(str(stop), (), {}, regions)
        return Outcome(None, tuple(sessions), files, regions)

    def root(self) -> Tree:
        """kho_populate()."""
        tree = Tree(self.raw(self.fdt_pa, PAGE))
        if not tree.sound() or not tree.compatible(0, b"kho-v4"):
            raise Stop("ignored")
        where = tree.prop(0, b"preserved-memory-map")
        if where is None or len(where) != 8 or not any(where):
            raise Stop("ignored")
        self.map_pa = int.from_bytes(where, "little")
        return tree

    def walk_tree(self) -> None:
        """kho_mem_retrieve(): every bit stamps its page; the last one counts."""
        for key in self.keys(self.map_pa, 5, 0):
            if key == 0 or key >> 53:
                raise Luck("a key of no order")
            order = 53 - key.bit_length()
            pfn = (key << order) & ((1 << 52) - 1)
            if pfn * PAGE >= -(-self.machine.top // SECTION) * SECTION:
                raise Fault  # no struct page
            if order > 10:
                raise Luck("an order that the allocator does not have")
            self.stamps[pfn] = order

    def keys(self, node: int, level: int, prefix: int) -> Iterator[int]:
        self.visited += 1
        if self.visited > 3000:
            raise Luck("a tree that goes on and on")
        for index, word in enumerate(struct.unpack("<512Q", self.raw(node, PAGE))):
            if not word:
                continue
            if level:
                yield from self.keys(word, level - 1, prefix | index << (15 + 9 * (level - 1)))
            else:
                yield from (prefix | index * 64 + bit for bit in range(64) if word >> bit & 1)

    def region(self, root: Tree, name: str, size: int, align: int) -> int | None:
        """reserve_mem_kho_revive(): the start of the region; None when it is allocated afresh."""
        found = self.subtree(root, b"memblock")
        if not isinstance(found, tuple):
            return None
        tree = Tree(self.raw(found[0], min(PAGE, self.machine.top - found[0])) if found[0] < self.machine.top else self.raw(found[0], 8))
        if not tree.sound() or not tree.compatible(0, b"memblock-v1"):
            return None
        node = tree.subnode(name.encode())
        if node is None or not tree.compatible(node, b"reserve-mem-v1"):
            return None
        start, length = tree.prop(node, b"start"), tree.prop(node, b"size")
        if start is None or length is None or len(start) != 8 or len(length) != 8:
            return None
        at = int.from_bytes(start, "little")
        if at & (align - 1) or int.from_bytes(length, "little") != size:
            return None
        if at + size <= self.machine.top:
            for page in range(at, at + size, PAGE):
                self.needs(page)
        return at

    def subtree(self, tree: Tree, name: bytes) -> tuple[int, int] | str:
        """kho_retrieve_subtree(): (address, size), or an errno."""
        node = tree.subnode(name)
        if node is None:
            return "ENOENT"
        where, size = tree.prop(node, b"preserved-data"), tree.prop(node, b"blob-size")
        if where is None or size is None or len(where) != 8 or len(size) != 8:
            return "EINVAL"
        return int.from_bytes(where, "little"), int.from_bytes(size, "little")

    def luo(self, root: Tree) -> tuple[list[int], int]:
        """liveupdate_early_init(): the session blocks, and where the FLBs are."""
        found = self.subtree(root, b"LUO")
        if found == "ENOENT":
            return [], 0
        if isinstance(found, str) or found[1] < 32:
            raise Stop("panic")
        state = self.raw(found[0], 32)
        if state[:7] != b"luo-v5\0":
            raise Stop("panic")
        sessions, flbs = struct.unpack("<16x2Q", state)
        self.needs(found[0])
        self.restore(found[0] // PAGE)
        try:
            return self.chain(sessions, SESSIONS), flbs
        except Eio:
            raise Stop("panic") from None

    def chain(self, at: int, capacity: int) -> list[int]:
        """kho_block_set_restore(): the blocks, or Eio."""
        blocks: list[int] = []
        while at:
            if at in blocks or len(blocks) > 10000:
                raise Eio
            blocks.append(at)
            at = self.u64(at)
        if any(not 1 <= self.u64(block + 8) <= capacity for block in blocks):
            raise Eio
        return blocks

    def needs(self, pa: int) -> None:
        """Bytes that are read after free pages are given away."""
        pfn = pa // PAGE
        if not any(self.stamps.get(pfn >> order << order, -1) >= order for order in range(20)):
            raise Luck(f"{pa:#x} is not preserved, and may have been reused")

    def others(self, root: Tree, flbs: int) -> None:
        """kexec-metadata, then the FLBs of whoever asks for them: nothing that user space sees, but for a fault."""
        found = self.subtree(root, b"kexec-metadata")
        if isinstance(found, tuple) and found[1] >= 4 and int.from_bytes(self.probe(found[0], 4), "little") == 1 and found[1] >= 73:
            self.probe(found[0], 73)
        if flbs and self.machine.asks_for_flbs:
            count = int.from_bytes(self.probe(flbs + 8, 8), "little")
            self.probe(flbs, 16 + 64 * min(count, 64))

    def probe(self, pa: int, size: int) -> bytes:
        """Read where what stands there does not matter."""
        try:
            return self.raw(pa, size)
        except Luck:
            return bytes(size)

    def deserialize(self, blocks: list[int]) -> dict[bytes, list[File]]:
        """luo_session_deserialize() and luo_file_deserialize()."""
        sessions: dict[bytes, list[File]] = {}
        try:
            for block in blocks:
                self.needs(block)
                for number in range(self.u64(block + 8)):
                    name, first, count = struct.unpack("<64s2Q", self.raw(block + 16 + 80 * number, 80))
                    name = name.partition(b"\0")[0][:63]
                    if name in sessions:
                        raise Eio
                    sessions[name] = self.file_set(first, count)
            for block in blocks:
                self.restore(block // PAGE)
        except Fault:
            raise Stop("oops") from None
        except Eio:
            raise Stop("open-fails") from None
        return sessions

    def file_set(self, first: int, count: int) -> list[File]:
        if not first:
            return []
        files = []
        for block in self.chain(first, FILES):
            self.needs(block)
            for number in range(self.u64(block + 8)):
                text, data, token = struct.unpack("<48s2Q", self.raw(block + 16 + 64 * number, 64))
                if text.partition(b"\0")[:2] != (b"memfd-v2", b"\0"):
                    raise Eio
                files.append(File(token, data))
        if len(files) != count:
            raise Eio
        return files

    def retrieve(self, sessions: dict[bytes, list[File]], wanted: list[tuple[bytes, list[int]]]) -> dict[tuple[bytes, int], object]:
        """RETRIEVE_SESSION and RETRIEVE_FD, one after the other."""
        found: dict[tuple[bytes, int], object] = {}
        opened: dict[int, object] = {}
        for name, tokens in wanted:
            for token in tokens:
                file = next((file for file in sessions.get(name, ()) if file.token == token), None)
                if file is None:
                    found[name, token] = "ENOENT"
                    continue
                if id(file) not in opened:
                    try:
                        opened[id(file)] = self.memfd(file.data)
                    except Errno as error:
                        opened[id(file)] = str(error)
                found[name, token] = opened[id(file)]
        return found

    def memfd(self, at: int) -> tuple[object, ...]:
        """memfd_luo_retrieve(), which gives the record's page back whatever comes of it."""
        try:
            found = self.read_memfd(at)
        except Errno:
            self.restore(at // PAGE)
            raise
        self.restore(at // PAGE)
        return found

    def read_memfd(self, at: int) -> tuple[object, ...]:
        """What the record says: (size, position, seals, {page of the file: its page of memory})."""
        if at < PAGE:
            raise Errno("EOPNOTSUPP")  # the interrupt vectors
        self.needs(at)
        pos, size, seals, _, count, first, total, _, order = struct.unpack("<2Q2I2QI2H", self.raw(at, 48))
        if seals & ~0x3F:
            raise Errno("EOPNOTSUPP")
        seals |= 0x1E if seals & 0x20 else 0
        pages: dict[int, int] = {}
        if count:
            area = self.vmalloc(first, total, order)
            failed = None
            for number in range(count):
                if number >= len(area) * 256:
                    raise Fault  # the guard page
                word, index = struct.unpack("<2Q", self.raw(area[number // 256] * PAGE + number % 256 * 16, 16))
                pfn, flags = word & (1 << 52) - 1, word >> 52
                if not pfn:
                    continue
                folio = self.restore(pfn)
                if folio is None:
                    failed = failed or "EIO"
                elif index % (1 << folio):
                    raise Luck("an index inside a folio")
                elif any(index + page in pages for page in range(1 << folio)):
                    failed = failed or "EEXIST"
                elif failed is None:
                    pages |= {index + page: pfn + page if flags & 2 else 0 for page in range(1 << folio)}
            if LAST in pages:
                raise Fault  # it is not truncated when the file is closed: clear_inode() stops
            if failed:
                raise Errno(failed)
        inside = {index: pfn for index, pfn in pages.items() if index * PAGE < size and pfn}
        return size, 0 if pos >> 63 else pos, seals, inside

    def vmalloc(self, chunk: int, total: int, order: int) -> list[int]:
        """kho_restore_vmalloc(): the pages of the area."""
        if order >= 31 or total > (1 << 31) // 8:
            raise Errno("EINVAL") if order < 31 else Luck("a shift that C does not define")
        area: list[int] = []
        while chunk:
            following, *entries = struct.unpack("<512Q", self.raw(chunk, PAGE))
            for entry in entries[: entries.index(0)] if 0 in entries else entries:
                if len(area) + (1 << order) > total or not self.restore_pages(entry // PAGE, 1 << order):
                    raise Errno("EINVAL")
                area += range(entry // PAGE, entry // PAGE + (1 << order))
            if self.restore(chunk // PAGE) is None:
                raise Errno("EINVAL")
            chunk = following
        if len(area) != total or not area:
            raise Errno("EINVAL")
        return area

    def restore_pages(self, pfn: int, count: int) -> bool:
        while count:
            step = min((pfn & -pfn).bit_length() - 1, count.bit_length() - 1) if pfn else 0
            if self.restore(pfn) is None:
                return False
            pfn, count = pfn + (1 << step), count - (1 << step)
        return True

    def restore(self, pfn: int) -> int | None:
        """kho_restore_page(): the order of the stamp, which is used up; tails lose theirs."""
        order = self.stamps.pop(pfn, None)
        for tail in range(pfn + 1, pfn + (1 << (order or 0))):
            self.stamps.pop(tail, None)
        return order


def with_fault(kind: str, step):  # type: ignore[no-untyped-def]
    """Run a step of the boot; a wild pointer in it ends with ``kind``."""
    try:
        return step()
    except Fault:
        raise Stop(kind) from None


def compare(twin: Outcome, found: Outcome) -> str:
    """The reaction class, as the captures name it."""
    if found.stop is not None:
        return found.stop
    answers = [found.files.get(key) for key in twin.files] + [None for name in twin.sessions if name not in found.sessions]
    if any(answer is None or isinstance(answer, str) for answer in answers):
        return "retrieve-fails"
    if twin.files != found.files:
        return "silent-wrong"
    return "accepted" if twin.regions == found.regions else "region-wrong"
