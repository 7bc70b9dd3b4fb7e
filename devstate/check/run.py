# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""check: run every rule over one handover, and predict what the reading kernel will do with it as a whole.

The table of rules is the folder ``devstate/check/rules``: one module a rule, its name the id with underscores.
"""

from __future__ import annotations

import importlib

from devstate.check.context import Context
from devstate.check.links import in_order, with_links
from devstate.check.rules import ACTIVE, FROM_PROBLEMS
from devstate.finding import Finding, Location, Reaction, Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from devstate.handover.model import Handover


@frozen
class Report:
    """What check found. ``predicted`` is the reaction of the reading kernel to the whole handover; ``kernel`` its release, if known."""

    findings: tuple[Finding, ...]
    predicted: Reaction
    kernel: str | None

    def worst(self) -> Severity | None:
        """The highest severity; None when there is no finding."""
        return max((finding.severity for finding in self.findings), default=None)


def rule_module(rule: str) -> ModuleType:
    """The module of the rule with this id. KeyError when there is none."""
    if rule not in ACTIVE and rule not in FROM_PROBLEMS:
        raise KeyError(rule)
    return importlib.import_module(f"devstate.check.rules.{rule.replace('-', '_')}")


def rule_titles() -> dict[str, str]:
    """Every rule's id and title, sorted by id."""
    return {rule: rule_module(rule).RULE.title for rule in sorted({*ACTIVE, *FROM_PROBLEMS})}


def check(handover: Handover, kernel: str | None = None) -> Report:
    """Every finding about ``handover``, worst first. ``kernel`` is the release that will read it (default: the writer's own)."""
    context = Context(handover, kernel)
    findings = [*_from_problems(context), *(finding for rule in ACTIVE for finding in rule_module(rule).check(context))]
    findings = [*with_links(context, findings)]
    if not handover.faithful:
        findings = [_doubted(finding) for finding in findings]
    findings = in_order(context, findings)
    findings.sort(key=lambda finding: (-finding.severity, -(finding.reaction or 0)))
    predicted = max((finding.reaction for finding in findings if finding.reaction is not None), default=Reaction.ACCEPTED)
    return Report(tuple(findings), predicted, None if context.release is None else str(context.release))


def _doubted(finding: Finding) -> Finding:
    """A finding about input that is no faithful picture of the handover: at most a warning, and nothing that a kernel will do."""
    return replace(finding, severity=min(finding.severity, Severity.WARNING), reaction=None)


def _from_problems(context: Context) -> Iterator[Finding]:
    for problem in context.handover.problems:
        if problem.code not in FROM_PROBLEMS:
            yield Finding(
                problem.code, Severity.WARNING, problem.message, Location(context.handover.source, problem.pa, None, problem.path), None,
                problem.expected, problem.found, problem.related,
            )  # fmt: skip
            continue
        module = rule_module(problem.code)
        reaction = context.reaction_at(problem.path) if module.RULE.by_moment else module.RULE.reaction
        if hasattr(module, "reaction"):
            reaction = module.reaction(context, problem)
        severity = module.severity(context, problem) if hasattr(module, "severity") else None
        found: Finding = module.RULE.from_problem(context.handover, problem, reaction, severity)
        yield replace(found, related=found.related + module.related(context, problem)) if hasattr(module, "related") else found
