# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rehearse a live update with real processes: an old kernel, a new one, and devices that go on with DMA and interrupts all the time.

SCENARIO is a TOML file (docs/rehearse.md), or the name of one that comes with devstate; without it, these are listed.

  devstate rehearse small-guest
  devstate rehearse small-guest --fault fail:iommu.prepare
  devstate rehearse mine.toml --sweep
  devstate rehearse merged --fault fail:vfio.freeze

A scenario says whose rules it goes by: policy = "rfc", the orchestrator of the RFC, which calls participants (prepare, freeze, cancel,
restore, finish), or "merged", sessions and files as in mainline (can_preserve, get_id, preserve, unpreserve, freeze, unfreeze, retrieve,
can_finish, finish of handlers; preserve, unpreserve, retrieve, finish of shared objects). --policy takes the other one.

A fault is HOW:PARTICIPANT.OP, where HOW is fail, slow or kill; missing:PARTICIPANT; early; journal. Exit status 0: it ended as it must,
and nothing was wrong; 1: it did not.
"""

from __future__ import annotations

import os
import sys

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from devstate.rehearsal.run import Fault, Step
    from devstate.rehearsal.scenario import Scenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("scenario", metavar="SCENARIO", nargs="?", help="a TOML file, or the name of a shipped scenario")
    parser.add_argument("--fault", metavar="FAULT", help="let one thing go wrong")
    parser.add_argument("--policy", choices=("rfc", "merged"), help="whose rules it goes by, whatever the scenario says")
    parser.add_argument("--sweep", action="store_true", help="try every fault, one rehearsal each")
    parser.add_argument("--journal", metavar="FILE", help="where the agent keeps its journal")
    parser.add_argument("--format", choices=("text", "json", "html"), default="text", help="how to report (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the report (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Run it, or all faults of it. UsageError for a scenario or fault that cannot be."""
    from devstate.cli.command import FINDINGS, OK

    if arguments.scenario is None:
        for name in shipped():
            print(name)
        return OK
    scenario = open_scenario(arguments.scenario, arguments.policy)
    if arguments.output == "-":
        return OK if report(arguments, scenario, sys.stdout) else FINDINGS
    with open(arguments.output, "w", encoding="utf-8") as file:
        return OK if report(arguments, scenario, file) else FINDINGS


def folder() -> str:
    """Where the shipped scenarios are."""
    import devstate.rehearsal

    return os.path.join(os.path.dirname(devstate.rehearsal.__file__), "scenarios")


def shipped() -> list[str]:
    """Names of the shipped scenarios."""
    return sorted(name.removesuffix(".toml") for name in os.listdir(folder()))


def open_scenario(word: str, policy: str | None = None) -> Scenario:
    """The scenario in a file, or the shipped one of this name; by another policy, if one is given."""
    from devstate.rehearsal.scenario import read_scenario

    if word in shipped() and not os.path.exists(word):
        return loaded(read_scenario(os.path.join(folder(), f"{word}.toml"), policy))
    if not os.path.exists(word):
        from devstate.cli.command import suggest

        raise UsageError(f"{word}: no such file, and no scenario of this name{suggest(word, shipped())}; `devstate rehearse` lists them")
    return loaded(read_scenario(word, policy))


def loaded(scenario: Scenario) -> Scenario:
    """The scenario, once its drivers, their schemas and KVM are known to be there. UsageError for what is not."""
    from devstate.errors import LiveUpdateError
    from devstate.luo.kvm import Kvm
    from devstate.rehearsal.drivers import load_driver
    from devstate.rehearsal.kernel import registry_of

    sys.path.extend(each for each in scenario.path if each not in sys.path)
    registry = registry_of(scenario)
    for device in scenario.devices:
        driver = load_driver(device.driver)
        for version in device.drivers:
            if version > len(driver.compatibles) or not registry.names(driver.compatibles[version - 1]):
                raise UsageError(f"{device.name}: its driver has no version {version} whose format is known; name its schemas")
    if scenario.kvm:
        try:
            Kvm().close()
        except LiveUpdateError as error:
            raise UsageError(f"the scenario needs KVM: {error}") from error
    return scenario


