# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The chunks of a page-table stream, made in groups by one thread or several, and put out in order.

Threads take turns: of N threads, each packs every Nth group, and puts it out when the one before has been. So there is nothing
between them but whose turn it is, and each needs room for one group.
"""

from __future__ import annotations

from devstate.errors import EncodeError, NotInMemoryError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable import native
from devstate.pagetable.listing import GROUP
from devstate.pagetable.stream import CHUNK_PAGES, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from queue import SimpleQueue
    from typing import IO

    import numpy
    import numpy.typing
    from _typeshed import WriteableBuffer

    from devstate.pagetable.listing import Listing
    from devstate.pagetable.stream import Header

    Items = numpy.typing.NDArray[numpy.uint64]

class Output:
    """Where a stream is put: a file, or memory. ``size``: how much of it there is."""

    def __init__(self, output: IO[bytes] | WriteableBuffer) -> None:
        self.size = 0
        self._file: IO[bytes] | None = None
        try:
            self._view = memoryview(output).cast("B")  # type: ignore[arg-type]  # what has no buffer is written to
        except TypeError:
            self._file = output  # type: ignore[assignment]  # as above
            return
        if self._view.readonly:
            raise EncodeError("an output that cannot be written")

    def put(self, data: bytes | memoryview) -> None:
        """Write what comes next. EncodeError when the memory is too small."""
        if self._file is not None:
            self._file.write(data)
            self.size += len(data)
        elif (place := self.claim(len(data))) is not None:
            place[:] = data

    def room(self, size: int) -> memoryview | None:
        """Memory for what comes next, to be claimed as far as it was used; None when there is no memory of this size."""
        if self._file is not None or self.size + size > len(self._view):
            return None
        return self._view[self.size : self.size + size]

    def claim(self, size: int) -> memoryview | None:
        """Memory for so much of what comes next, to be written at any time; None for a file. EncodeError when the memory is too small."""
        if self._file is not None:
            return None
        place = self.room(size)
        if place is None:
            raise EncodeError("an output that is too small", expected=f"more than {len(self._view)} bytes")
        self.size += size
        return place


class Packer:
    """Packs the pages of a listing."""

    def __init__(self, memory: PhysMemory, header: Header, listing: Listing, jobs: int) -> None:
        self.memory, self.part, self.listing = memory, header.part, listing
        self._groups = range(-(-listing.count // GROUP))
        self._jobs = max(min(jobs, len(self._groups)), 1)
        self._seen = native.c_memory(memory, PAGE) if native.BUILT else None
        self._chain = 0

    def run(self, output: Output, chain: int) -> int:
        """Put the chunks out; ``chain`` continued over the crcs of their headers."""
        self._chain = chain
        if self._jobs == 1:
            own = self._room()
            for group in self._groups:
                room = output.room(self._bound(group)) if native.BUILT else None
                made = self._pack(group, own if room is None else room, stream=room is not None and len(self._groups) > 1)
                self._chain = chain_on(self._chain, made)
                if room is None:
                    output.put(made)
                else:
                    output.claim(len(made))
        else:
            self._take_turns(output)
        return self._chain

    def _take_turns(self, output: Output) -> None:
        from queue import SimpleQueue
        from threading import Thread

        turns: list[SimpleQueue[bool]] = [SimpleQueue() for _ in range(self._jobs)]
        failed: list[BaseException] = []
        turns[0].put(True)
        threads = [Thread(target=self._work, args=(index, turns, failed, output)) for index in range(1, self._jobs)]
        for thread in threads:
            thread.start()
        self._work(0, turns, failed, output)
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def _work(self, index: int, turns: list[SimpleQueue[bool]], failed: list[BaseException], output: Output) -> None:
        """What one thread does. A turn that is False says that a group before could not be put out."""
        following = turns[(index + 1) % len(turns)]
        try:
            room = self._room()
            for group in self._groups[index :: len(turns)]:
                try:
                    made = self._pack(group, room)
                finally:
                    go = turns[index].get()
                if not go:
                    following.put(False)
                    return
                self._chain = chain_on(self._chain, made)
                place = output.claim(len(made))
                if place is None:
                    output.put(made)
                following.put(True)
                if place is not None:
                    _copy(place, made)
        except BaseException as error:
            failed.append(error)
            following.put(False)

    def _bound(self, group: int) -> int:
        bound: int = native.lib.ds_pt_pack_bound(min(GROUP, self.listing.count - group * GROUP))
        return bound

    def _room(self) -> memoryview:
        return native.words(self._bound(0) // 8 + 1).cast("B") if native.BUILT else memoryview(b"")

    def _pack(self, group: int, room: memoryview, *, stream: bool = False) -> memoryview:
        """The chunks of a group; ``stream``: around the caches."""
        items, start = self.listing.group(group), group * GROUP
        if not native.BUILT:
            return memoryview(b"".join(self._slow_chunk(items[at : at + CHUNK_PAGES].tolist(), start + at) for at in _steps(len(items))))
        seen = self._seen or native.c_memory(self._copied(items), PAGE)
        assert seen is not None
        fields = {"memory": seen[0], "part_pa": self.part[0], "part_size": self.part[1], "stream": stream}
        given, packed = native.ffi.new("struct ds_pt_pack *", fields), native.ffi.new("struct ds_pt_packed *")
        pages, out = native.ffi.from_buffer("uint64_t[]", items), native.ffi.from_buffer(room)
        status = native.lib.ds_pt_pack(given, pages, len(items), start // CHUNK_PAGES, out, len(room), packed)
        if status == native.lib.DS_EMEMORY:
            pa = int(items[packed.pages]) // PAGE * PAGE
            raise NotInMemoryError("a page is not in the memory", source=self.memory.source, pa=pa)
        native.done(status)
        return room[: packed.bytes]

    def _slow_chunk(self, items: list[int], start: int) -> bytes:
        from devstate.pagetable.stream_slowly import put_chunk, words_of

        pages = [words_of(self._page(item // PAGE * PAGE)) for item in items]
        return put_chunk(items, pages, start // CHUNK_PAGES)

    def _page(self, pa: int) -> bytes | memoryview:
        top, size = self.part
        if not size or pa != top // PAGE * PAGE:
            return self.memory.read(pa, PAGE)
        return bytes(top % PAGE) + self.memory.read(top, size) + bytes(PAGE - top % PAGE - size)

    def _copied(self, items: Items) -> PhysMemory:
        """The pages of a group as memory that the core can see."""
        pas = (items // PAGE * PAGE).tolist()
        return PhysMemory([MemoryRegion(pa, PAGE, memoryview(self._page(pa))) for pa in pas], source=self.memory.source)


def _copy(place: memoryview, made: memoryview) -> None:
    """With the GIL released, so that others pack meanwhile."""
    import numpy as np

    np.copyto(np.frombuffer(place, dtype=np.uint8), np.frombuffer(made, dtype=np.uint8))


def chain_on(chain: int, chunks: memoryview) -> int:
    """The crc over the crcs of headers, with those of chunks that we wrote."""
    if native.BUILT:
        data = native.ffi.from_buffer(chunks)
        made: int = native.lib.ds_pt_chain(chain, data, len(data))
        return made
    at = 0
    while at < len(chunks):
        chain = native.crc32c(chunks[at + 28 : at + 32], chain)
        at += 32 + int.from_bytes(chunks[at + 16 : at + 20], "little")
    return chain


def _steps(count: int) -> range:
    return range(0, count, CHUNK_PAGES)
