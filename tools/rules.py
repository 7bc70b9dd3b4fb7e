# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write what shows the rules of compat at work: the expected text of each fixture, and the examples that ``devstate rules ID`` prints.

python tools/rules.py                  compare every pair under tests/rules/ID and write what devstate says of it
python tools/rules.py --check          write nothing; exit 1 when a committed file is not what devstate says
python tools/rules.py --new DS404 node-doubled      make the module of a new rule and its pair, to be filled in
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator

from devstate.cli.command import run
from devstate.compat.rules import ALL, BY_KIND, CHECKS, LINTS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(ROOT, "tests", "rules")
MODULES = os.path.join(ROOT, "devstate", "compat", "rules")
EXAMPLES = os.path.join(MODULES, "examples.json")

MODULE = '''\
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""TITLE.

What       ...
Why        ...
Example    ...
Instead    ...
Reference  ...
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change

RULE = Rule("{id}", "{name}", Severity.ERROR, ("KIND",))


def message(change: Change) -> str:
    """The change in words."""
    return was_and_is(change)
'''

SIDE = """\
/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What changes. {when} */
#include <linux/types.h>

#define DEMO_COMPATIBLE "demo-v1"

struct demo_ser {{
	u64 start;
}} __packed;
"""


def sides(rule: str) -> tuple[str, str]:
    """The file names of a fixture pair."""
    names = os.listdir(os.path.join(FIXTURES, rule))
    return next(name for name in names if name.startswith("old.")), next(name for name in names if name.startswith("new."))


def command(rule: str) -> list[str]:
    """The command line of a fixture, for its own directory: one page size, unless its ``args`` say otherwise. A rule that only looks at
    one side is shown by lint."""
    old, new = sides(rule)
    if rule in LINTS and rule not in (*CHECKS, *BY_KIND.values(), "DS501"):
        return ["lint", new]
    path = os.path.join(FIXTURES, rule, "args")
    words = ["--page-size", "4096"]
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            words = file.read().split()
    return ["compat", new, "--against", old, *words]


def output(rule: str) -> str:
    """What devstate says of a fixture, and its exit status."""
    stream = io.StringIO()
    with contextlib.chdir(os.path.join(FIXTURES, rule)), contextlib.redirect_stdout(stream):
        status = drifted(rule) if rule == "DS502" else run(command(rule))
    return f"{stream.getvalue()}exit {status}\n"


def drifted(rule: str) -> int:
    """What DS502 says when the old side is the schema and the new one what was built. Prints; returns the status of errors."""
    from devstate.compat.compare import compare
    from devstate.compat.rules.ds502 import drift
    from devstate.layout.model import Environment
    from devstate.layout.registry import Registry
    from devstate.report.text import findings
    from devstate.source.opening import open_layouts

    old, new = (open_layouts(name, Environment(), registry=Registry.shipped()) for name in sides(rule))
    found = [drift(change, new.origin) for change in compare(old.formats[0], new.formats[0]).changes]
    findings(found, sys.stdout)
    return int(bool(found))


def example(rule: str, shown: str) -> dict[str, str]:
    """What ``devstate rules ID`` shows: both sides without what all of them have, and the finding of this rule with its proof."""
    texts = []
    for name in sides(rule):
        with open(os.path.join(FIXTURES, rule, name), encoding="utf-8") as file:
            text = file.read()
        texts.append(text.partition("\n\n")[2].strip("\n") if name.endswith(".h") else text.split("\n\n", 2)[2].strip("\n"))
    lines = shown.splitlines()
    start = next((index for index, line in enumerate(lines) if f"[{rule}" in line), 0)
    end = next((index for index in range(start + 1, len(lines)) if not lines[index].startswith("    ")), len(lines))
    return {"old": texts[0], "new": texts[1], "shows": "\n".join(lines[start:end])}


def generated() -> Iterator[tuple[str, str]]:
    """(path, content) of every generated file."""
    examples = {}
    for rule in ALL:
        shown = output(rule)
        examples[rule] = example(rule, shown)
        yield os.path.join(FIXTURES, rule, "expected.txt"), shown
    yield EXAMPLES, json.dumps(examples, indent=1) + "\n"


def make(rule: str, name: str) -> None:
    """The files of a new rule. Rows in ``devstate/compat/rules/__init__.py`` are for its author."""
    os.makedirs(os.path.join(FIXTURES, rule))
    files = {os.path.join(MODULES, f"{rule.lower()}.py"): MODULE.format(id=rule, name=name)}
    for side, when in (("old", "Before."), ("new", "After.")):
        files[os.path.join(FIXTURES, rule, f"{side}.h")] = SIDE.format(when=when)
    for path, text in files.items():
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
        print(os.path.relpath(path, ROOT))


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is out of date")
    parser.add_argument("--new", nargs=2, metavar=("ID", "NAME"), help="make the files of a new rule")
    options = parser.parse_args()
    if options.new is not None:
        make(*options.new)
        return 0
    stale = []
    for path, text in generated():
        known = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                known = file.read()
        if known == text:
            continue
        stale.append(os.path.relpath(path, ROOT))
        if not options.check:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    for name in stale:
        print(f"{'out of date' if options.check else 'written'}: {name}")
    return int(bool(stale) and options.check)


if __name__ == "__main__":
    sys.exit(main())
