# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Handovers of many shapes, through a real jump each: ``python -m tests.live.shapes KERNEL [NEXT]``.

For each one, four things must agree: what the old kernel's user space made, what ``inspect`` and ``check`` say of the memory at the jump,
what the next kernel gives back, and what it gives back when devstate has built the same handover again, in other memory.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devstate.frozen import frozen, replace
from devstate.handover.build import build
from devstate.handover.open import open_handover
from devstate.handover.spec import RegionSpec, Spec
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from tests.live.built import SEAL_EXEC, WINDOW, forms, free, planned, scratch_of
from tests.live.promises import devstate, inspected
from tests.live.stage import Stage, reaction_class

MANY = "".join(
    f"session s{number:03}\n" + "".join(f"file {token} {4096 * (1 + token % 3)} {number * 8 + token + 1} 0 0 0\n" for token in range(3))
    for number in range(110)
)
"""110 sessions and 330 files: more than a block of either holds is one chain of sessions."""

LONG = "session long\n" + "".join(f"file {token} 5000 {token + 1} 0 7 0\n" for token in range(150))
"""150 files of one session: a chain of three blocks."""

LARGE = "session vm\nfile 1 157286400 0 0 0 0\nfile 2 33554432 9 14 33554432 0\nfile 3 4097 3 0 4097 0\n"
"""A hole of 150 MiB, which preserving fills, and a sealed file of 32 MiB."""

SEALS = "session seals\n" + "".join(f"file {seals} 8192 {seals + 1} {seals} 0 0\n" for seals in range(32)) + "file 100 0 0 6 99 8\n"
"""Every set of seals, and one that also may never be executed."""

IMPLIED = 0x1E
"""Seals that come with SEAL_EXEC when a file is made anew, since that one may be executed: ``check`` calls it (memfd-seal-exec)."""

REGIONS = "reserve_mem=4M:4096:trace reserve_mem=64K:65536:log"


@frozen
class Shape:
    """A plan, what more both kernels are told, and how much memory the machine has."""

    name: str
    plan: str
    line: str = ""
    memory: str = "512M"


SHAPES = (
    Shape("110 sessions, 330 files", MANY),
    Shape("150 files of one session", LONG),
    Shape("150 MiB of holes, 32 MiB sealed", LARGE, memory="1G"),
    Shape("every set of seals", SEALS),
    Shape("reserve_mem regions", "session vm\nfile 1 4096 1 0 0 0\n", REGIONS),
    Shape("nothing", ""),
)


def wrong(shape: Shape, stage: Stage) -> Iterator[str]:
    """What does not agree."""
    reaction = stage.play([])
    made = [line.split()[1:] for line in stage.console.splitlines() if line.startswith("@preserve ")]
    made = [[*words[:4], str(int(words[4]) | IMPLIED if int(words[4]) & SEAL_EXEC else words[4]), words[5]] for words in made]
    found = [line.split()[1:] for line in reaction.said if line.startswith("file ")]
    if made != found or reaction.died or reaction.warnings:
        yield f"the kernel gave back something else: {reaction.died} {reaction.warnings} {[each for each in found if each not in made][:3]}"
    yield from inside(shape, stage)
    handover = open_handover(open_input(str(stage.core)))
    assert handover.memory is not None and handover.fdt_pa is not None
    scratch = scratch_of(stage.console)
    regions = tuple(RegionSpec(each.name, each.size) for each in handover.regions)
    pins = {"kho": handover.fdt_pa} | {each.path: each.start for each in handover.regions}
    own = Spec(forms(handover), sessions=planned(shape.plan), scratch=scratch, pins=pins, regions=regions)
    if sum(file.size for session in own.sessions for file in session.files) > WINDOW:
        return
    built = build(replace(own, hollow=bool(regions)), Arena(free(handover.memory, scratch), WINDOW))
    writes = [(region.start, bytes(region.data)) for region in built.arena.view().regions]
    again = stage.play(writes)
    if reaction_class(reaction, again) != "accepted" or again.warnings:
        yield f"built again, the kernel {reaction_class(reaction, again)}: {again.warnings}"


def inside(shape: Shape, stage: Stage) -> Iterator[str]:
    """What ``inspect`` and ``check`` say of the memory at the jump, and should not."""
    luo = inspected(stage.core)["luo"]
    assert isinstance(luo, dict)
    expected = [
        [session.name, file.token, file.size, file.pos, hashlib.sha256(bytes(file.content).ljust(file.size, b"\0")).hexdigest()]
        for session in planned(shape.plan)
        for file in session.files
    ]
    found = [
        [session["name"], *(file[name] for name in ("token", "size", "pos", "sha256"))]
        for session in luo["sessions"]
        for file in session["files"]
    ]
    if expected != found:
        yield f"inspect: {[each for each in found if each not in expected][:3]}"
    status, said = devstate("check", stage.core)
    if status:
        yield f"check: {said}"


def main() -> int:
    """Each shape; 1 when something does not agree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel", type=Path)
    parser.add_argument("following", type=Path, nargs="?")
    arguments = parser.parse_args()
    broken = False
    for shape in SHAPES:
        place = Path(tempfile.mkdtemp())
        stage = Stage(
            arguments.kernel, arguments.following or arguments.kernel, place, plan=shape.plan, line=shape.line, memory=shape.memory
        )  # fmt: skip
        try:
            found = list(wrong(shape, stage))
        finally:
            stage.end()
            shutil.rmtree(place)
        broken = broken or bool(found)
        print("broken" if found else "kept  ", shape.name, *found, flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
