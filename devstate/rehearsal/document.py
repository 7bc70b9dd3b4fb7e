# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A rehearsal, and a sweep of faults, as plain documents: what reports are made from, and what ``--format json`` prints (docs/rehearse.md).

Times are microseconds. A jump is a row of phases, one behind the other; the blackout is from ``freeze`` to ``take memory``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from devstate.rehearsal.faults import Tried
    from devstate.rehearsal.run import Result, Step
    from devstate.rehearsal.scenario import Scenario

PHASES = (
    # phase, in which the guest stands still, its last step
    ("freeze", True, "frozen"),
    ("serialise", True, "handed-over"),
    ("process start", True, "started"),
    ("open", True, "opened"),
    ("check", True, "checked"),
    ("restore", True, "restored"),
    ("take memory", True, "resumed"),
    ("finish", False, "finished"),
)
OF_A_REHEARSAL = ("process start", "take memory")
"""The price of being a rehearsal: an interpreter starts, and overwrites all memory that is its own. What is left is devstate's own."""


def document(result: Result) -> dict[str, Any]:
    """One rehearsal."""
    return {
        "scenario": result.scenario.name,
        "policy": result.scenario.policy,
        "iommu": result.scenario.iommu,
        "stage": result.scenario.stage,
        "kernels": list(result.scenario.kernels),
        "ended": result.ended,
        "expected": result.scenario.expect,
        "right": result.ended == result.scenario.expect and not result.wrong,
        "failures": list(result.failures),
        "wrong": list(result.wrong),
        "warnings": result.warnings(),
        "stamps": result.stamps,
        "interrupts": result.interrupts,
        "jumps": [jump(result.steps, hop) for hop in sorted({step.hop for step in result.steps if step.name == "blackout"})],
    }


def jump(steps: Sequence[Step], hop: int) -> dict[str, Any]:
    """One jump, from the kernel of ``hop`` on; a jump that failed has the phases that it came to."""
    mine = [step for step in steps if step.hop in (hop, hop + 1)]
    # An update that was tried again has steps twice: the last ones count.
    last = {step.name: step for step in mine if step.hop == hop + (step.name not in ("prepared", "blackout", "frozen", "handed-over"))}
    phases: list[dict[str, Any]] = []
    at = last["blackout"].at if "blackout" in last else 0
    for name, blackout, end in PHASES:
        if end not in last:
            break
        phases.append({"name": name, "start_us": at // 1000, "us": (last[end].at - at) // 1000, "blackout": blackout})
        at = last[end].at
    calls = [call for step in last.values() for call in step.more.get("calls", [])]
    rows = [{"name": who, "op": op, "us": round(took / 1000, 1), "blackout": blackout} for _, who, op, took, blackout in calls]
    total = sum(phase["us"] for phase in phases if phase["blackout"])
    other = sum(phase["us"] for phase in phases if phase["name"] in OF_A_REHEARSAL)
    rederived = last["restored"].more["rederived"] if "restored" in last else []
    return {
        "from": hop, "blackout_us": total, "own_us": total - other, "phases": phases, "participants": rows, "rederived": rederived,
    }  # fmt: skip


def sweep_document(scenario: Scenario, tried: Sequence[Tried]) -> dict[str, Any]:
    """A sweep: injected, detected (it did not end as if nothing had been), survived (the guest lives), wrong."""
    rows = [
        {
            "fault": str(each.fault),
            "expected": list(each.expected),
            "ended": each.result.ended,
            "right": each.right,
            "failures": list(each.result.failures),
            "wrong": list(each.result.wrong),
        }
        for each in tried
    ]
    return {
        "scenario": scenario.name,
        "policy": scenario.policy,
        "iommu": scenario.iommu,
        "stage": scenario.stage,
        "injected": len(rows),
        "detected": sum(bool(each.result.failures) or bool(each.result.warnings()) for each in tried),
        "survived": sum(each.result.ended in ("updated", "kept") for each in tried),
        "wrong": sum(not each.right for each in tried),
        "faults": rows,
    }
