# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""List the rules of `devstate check`, or say what one is about: what, why, an example, what to do instead, and where it is from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("id", metavar="ID", nargs="?", help="explain this rule")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a rule, or the text of one. UsageError when there is no such rule."""
    from devstate.check.run import rule_module, rule_titles
    from devstate.cli.command import OK, suggest
    from devstate.errors import UsageError

    titles = rule_titles()
    if arguments.id is None:
        width = max(map(len, titles))
        for rule, title in titles.items():
            data = rule_module(rule).RULE
            print(f"{rule:{width}}  {data.severity!s:8} {data.reaction!s:14} {title}")
        return OK
    if arguments.id not in titles:
        raise UsageError(f"no rule is called {arguments.id!r}{suggest(arguments.id, titles)}; `devstate rules` lists them")
    module = rule_module(arguments.id)
    print(f"{arguments.id}: {(module.__doc__ or '').strip()}\n\nlevel {module.RULE.severity}; the kernel: {module.RULE.reaction}")
    return OK
