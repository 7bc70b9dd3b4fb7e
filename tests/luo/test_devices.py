# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""dev_liveupdate: who may be requested, who goes along, the orders on the way down and up, unwinding, and what the jump carries."""

from __future__ import annotations

import errno

import pytest

from devstate.errors import LiveUpdateError
from devstate.luo.devices import Device, Devices
from devstate.luo.orchestrator import Orchestrator
from devstate.luo.states import Event, State
from tests.luo.drivers import Side

Log = list[tuple[str, str]]


def tree(log: Log, failing: set[tuple[str, str]] | None = None) -> Devices:
    """``root / port / {nvme, nic}`` and ``root / lonely``, whose driver takes no part."""
    bus, driver = Side("bus", log, failing), Side("driver", log, failing)
    root = Device("root", driver=driver, bus=bus)
    port = Device("port", root, driver=driver, bus=bus)
    leaves = [Device(name, port, driver=driver, bus=bus) for name in ("nvme", "nic")]
    return Devices([root, port, *leaves, Device("lonely", root, bus=bus)])


def ops(log: Log, op: str) -> list[str]:
    """``driver nvme`` and so on, of all calls of an op."""
    return [f"{name} {what.split()[1]}" for name, what in log if what.startswith(op)]


DOWN = ["driver nvme", "bus nvme", "driver port", "bus port", "driver root", "bus root"]


def test_ancestors_follow_and_children_go_first() -> None:
    """One device requested: its ancestors go too, after it."""
    log: Log = []
    devices = tree(log)
    devices.request(devices.device("root/port/nvme"))
    devices.prepare()
    assert DOWN == ops(log, "prepare")
    assert ["root", "root/port", "root/port/nvme"] == [state.path for state in devices.saved()]
    devices.freeze()
    assert DOWN == ops(log, "freeze")


def test_who_may_be_requested() -> None:
    """Driver and bus of all, in the state normal."""
    devices = tree([])
    with pytest.raises(LiveUpdateError, match="root/lonely take no part") as refused:
        devices.request(devices.device("root/lonely"))
    assert errno.EINVAL == refused.value.errno
    child = Device("child", devices.device("root/lonely"), driver=Side("driver", []), bus=Side("bus", []))
    devices.add(child)
    with pytest.raises(LiveUpdateError, match="root/lonely take no part"):
        devices.request(child)
    devices.state = lambda: State.PREPARED
    with pytest.raises(LiveUpdateError) as refused:
        devices.request(devices.device("root/port"))
    assert errno.EBUSY == refused.value.errno


@pytest.mark.parametrize("at", range(6))
def test_a_failed_prepare_unwinds_backwards(at: int) -> None:
    """A bus that fails: its driver first; then every device before it, last first, bus before driver does not matter to either."""
    side, device = DOWN[at].split()
    log: Log = []
    devices = tree(log, {(side, f"prepare {device}")})
    devices.request(devices.device("root/port/nvme"))
    with pytest.raises(LiveUpdateError):
        devices.prepare()
    assert DOWN[:at][::-1] == ops(log, "cancel")
    assert [] == [each.path for each in devices if each.preserved]
    assert () == devices.saved()


def test_a_failed_freeze_is_cancelled_by_the_orchestrator() -> None:
    """Once for each side of each device."""
    log: Log = []
    devices = tree(log, {("bus", "freeze port")})
    orchestrator = Orchestrator()
    devices.state = lambda: orchestrator.state
    orchestrator.register(devices)
    devices.request(devices.device("root/port/nvme"))
    orchestrator.send(Event.PREPARE)
    with pytest.raises(LiveUpdateError):
        orchestrator.send(Event.FREEZE)
    assert DOWN[::-1] == ops(log, "cancel")
    assert State.NORMAL is orchestrator.state


def test_the_jump_carries_preserved_and_finish_warns() -> None:
    """Parents are restored first; what nobody reclaims is warned of; all flags are reset."""
    devices = tree([])
    for path in ("root/port/nvme", "root/port/nic"):
        devices.request(devices.device(path))
    devices.device("root/port/nic").payload = b"queues"
    devices.prepare()
    devices.freeze()
    log: Log = []
    new = tree(log)
    new.receive(devices.saved())
    assert ["root", "root/port", "root/port/nvme", "root/port/nic"] == [each.path for each in new if each.preserved]
    assert b"queues" == new.device("root/port/nic").payload
    new.reclaim(new.device("root/port/nvme"))
    for device, number in (("root/port/nvme", errno.EBUSY), ("root/lonely", errno.EINVAL)):
        with pytest.raises(LiveUpdateError) as refused:
            new.reclaim(new.device(device))
        assert number == refused.value.errno
    new.finish()
    assert ["finish: root/port/nic: nobody reclaimed it"] == new.engine.warnings
    assert ["driver nic", "bus nic", "driver nvme", "bus nvme", "driver port", "bus port", "driver root", "bus root"] == ops(log, "finish")
    assert [] == [each.path for each in new if each.preserved or each.requested or each.reclaimed]


def test_a_device_that_is_gone_in_the_new_kernel() -> None:
    """ENODEV, with its path."""
    devices = tree([])
    devices.request(devices.device("root/port/nvme"))
    devices.prepare()
    new = Devices([Device("root")])
    with pytest.raises(LiveUpdateError, match="no device root/port") as refused:
        new.receive(devices.saved())
    assert errno.ENODEV == refused.value.errno


def test_a_tree_that_bites_its_tail() -> None:
    """EINVAL, not an endless walk."""
    one = Device("one")
    two = Device("two", one)
    one.parent = two
    with pytest.raises(LiveUpdateError, match="its own ancestor"):
        Devices([one])
