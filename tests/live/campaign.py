# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hold ``check`` to a real kernel: ``python -m tests.live.campaign KERNEL [NEXT]``.

Each edit changes one place of the memory of a machine that stands at the jump; then the real next kernel runs. What it does is held to what
``check`` predicts for the edited memory, and to the model of ``tests/check/reader.py``. Prints the score of each class and all that differ.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from devstate.errors import EncodeError
from devstate.frozen import frozen
from devstate.handover.mutate import mutate
from tests.check.campaign import Bench, Verdict
from tests.check.kinds import Kind, is_knowable, kinds
from tests.live.stage import Reaction, Stage, reaction_class

OPEN = (r"\.(pos|token|name|seals)\b", r" (next-page|other|elsewhere)$")
"""Edits of ``devstate mutate`` whose result only its bytes tell, or some user may have made (see ``kinds.UNKNOWABLE``)."""

TAIL = 2000
"""Characters of the console that are kept of a kernel that did something else."""


@frozen
class Played:
    """One edit: what was predicted, and what the kernel did."""

    verdict: Verdict
    live: str
    reaction: Reaction

    @property
    def known(self) -> bool:
        """Whether it can be known what happens."""
        name = self.verdict.kind.name
        return self.verdict.model is not None and is_knowable(self.verdict.kind) and not any(re.search(each, name) for each in OPEN)

    @property
    def agrees(self) -> bool:
        """The class is the predicted one."""
        return self.live == self.verdict.predicted

    def record(self) -> dict[str, object]:
        """As JSON."""
        kind = self.verdict.kind
        return {
            "edit": kind.name, "pa": hex(kind.pa), "new": kind.data.hex(), "live": self.live, "predicted": self.verdict.predicted,
            "model": self.verdict.model, "rules": self.verdict.rules, "near": self.verdict.near, "known": self.known,
            "warnings": self.reaction.warnings, "said": self.reaction.said, "seconds": round(self.reaction.seconds, 2),
            "console": "" if self.agrees else self.reaction.console[-TAIL:],
        }  # fmt: skip


def edits(bench: Bench, seed: int) -> Iterator[Kind]:
    """Edits in an order that a seed gives: one of each field and value, and in between what ``devstate mutate`` does."""
    draw = random.Random(seed)
    known: dict[str, list[Kind]] = {}
    for kind in filter(is_knowable, kinds(bench.edited)):
        known.setdefault(re.sub(r"\d+|vm-\w+|empty", "N", kind.name), []).append(kind)
    picked = [draw.choice(group) for group in known.values()]
    draw.shuffle(picked)
    while True:
        try:
            change = mutate(bench.edited.opened, draw.getrandbits(32))[0]
        except EncodeError:
            return
        yield Kind(f"mutate {change.path} {change.what} {change.how}", change.pa, change.new)
        yield from picked[-2:]
        del picked[-2:]


def play(stage: Stage, bench: Bench, seed: int, until: float) -> Iterator[Played]:
    """Edit, jump, compare, until it is time."""
    twin = stage.play([])
    assert reaction_class(twin, twin) == "accepted", twin.console
    for kind in edits(bench, seed):
        if time.monotonic() > until:
            return
        verdict, reaction = bench.judge(kind), stage.play([(kind.pa, kind.data)])
        if reaction_class(twin, reaction) != verdict.predicted:  # a machine that is short of processors may have other troubles
            reaction = stage.play([(kind.pa, kind.data)])
        yield Played(verdict, reaction_class(twin, reaction), reaction)


def report(played: list[Played]) -> None:
    """Print the scores of what can be known, then all that differ."""
    known = [each for each in played if each.known]
    score = Counter((each.live, each.agrees) for each in known)
    model = Counter((each.live, each.verdict.model == each.live) for each in known)
    print(f"{len(played)} edits, {len(known)} whose result can be known")
    print("what it did       check     model")
    for live in sorted({each.live for each in known}):
        ours, theirs = (f"{count[live, True]}/{count[live, True] + count[live, False]}" for count in (score, model))
        print(f"{live:16}  {ours:8}  {theirs}")
    for each in played:
        if not each.agrees:
            word = "WRONG" if each.known else "open"
            said = f"the kernel {each.live}, check {each.verdict.predicted}, the model {each.verdict.model}"
            print(f"{word} {each.verdict.kind.name}: {said}")


def main() -> int:
    """Run for some minutes; 0 when all that can be known was predicted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel", type=Path)
    parser.add_argument("following", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--line", default="", help="more for the kernels' command lines")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    place = arguments.keep or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    stage = Stage(arguments.kernel, arguments.following or arguments.kernel, place, line=arguments.line)
    try:
        capture = place / "jump.core"
        subprocess.run([sys.executable, "-m", "devstate", "capture", "--from", stage.core, "-o", capture, "--force"], check=True)
        played = []
        with (place / "played.jsonl").open("a") as notes:
            for each in play(stage, Bench(capture), arguments.seed, time.monotonic() + arguments.minutes * 60):
                played.append(each)
                notes.write(json.dumps(each.record()) + "\n")
                notes.flush()
    finally:
        stage.end()
    report(played)
    return any(not each.agrees and each.known for each in played)


if __name__ == "__main__":
    sys.exit(main())
