# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A real kernel takes over what devstate wrote: ``python -m tests.live.built KERNEL [NEXT]``.

At the jump, the old kernel's handover is replaced by one that devstate built from nothing but the plan: the root page is at the same
address, since the carrier names it, everything else is where that kernel had free memory. The next kernel must find every session and file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from devstate.frozen import replace
from devstate.handover.build import build
from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.handover.spec import FileSpec, Forms, SessionSpec, Spec
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from tests.live.stage import PLAN, Stage, reaction_class

WINDOW = 32 << 20
"""Bytes of free memory that devstate builds in."""

NOEXEC_SEAL, SEAL_EXEC = 8, 32
"""The flag of memfd_create(2) that sets the seal."""

GOLDEN = 0x9E3779B97F4A7C15
"""The factor of ``word()`` in agent.c."""


def content(size: int, seed: int) -> bytes:
    """The bytes of a seed, as agent.c makes them."""
    if not seed:
        return b""
    words = np.arange(1, size // 8 + 2, dtype=np.uint64) * np.uint64(GOLDEN) ^ np.uint64(seed)
    return words.tobytes()[:size]


def planned(plan: str) -> tuple[SessionSpec, ...]:
    """The sessions of a plan."""
    sessions: list[SessionSpec] = []
    for line in plan.splitlines():
        match line.split():
            case ["session", name]:
                sessions.append(SessionSpec(name))
            case ["file", *words]:
                token, size, seed, seals, position, flags = map(int, words)
                file = FileSpec(token, content(size, seed), size, position, seals | (SEAL_EXEC if flags & NOEXEC_SEAL else 0))
                sessions[-1] = replace(sessions[-1], files=(*sessions[-1].files, file))
    return tuple(sessions)


def scratch_of(console: str) -> tuple[tuple[int, int], ...]:
    """Scratch, as the old kernel's debugfs shows it: its array is copied to where the carrier names it only after the jump."""
    said = [line.split()[1:] for line in console.splitlines() if line.startswith("@scratch ")]
    columns = {words[0]: [int(word, 16) for word in words[1:]] for words in said}
    return tuple(zip(columns["scratch_phys"], columns["scratch_len"], strict=True))


def free(memory: PhysMemory, scratch: tuple[tuple[int, int], ...]) -> int:
    """The address of a window that holds nothing but zeros, and is no scratch."""
    for region in memory.regions:
        view = np.frombuffer(region.data, dtype=np.uint8)
        for at in range(-(-region.start // WINDOW) * WINDOW, region.end - WINDOW, WINDOW):
            apart = all(at + WINDOW <= start or start + size <= at for start, size in scratch)
            if apart and not view[at - region.start : at - region.start + WINDOW].any():
                return at
    raise SystemExit("there is no free memory")


def forms(handover: Handover) -> Forms:
    """Those of the old kernel."""
    assert handover.layout is not None and handover.luo is not None and handover.metadata is not None
    return Forms(handover.layout.name, handover.luo.format, "memfd-v2", handover.metadata.previous_release)


def variants(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """The same plan, laid out in several ways."""
    yield "pages", spec
    large = tuple(replace(each, files=tuple(replace(file, order=9) for file in each.files)) for each in spec.sessions)
    yield "folios of 2 MiB", replace(spec, sessions=large)
    yield "one record in a block", replace(spec, per_block=1)
    yield "two entries in a page of a list", replace(spec, per_list=2)
    yield "folio arrays in blocks of 16 KiB", replace(spec, list_order=2)


def main() -> int:
    """Build, jump, and say what the next kernel found; 1 when that is not the plan."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel", type=Path)
    parser.add_argument("following", type=Path, nargs="?")
    arguments = parser.parse_args()
    stage = Stage(arguments.kernel, arguments.following or arguments.kernel, Path(tempfile.mkdtemp()))
    broken = False
    try:
        twin = stage.play([])
        handover = open_handover(open_input(str(stage.core)))
        assert handover.memory is not None and handover.fdt_pa is not None
        scratch, pins = scratch_of(stage.console), {"kho": handover.fdt_pa}
        start = free(handover.memory, scratch)
        for what, spec in variants(Spec(forms(handover), sessions=planned(PLAN), scratch=scratch, pins=pins)):
            built = build(spec, Arena(start, WINDOW))
            writes = [(region.start, bytes(region.data)) for region in built.arena.view().regions]
            reaction = stage.play(writes)
            found = reaction_class(twin, reaction)
            broken = broken or found != "accepted" or bool(reaction.warnings)
            print(f"{what:35} {sum(len(data) for _, data in writes):10} bytes  {found}  {' '.join(reaction.warnings)}")
    finally:
        stage.end()
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
