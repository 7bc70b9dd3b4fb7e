# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a live update costs, as far as it is devstate's: by devices, by memory, and what the agent's journal adds.

The peer is the tree read of the page-table benchmarks: what depends on the size of memory must go at that speed.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import numpy as np

from bench.row import Row, at_most
from bench.tables import Tables, tree_read
from bench.timing import interleave
from devstate.handover.build import build
from devstate.handover.open import open_memory
from devstate.handover.spec import Spec, forms_of
from devstate.layout.registry import Registry
from devstate.luo.engine import Engine
from devstate.luo.states import State
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.prove import prove
from devstate.rehearsal.document import document
from devstate.rehearsal.machine import Machine
from devstate.rehearsal.run import run as rehearse
from devstate.rehearsal.scenario import DevicePlan, Scenario
from devstate.rehearsal.state import Left
from devstate.rehearsal.tree import RehearsedDevices

TABLES = 512
"""Leaf tables of a GiB at 4K."""

DEVICES = (1, 16, 256)
MEMORY = (1, 64, 1024)
REPEATS = 5


def run() -> list[Row]:
    """The rows."""
    return [*_guest(), *_devices(), *_memory()]


def _guest() -> list[Row]:
    """The small guest: its blackout, and what of that is not the price of being a rehearsal; and the journal, turn by turn."""
    plans = tuple([DevicePlan(name, drivers=(1, 1)) for name in ("nvme0", "nic0")])
    scenario = Scenario("bench", memory=32 << 20, vcpus=2, devices=plans)
    times: dict[str | None, list[float]] = {None: [], "journal": []}
    blackouts = []
    for _ in range(REPEATS):
        for journal in times:
            path = None if journal is None else f"/tmp/devstate-bench-journal-{time.time_ns()}"
            jump = document(rehearse(scenario, journal=path))["jumps"][0]
            times[journal].append(jump["own_us"])
            blackouts.append(jump["blackout_us"])
    own, journaled = median(times[None]), median(times["journal"])
    return [
        at_most("small guest, blackout", median(blackouts) / 1000, "ms"),
        at_most("small guest, devstate's own share", own / 1000, "ms"),
        at_most("small guest, own share / blackout", own / median(blackouts), "x"),
        at_most("journal, what it adds to the blackout", (journaled - own) / median(blackouts), "x", must=0.05),
    ]


def _devices() -> list[Row]:
    """Freeze, serialise, open and restore of many devices, in one process."""
    registry = Registry.shipped()
    forms = forms_of(registry, "7.3")

    def jump(count: int) -> None:
        scenario = Scenario("bench", memory=8 << 20, devices=tuple([DevicePlan(f"d{n}", drivers=(1, 1)) for n in range(count)]))
        machine = Machine.create(scenario.memory, count)
        old, new = (RehearsedDevices(scenario, hop, machine, Engine(), lambda: State.NORMAL, registry) for hop in (0, 1))
        old.ask()
        old.prepare()
        old.freeze()
        built = build(Spec(forms, parts=old.parts()), registry=registry)
        new.restore(Left(open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch)))

    took = interleave({str(count): (lambda count=count: jump(count)) for count in DEVICES}, rounds=5)
    each = {count: took[str(count)] / count for count in DEVICES}
    return [
        *[at_most(f"{count} devices, freeze, serialise, open, restore", 1000 * took[str(count)], "ms") for count in DEVICES],
        at_most("a device of 256 / one of 16", each[256] / each[16], "x", must=2.0),
    ]


def _memory() -> list[Row]:
    """The part that depends on the size of memory: the proof that all that devices reach is preserved, against reading the tables."""
    rows = []
    spent: dict[int, float] = {}
    for gib in MEMORY:
        tables = Tables("mixed", gib * TABLES)
        coverage = Coverage(memoryview(np.array([0, 1 << 47], dtype=np.uint64)))
        calls = {"prove": partial(prove, tables.table, coverage), "read": partial(tree_read, tables)}
        took = interleave(calls, rounds=3)
        spent[gib] = took["prove"] / gib
        # A GiB is read in a fraction of a millisecond: what a call costs by itself counts for more there.
        must = 2.0 if gib > 1 else None
        rows.append(at_most(f"{gib} GiB at 4K, proof / reading the tables", took["prove"] / took["read"], "x", must=must))
        del tables, calls
    return [*rows, at_most("a GiB of 1024 / one of 64", spent[1024] / spent[64], "x", must=1.5)]
