# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``python -m tests.rehearsal.soak [COUNT] [SEED]``: random machines with random faults, by either policy; not one wrong restore. `make
soak` runs 1,000.

Prints a table of how they ended. Exit status 1 when something was wrong: then the scenario and the fault are printed, to be tried again.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from devstate.frozen import replace
from devstate.rehearsal.faults import Tried, ends_of, faults_of
from devstate.rehearsal.run import Fault, run
from devstate.rehearsal.scenario import POLICIES, STAGES, TABLES, DevicePlan, Scenario
from devstate.rehearsal.units.kinds import KINDS


def machine(chance: random.Random) -> Scenario:
    """Any tree of up to eight devices, drivers that can be upgraded, one or two jumps, by either policy."""
    hops = chance.choice([1, 1, 2])
    devices: list[DevicePlan] = []
    for number in range(chance.randrange(9)):
        parent = chance.choice([None, *[each.name for each in devices]])
        versions = sorted(chance.choice([1, 2]) for _ in range(hops + 1))
        slots = chance.choice([0, 1, 64, 100, 500])
        devices.append(DevicePlan(f"device{number}", parent, slots, tuple(versions), chance.random() < 0.9, chance.random() < 0.9))
    kernels = tuple(chance.choice(["7.2", "7.3"]) for _ in range(hops + 1))
    jump, budgets = chance.choice(["exec", "kill"]), tuple([(op, 2_000_000_000) for op in ("prepare", "preserve", "freeze", "retrieve")])
    sessions, seed = chance.choice([0, 0, 40]), chance.getrandbits(32)
    made = Scenario("soak", kernels, jump, 8 << 20, chance.randint(1, 4), tuple(devices), budgets, seed, sessions)
    made = replace(made, iommu=chance.choice([*KINDS]), stage=chance.choice(STAGES), tables=chance.choice(TABLES))
    return replace(made, policy=chance.choice(POLICIES))


def fault(chance: random.Random, scenario: Scenario) -> Fault:
    """Any fault, or none; three of ten are bytes that flip, somewhere in what this very machine hands over, or its hardware reads."""
    if chance.random() < 0.3:
        structures = run(scenario, looks=True).structures
        return chance.choice([each for each in faults_of(scenario, structures) if each.how in ("flip", "live")])
    return chance.choice([Fault("none"), *faults_of(scenario)])


def main() -> int:
    """Run COUNT jumps."""
    parser = argparse.ArgumentParser(description="Random machines with random faults: not one wrong restore.")
    parser.add_argument("count", metavar="COUNT", type=int, nargs="?", default=1000, help="jumps (default: 1000)")
    parser.add_argument("seed", metavar="SEED", type=int, nargs="?", default=1, help="the same seed draws the same jumps (default: 1)")
    arguments = parser.parse_args()
    chance, ended, wrong = random.Random(arguments.seed), Counter[tuple[str, str, str]](), 0
    for _ in range(arguments.count):
        scenario = machine(chance)
        ordered = fault(chance, scenario)
        tried = Tried(ordered, ends_of(ordered, scenario), run(scenario, ordered))
        ended[scenario.policy, tried.fault.how, tried.result.ended] += 1
        if not tried.right:
            wrong += 1
            print(f"WRONG: {scenario}\n  {tried.fault!r}: {tried.result.ended}, {tried.result.failures}, {tried.result.wrong}", flush=True)
    for (policy, how, end), times in sorted(ended.items()):
        print(f"{policy:8} {how:10} {end:10} {times:6}")
    print(f"{arguments.count} jumps, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
