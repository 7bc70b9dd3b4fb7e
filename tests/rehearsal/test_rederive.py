# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a driver cannot read of what was left, it derives again, where a scenario wants it: in the blackout, with its device at work."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstate.cli.rehearse import fault_of, open_scenario
from devstate.errors import LiveUpdateError, UsageError
from devstate.layout.registry import Registry
from devstate.luo.devices import Device
from devstate.memory.arena import Arena
from devstate.pagetable import native
from devstate.pagetable.build import build
from devstate.pagetable.dma import Dma, Ring
from devstate.pagetable.formats import find_format
from devstate.pagetable.mapping import Mapping
from devstate.pagetable.table import PageTable
from devstate.rehearsal.document import document
from devstate.rehearsal.drivers import RingDriver
from devstate.rehearsal.faults import ends_of, faults_of
from devstate.rehearsal.machine import BASE, PAGE, STAMPS, STRIDE, Machine
from devstate.rehearsal.run import Fault, run
from devstate.rehearsal.scenario import DevicePlan, Scenario
from devstate.rehearsal.tree import RehearsedDevices
from devstate.rehearsal.world import World
from devstate.testing.rehearsal import rehearse
from tests.rehearsal.toy import Helpless, Knowing, Toy

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

SCHEMAS = [str(Path(__file__).with_name("toy_schema.py"))]
IOVA = 0x4000_0000


@pytest.mark.parametrize("policy", ["rfc", "merged"])
def test_the_shipped_scenario(policy: str) -> None:
    """The newer driver's device goes along without a pause; the report says who derived."""
    made = document(run(open_scenario("rollback-rederived", policy)))
    assert ("updated", [], ["nvme0"]) == (made["ended"], made["wrong"], made["jumps"][0]["rederived"])
    ops = {row["name"]: row["op"] for row in made["jumps"][0]["participants"] if row["name"].endswith("(driver)") and row["blackout"]}
    assert ("rederive", "restore") == (ops["root/nvme0 (driver)"], ops["root/nic0 (driver)"])


@pytest.mark.parametrize("policy", ["rfc", "merged"])
@pytest.mark.parametrize(("how", "ended"), [("fail", "refused"), ("kill", "lost")])
def test_what_goes_wrong_meanwhile(policy: str, how: str, ended: str) -> None:
    """The new kernel refuses, and uses nothing; the sweep tries it."""
    scenario = open_scenario("rollback-rederived", policy)
    fault = Fault(how, 1, "rederive", "driver")
    assert fault in list(faults_of(scenario))
    assert fault == fault_of(f"{how}:driver.rederive", scenario)
    result = run(scenario, fault)
    assert (ended, (ended,), ()) == (result.ended, ends_of(fault, scenario), result.wrong)


def test_drivers_of_ones_own() -> None:
    """One that knows goes on; one that finds nothing is refused with its reason; one that never said it could is held back."""
    found = [rehearse(driver, (2, 1), SCHEMAS, preflight="rederive") for driver in (Knowing, Helpless, Toy)]
    assert [("updated", ()), ("refused", ()), ("held", ())] == [(each.ended, each.wrong) for each in found]
    assert ("the device does not say where it is" in found[1].failures[0], "does not read" in found[2].failures[0]) == (True, True)


def test_who_need_not_or_may_not() -> None:
    """What can be read is read; and without the scenario's word nothing is derived."""
    assert ("updated", []) == _told(rehearse(Knowing, (1, 2), SCHEMAS, preflight="rederive"))
    assert "refused" == rehearse(Knowing, (2, 1), SCHEMAS).ended
    scenario = Scenario("up", preflight="rederive", devices=(DevicePlan("nvme0", drivers=(1, 2)),))
    assert [] == [fault for fault in faults_of(scenario) if fault.op == "rederive" or fault.participant == "driver"]
    for text in ("fail:driver.rederive", "missing:driver"):
        with pytest.raises(UsageError):
            fault_of(text, scenario)
    with pytest.raises(UsageError):
        fault_of("missing:driver", open_scenario("rollback-rederived"))


def _told(result: Any) -> tuple[str, list[str]]:
    return result.ended, document(result)["jumps"][0]["rederived"]


def world(slots: int = 100, number: int = 0) -> tuple[World, Dma]:
    """A device whose ring is two pages, in reverse, in a machine of its own; and its way to memory."""
    machine = Machine.create(8 << 20, 1)
    arena = Arena(BASE, machine.size, backing=machine.bytes)
    pa = arena.alloc(2 * PAGE)
    mapped = [Mapping(IOVA, pa + PAGE, PAGE, 3), Mapping(IOVA + PAGE, pa, PAGE, 3)]
    table = build(arena, find_format("vtd-second-stage"), mapped, levels=3)
    table = PageTable(machine.memory(), table.format, table.top_table, table.levels)
    return World(machine, table, (0, 32), Ring(IOVA, slots, STRIDE, number)), Dma(table)


def test_the_newest_stamp() -> None:
    """The largest number of a whole stamp of this device; none in an empty ring, or without page tables."""
    found, dma = world()
    assert found.newest() is None
    dma.stamp(found.ring, 0, 250)
    assert 249 == found.newest()
    dma.write(IOVA + 249 % 100 * STRIDE + 12, b"\0\0\0\0")  # in the middle of being written
    dma.write(IOVA + 248 % 100 * STRIDE + 8, b"\7")  # of another device
    assert 247 == found.newest()
    assert World(found.machine, None, None, found.ring).newest() is None
    assert 247 == World(found.machine, found.table, None, Ring(IOVA, 200, STRIDE, 0)).newest(), "the ring ends where nothing is mapped"
    assert World(found.machine, found.table, None, Ring(IOVA + 2 * PAGE, 64, STRIDE, 0)).newest() is None


@pytest.mark.parametrize(("counted", "fits"), [(0, False), (185, False), (186, True), (250, True), (251, False)])
def test_a_ring_that_does_not_fit_its_count(counted: int, fits: bool) -> None:
    """What is counted is written; what is written is counted soon, a burst later at the latest."""
    found, dma = world()
    dma.stamp(found.ring, 0, 250)
    found.machine.count(0, STAMPS, counted)
    driver, device = RingDriver(1, 0, found.machine, Registry.shipped()), Device("nvme0")
    if fits:
        driver.derive(device, None, found)
    else:
        with pytest.raises(LiveUpdateError, match="stamps are counted"):
            driver.derive(device, None, found)


def test_a_format_that_nobody_knows() -> None:
    """A driver that derives gets None for it; any other is refused as ever."""

    class Nothing:
        @staticmethod
        def record(path: str, format_: str) -> Any:
            raise LiveUpdateError(2, f"{path}: {format_} is not known")

    machine, engine = Machine.create(8 << 20, 1), SimpleNamespace()
    for preflight in ("rederive", "off"):
        plan = Scenario("s", preflight=preflight, devices=(DevicePlan("nvme0", drivers=(1, 1)),))
        tree: Any = RehearsedDevices(plan, 0, machine, engine, lambda: None, Registry.shipped())  # type: ignore[arg-type]  # not needed
        if preflight == "rederive":
            assert tree._left(Nothing(), "devices/machine/driver-0", "root/nvme0", "ring-v9") is None
            continue
        with pytest.raises(LiveUpdateError, match="is not known"):
            tree._left(Nothing(), "devices/machine/driver-0", "root/nvme0", "ring-v9")