def report(arguments: argparse.Namespace, scenario: Scenario, stream: TextIO) -> bool:
    """Rehearse and report; whether all was as it must be."""
    from devstate.rehearsal.document import document
    from devstate.rehearsal.run import run as rehearse
    from devstate.report import rehearsal
    from devstate.report.json import write

    if arguments.sweep:
        return sweep(arguments, scenario, stream)
    fault = None if arguments.fault is None else fault_of(arguments.fault, scenario)
    progress = told if sys.stderr.isatty() and arguments.output != "-" else None
    made = document(rehearse(scenario, fault, journal=arguments.journal, progress=progress))
    if fault is not None:
        from devstate.rehearsal.faults import ends_of

        made["fault"], made["expected"] = str(fault), list(ends_of(fault, scenario))
        made["right"] = made["ended"] in made["expected"] and not made["wrong"]
    if arguments.format == "json":
        write(made, stream)
    else:
        {"text": rehearsal.text, "html": rehearsal.html}[arguments.format](made, stream)
    return bool(made["right"])


def told(step: Step) -> None:
    """Say each step as it is done."""
    print(f"{step.at // 1000:>10} us  kernel {step.hop}: {step.name}", file=sys.stderr)


def sweep(arguments: argparse.Namespace, scenario: Scenario, stream: TextIO) -> bool:
    """Try every fault; whether none was wrong."""
    from devstate.rehearsal.document import sweep_document
    from devstate.rehearsal.faults import sweep as tries
    from devstate.report import rehearsal
    from devstate.report.json import write

    if arguments.format == "html":
        raise UsageError("a sweep is reported as text or JSON")
    if scenario.expect != "updated":
        raise UsageError(f"a sweep needs a scenario that ends updated when nothing goes wrong, not {scenario.expect}")
    tried = []
    for each in tries(scenario):
        tried.append(each)
        if arguments.format == "text":
            said = [*each.result.wrong, *each.result.failures, *each.result.warnings()]
            rehearsal.sweep_row(str(each.fault), each.result.ended, each.right, said, stream)
    made = sweep_document(scenario, tried)
    if arguments.format == "json":
        write(made, stream)
    else:
        rehearsal.sweep_total(made, stream)
    return not made["wrong"]


def fault_of(text: str, scenario: Scenario) -> Fault:
    """A fault of a scenario, as on the command line. UsageError for one that there is not."""
    from devstate.rehearsal.faults import DRIVER, NEW, NEW_STEPS, OLD_STEPS, callbacks_of
    from devstate.rehearsal.run import Fault

    how, _, place = text.partition(":")
    participant, _, op = place.partition(".")
    callbacks = callbacks_of(scenario)
    if how in ("early", "journal") and not place:
        return Fault(how, int(how == "early"))
    if how == "missing" and place in callbacks and place != DRIVER:
        return Fault(how, 1, "", place)
    if how in ("fail", "slow", "kill") and op in callbacks.get(participant, ()):
        if how == "slow" and op not in dict(scenario.budgets):
            raise UsageError(f"{text!r}: {op} has no budget in this scenario that could be exceeded; give it one in [budgets]")
        return Fault(how, int(op in NEW), op, participant)
    if how == "kill" and participant == "kernel" and op in (*OLD_STEPS, *NEW_STEPS):
        return Fault(how, int(op in NEW_STEPS), op, participant)
    places = ", ".join(f"{name}.{each}" for name, ops in callbacks.items() for each in ops)
    raise UsageError(
        f"{text!r} is no fault of policy {scenario.policy}; expected fail, slow or kill with one of {places}; kill:kernel.STEP with one of"
        f" {', '.join((*OLD_STEPS, *NEW_STEPS))}; missing:PARTICIPANT; early; journal"
    )
