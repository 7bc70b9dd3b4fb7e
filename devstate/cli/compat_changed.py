# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compare files as they are now with what they were in a commit: what a hook of git asks before it lets a change in.

FILE is a header, a schema or a baseline; files of other kinds are passed over, and so are new ones: nobody has written their format yet.
"""

from __future__ import annotations

import os

from devstate.cli.policies import add_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.cli.policies import Job

KINDS = (".h", ".c", ".py", ".json")
"""Files that may have layouts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    from devstate.cli.compat import DIRECTIONS, FORMATS, LEVELS

    parser.add_argument("file", metavar="FILE", nargs="*", help="what changed")
    parser.add_argument("--since", metavar="REF", default="HEAD", help="the commit to compare with (default: HEAD)")
    parser.add_argument("--direction", choices=DIRECTIONS, default="both", help="which direction must work (default: both)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")
    parser.add_argument("--fail-on", choices=LEVELS, default="error", help="least severity that makes the exit status 1 (default: error)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/compat.schema.json)")
    add_policy(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the report (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write one report about all files. UsageError outside of a git repository, and for a commit that is not there."""
    from devstate.cli import compat
    from devstate.cli.command import OK, parse

    jobs = [job for job in (_job(path, arguments.since) for path in arguments.file if path.endswith(KINDS)) if job is not None]
    if not jobs:
        return OK
    whole = parse("compat", compat, [])  # what else compat can be told, as it is when nobody says so
    for name, value in {**vars(arguments), "new": "changed files", "jobs": jobs}.items():
        setattr(whole, name, value)
    return compat.run(whole)


def _job(path: str, ref: str) -> Job | None:
    """The comparison for one file; None when it has not changed, or was not there."""
    from devstate.cli.policies import Job
    from devstate.source.git import Git

    git = Git(os.path.dirname(os.path.abspath(path)), f"git:{ref}")
    git.require(ref)
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(git.top))
    status, old, _ = git.call("cat-file", "blob", f"{ref}:{inside}")
    if status:
        return None
    with open(path, "rb") as file:
        if file.read(len(old) + 1) == old:
            return None
    return Job(f"git:{ref}:{os.path.join(git.top, inside)}", path)
