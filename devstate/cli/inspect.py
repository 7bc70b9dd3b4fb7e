# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Show what a handover holds: root, provenance, subtrees, sessions, files, regions, preserved pages, and what is wrong with it.

PATH narrows it: kho, metadata, subtree/NAME (or just NAME), luo, luo/session/NAME, luo/session/NAME/TOKEN, luo/flb/NAME,
memblock, memblock/NAME, preserved, scratch. Problems do not change the exit status: `devstate check` judges.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import add_inputs, open_given

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.model import Handover, Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "INPUT")
    parser.add_argument("path", metavar="PATH", nargs="?", help="show only this part")
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/inspect.schema.json)")
    parser.add_argument("--pages", action="store_true", help="list the ranges of preserved pages")
    parser.add_argument("--raw", action="store_true", help="show the fields of each record, and the bytes of blobs")
    parser.add_argument("--hash", action="store_true", help="SHA-256 of each file's content")


def run(arguments: argparse.Namespace) -> int:
    """Print the text or the document; 0. Errors as open_input() and open_handover(), UsageError for a path that leads nowhere."""
    from devstate.cli.document import Depth, Hashes
    from devstate.cli.place import select

    handover = open_given(arguments, arguments.input)
    handover.problems += _further_problems(handover)
    chosen = select(handover, arguments.path)
    problems = list(chosen.problems())
    depth = Depth(pages=arguments.pages, raw=arguments.raw, hash=Hashes(handover) if arguments.hash else None)
    if arguments.json:
        from devstate.cli.document import document
        from devstate.report.json import write

        write(document(chosen, problems, depth), sys.stdout)
    else:
        from devstate.cli.tree import tree_lines

        sys.stdout.write("".join([f"{line}\n" for line in tree_lines(chosen, problems, depth)]))
    return 0


def _further_problems(handover: Handover) -> list[Problem]:
    """What the conventions say against a session, and that there is nothing behind the pointers where that is so."""
    from devstate.handover.model import Problem
    from devstate.handover.owners import name_owners

    problems = name_owners(handover)
    if handover.memory is None:
        problems.append(Problem("no-memory", "this input has no memory: what addresses lead to is not shown"))
    return problems
