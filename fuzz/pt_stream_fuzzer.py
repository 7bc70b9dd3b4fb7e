# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as a page-table stream: unpacking ends in pages or an error of ours with a place; what is whole packs to the same bytes."""

from __future__ import annotations

import io

from devstate.errors import DecodeError, EncodeError
from devstate.memory.arena import Arena
from devstate.pagetable import native
from devstate.pagetable.build import build
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.pack import Pages, pack
from devstate.pagetable.stream import HEADER_SIZE, PAGE
from devstate.pagetable.unpack import unpack

PAGES_LIMIT = 600
"""Pages of one input: findings shall be small, and rounds quick."""


def one_input(data: bytes) -> None:
    """As it is, and with all sums of the first chunk and the header made right."""
    _unpacks(data)
    _unpacks(sealed(data))


def _unpacks(data: bytes) -> None:
    arena = Arena(0, PAGE)
    try:
        whole = unpack(data, arena, limit=PAGES_LIMIT)
    except (DecodeError, EncodeError) as error:
        assert error.message
        assert isinstance(error, EncodeError) or error.offset is not None
        whole = None
    other = Arena(0, PAGE)
    try:
        result = unpack(io.BytesIO(data), other, partial=True, limit=PAGES_LIMIT)
    except (DecodeError, EncodeError):
        return
    assert (whole is None) == bool(result.damaged)
    if whole is None:
        return
    assert whole.pages == result.pages == sum(result.levels)
    before, after = ([(each.start, bytes(each.data)) for each in made.view().regions] for made in (arena, other))
    assert before == after
    packs_again(arena, whole.pages)


def packs_again(arena: Arena, pages: int) -> None:
    """The pages that came out come back from a stream of their own."""
    memory = arena.view()
    pas = [pa for region in memory.regions for pa in range(region.start, region.end, PAGE)]
    if len(pas) != pages:
        return  # a top table inside a page
    out = io.BytesIO()
    pack(Pages(memory, pas), out)
    third = Arena(0, PAGE)
    unpack(out.getvalue(), third)
    assert [bytes(each.data) for each in memory.regions] == [bytes(each.data) for each in third.view().regions]


def sealed(data: bytes) -> bytes:
    """The same with the sums of the header and of the first chunk made right, so that what is behind them is read."""
    made = bytearray(data)
    if len(made) < HEADER_SIZE + 32:
        return data
    made[60:64] = native.crc32c(made[:60]).to_bytes(4, "little")
    at = HEADER_SIZE
    size = int.from_bytes(made[at + 16 : at + 20], "little")
    made[at + 24 : at + 28] = native.crc32c(made[at + 32 : at + 32 + size]).to_bytes(4, "little")
    made[at + 28 : at + 32] = native.crc32c(made[at : at + 28]).to_bytes(4, "little")
    return bytes(made)


def seeds() -> list[bytes]:
    """Streams of a small tree, of pages of every kind, and of none."""
    found = []
    arena = Arena()
    table = build(arena, "vtd-second-stage", [Mapping(n << 21, (n + 9) << 22, 0x5000, 3) for n in range(4)], 3)
    for what in (table, Pages(arena.view(), []), Pages(arena.view(), [table.top_table])):
        out = io.BytesIO()
        pack(what, out)
        found.append(out.getvalue())
    return found


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
