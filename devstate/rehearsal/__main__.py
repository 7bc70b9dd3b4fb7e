# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A process of a rehearsal: ``python -m devstate.rehearsal kernel|device PLAN``. PLAN is JSON; ``devstate.rehearsal.run`` starts them."""

from __future__ import annotations

import json
import sys

from devstate.rehearsal.machine import Machine
from devstate.rehearsal.scenario import from_plain


def main(arguments: list[str]) -> int:
    """Run as what the first argument says."""
    role, plan = arguments[0], json.loads(arguments[1])
    machine = Machine(plan["memory"], plan["control"])
    if role == "device":
        from devstate.rehearsal.device import main as work

        work(machine, plan["devices"], {(row[0], row[1]): row[2] for row in plan["routes"]})
        return 0
    load()
    from devstate.rehearsal.kernel import Kernel

    scenario = from_plain(plan["scenario"])
    sys.path.extend(each for each in scenario.path if each not in sys.path)
    kernel = Kernel(machine, scenario, plan)
    if kernel.hop:
        kernel.take_over()
    else:
        kernel.boot()
    kernel.live()
    return 0


def load() -> None:
    """Load all that a kernel needs before the clock of any phase runs: a kernel does not read its code from disk in the blackout."""
    import numpy  # noqa: F401

    from devstate.check.rules import ACTIVE
    from devstate.check.run import rule_module

    for rule in ACTIVE:
        rule_module(rule)


sys.exit(main(sys.argv[1:]))
