# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""List the rules of `devstate check` (one handover) and of `devstate compat` and `lint` (two layouts, or one), or explain one of them.

An explanation says what, why, an example, what to do instead, and where it is from; for a rule of compat it shows two sides that break
it, and the bytes that prove it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("id", metavar="ID", nargs="?", help="explain this rule; the name of a compat rule will do")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a rule, or the text of one. UsageError when there is no such rule."""
    from devstate.check import run as check
    from devstate.cli.command import OK, suggest
    from devstate.compat import judge
    from devstate.compat.complaints import COMPLAINTS
    from devstate.errors import UsageError

    titles = check.rule_titles()
    compat = {rule: judge.rule_module(rule) for rule in judge.rule_titles()}
    by_name = {module.RULE.name: rule for rule, module in compat.items()}
    if arguments.id is None:
        width = max(map(len, [*titles, *(f"{rule} {name}" for name, rule in by_name.items())]))
        for rule, title in titles.items():
            data = check.rule_module(rule).RULE
            print(f"{rule:{width}}  {data.severity!s:8} {data.reaction!s:14} {title}")
        for rule, module in compat.items():
            print(f"{rule + ' ' + module.RULE.name:{width}}  {module.RULE.severity!s:8} {module.RULE.category.lower():14} {_title(module)}")
        return OK
    rule = by_name.get(arguments.id, arguments.id.upper() if arguments.id.upper() in compat else arguments.id)
    if rule in compat:
        print(explained(rule))
        return OK
    if rule in COMPLAINTS:
        print(f"{rule}: {COMPLAINTS[rule]}\n\nsee docs/policy.md")
        return OK
    if rule not in titles:
        known = [*titles, *compat, *by_name, *COMPLAINTS]
        raise UsageError(f"no rule is called {arguments.id!r}{suggest(arguments.id, known)}; `devstate rules` lists them")
    module = check.rule_module(rule)
    print(f"{rule}: {(module.__doc__ or '').strip()}\n\nlevel {module.RULE.severity}; the kernel: {module.RULE.reaction}")
    return OK


def _title(module: object) -> str:
    return (module.__doc__ or "").partition("\n")[0]


def explained(rule: str) -> str:
    """The text of a rule of compat, with its example."""
    import json
    import os

    from devstate.compat import rules
    from devstate.compat.judge import rule_module

    module = rule_module(rule)
    parts = [f"{rule} {module.RULE.name}: {(module.__doc__ or '').strip()}", f"level {module.RULE.severity}; {_promise(module)}"]
    path = os.path.join(os.path.dirname(rules.__file__), "examples.json")
    with open(path, encoding="utf-8") as file:
        example = json.load(file).get(rule)
    if example is not None:
        parts += [
            f"Before:\n{_indented(example['old'])}",
            f"After:\n{_indented(example['new'])}",
            f"It says:\n{_indented(example['shows'])}",
        ]
    return "\n\n".join(parts)


def _promise(module: object) -> str:
    rule = module.RULE  # type: ignore[attr-defined]  # every module of a rule has one
    promises = {
        "BYTES": "it breaks the promise that the bytes never change",
        "READ": "it breaks the promise that the new kernel reads what the old one wrote",
        "ROLLBACK": "it breaks the promise that the old kernel reads what the new one wrote",
        "SOURCE": "it is about the source, not about bytes",
    }
    needs = "; it needs a new version" if rule.bump and rule.category != "SOURCE" else ""
    return promises[rule.category] + needs


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
