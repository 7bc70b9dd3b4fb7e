# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A driver author's own driver through the jump, the pairs of its versions, and every fault: a few lines of a test each.

::

    from devstate.testing.rehearsal import POLICIES, pairs, rehearse, sweep

    @pytest.mark.parametrize("policy", POLICIES)
    def test_the_jump(policy):
        assert rehearse(Nic, versions=(1, 2), schemas=["nic_schema.py"], policy=policy).ended == "updated"

    @pytest.mark.parametrize("policy", POLICIES)
    def test_pairs(policy):
        ends = {(1, 1): "updated", (1, 2): "updated", (2, 1): "refused", (2, 2): "updated"}
        assert pairs(Nic, schemas=["nic_schema.py"], policy=policy) == ends

    @pytest.mark.parametrize("policy", POLICIES)
    def test_every_fault(policy):
        assert not [each for each in sweep(Nic, schemas=["nic_schema.py"], policy=policy) if not each.right]

POLICIES are those of a scenario: "rfc", the RFC's orchestrator, and "merged", sessions and files. ``Nic`` is a
:class:`devstate.rehearsal.drivers.Driver` at the top of a module that can be imported. Each rehearsal starts three processes and takes
about a second. ``result.wrong`` must be empty: what is in it is harm.
"""

from __future__ import annotations

import sys

from devstate.rehearsal.drivers import Driver
from devstate.rehearsal.faults import Tried
from devstate.rehearsal.faults import sweep as sweep_scenario
from devstate.rehearsal.run import Fault, Result, run
from devstate.rehearsal.scenario import POLICIES, DevicePlan, Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["MEMORY", "POLICIES", "pairs", "rehearse", "scenario", "sweep"]

MEMORY = 8 << 20
"""Bytes of the machine: little, for tests."""


def scenario(driver: type[Driver], versions: Sequence[int] = (1, 1), schemas: Sequence[str] = (), **settings: Any) -> Scenario:
    """A machine with one device of this driver, below a bridge; ``versions`` of it in each kernel. ``settings`` are those of Scenario."""
    name = f"{driver.__module__}:{driver.__qualname__}"
    plain = tuple(1 for _ in versions)
    devices = (DevicePlan("bridge", slots=0, drivers=plain), DevicePlan("device", "bridge", drivers=tuple(versions), driver=name))
    given: dict[str, Any] = {"kernels": tuple("7.3" for _ in versions), "memory": MEMORY, "devices": devices}
    given["path"] = tuple(filter(None, sys.path))
    return Scenario(name, **(given | settings | {"schemas": tuple(schemas)}))


def rehearse(
    driver: type[Driver], versions: Sequence[int] = (1, 1), schemas: Sequence[str] = (), fault: Fault | None = None, **settings: Any
) -> Result:
    """One update, from version to version; with a fault, if one is given."""
    return run(scenario(driver, versions, schemas, **settings), fault)


def pairs(driver: type[Driver], schemas: Sequence[str] = (), **settings: Any) -> dict[tuple[int, int], str]:
    """How each jump from one of its versions to another ended. AssertionError when anything was wrong."""
    ended = {}
    for old in range(1, len(driver.compatibles) + 1):
        for new in range(1, len(driver.compatibles) + 1):
            result = rehearse(driver, (old, new), schemas, **settings)
            assert not result.wrong, f"from version {old} to {new}: {result.wrong}"
            ended[old, new] = result.ended
    return ended


def sweep(driver: type[Driver], versions: Sequence[int] = (1, 1), schemas: Sequence[str] = (), **settings: Any) -> list[Tried]:
    """Every fault, one rehearsal each: about a minute."""
    return list(sweep_scenario(scenario(driver, versions, schemas, **settings)))
