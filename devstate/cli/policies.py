# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the verbs share that judge layouts: the project's devstate.toml over their findings, and the pairs of its support.toml."""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import datetime
    from collections.abc import Sequence

    from devstate.compat.examine import Report
    from devstate.compat.policy import Policy
    from devstate.compat.window import Pair
    from devstate.layout.declared import Declared
    from devstate.layout.registry import Registry

    Sides = tuple[Declared, Declared]


@frozen
class Job:
    """One comparison to make: words for both sides, and the promise that it is held to, None for one without."""

    old: str
    new: str
    pair: Pair | None = None


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Declare the options for levels and waivers."""
    parser.add_argument("--config", metavar="FILE", help="levels and waivers (default: the nearest devstate.toml upwards)")
    parser.add_argument("--waivers", action="store_true", help="write a waiver for each error to standard error, to be completed")


def today() -> datetime.date:
    """The day on which waivers and promises are judged."""
    import datetime

    return datetime.date.today()


def policy_of(arguments: argparse.Namespace) -> Policy:
    """The policy that the options name. Errors as open_policy()."""
    from devstate.compat.policy_file import open_policy

    return open_policy(arguments.config)


def under_policy(report: Report, arguments: argparse.Namespace, sides: Sequence[Sides]) -> Report:
    """A comparison's report as the policy leaves it. Errors as open_policy()."""
    from devstate.compat.policy_file import find_policy

    if arguments.config is None and not arguments.waivers and find_policy() is None:
        return report
    from devstate.compat.policy import apply_policy, subjects_of

    made = apply_policy(report, policy_of(arguments), sides, today=today())
    if arguments.waivers:
        import sys

        from devstate.compat.waivers import write_stanzas

        write_stanzas(subjects_of(made, sides), today(), sys.stderr)
    return made


def jobs_of(arguments: argparse.Namespace) -> list[Job]:
    """What the options ask for: each --against, and each promise of --window that still holds. UsageError when that is nothing, or
    when the new side is missing."""
    given: list[Job] | None = getattr(arguments, "jobs", None)  # a verb that knows itself what to compare
    if given is not None:
        return given
    jobs = [Job(word, arguments.new or "") for word in arguments.against]
    if arguments.window is not None:
        from devstate.compat.window import open_window

        jobs += [Job(pair.old, pair.new or arguments.new or "", pair) for pair in open_window(arguments.window).current(today())]
        if not jobs:
            raise UsageError(f"{arguments.window}: every promise has ended; renew one, or compare without a window")
    if not jobs:
        raise UsageError("nothing to compare with: give --against OLD, or --window support.toml")
    if any(not job.new for job in jobs):
        raise UsageError("what is to be judged? give NEW, the side that is new")
    return jobs


def restricted(declared: Declared, pair: Pair | None) -> Declared:
    """What of a source a promise is about."""
    from devstate.frozen import replace

    if pair is None or not pair.formats:
        return declared
    return replace(declared, formats=tuple(each for each in declared.formats if pair.has(each.name) or pair.has(each.compatible or "")))


def held(report: Report, job: Job, window: str | None, registry: Registry) -> Report:
    """A report held to its promise. Of a pair that must be refused only the broken promise is left: the changes are wanted."""
    from devstate.compat.examine import Entry
    from devstate.compat.window import REFUSE, refusal
    from devstate.frozen import replace

    if job.pair is None or job.pair.promise != REFUSE:
        return report
    found = refusal(job.pair, job.old, job.new, report, registry, window or "")
    return replace(report, entries=tuple(Entry(finding, "", "", (job.old,)) for finding in found), advice=())
