# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hold ``check`` to the model of the reading kernel, edit by edit: ``python -m tests.check.campaign [CAPTURE...]``.

Each edit changes one place of a real handover. The prediction must be what the model does, and a finding must be near the edit where the
model sees harm. Prints the score of each class, every kind of edit that disagrees, and the edits that nothing called.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from devstate.check.run import check
from devstate.frozen import frozen
from tests.check.edits import Edited
from tests.check.kinds import Kind, is_knowable, kinds
from tests.check.reader import Luck, Machine, Outcome, Reader, compare

NEAR = 64
"""Bytes between an edit and the place that is named: the size of the smallest record."""

ROOT = Path(__file__).resolve().parents[2]


@frozen
class Verdict:
    """What became of one edit. ``model`` is None where luck decides."""

    kind: Kind
    model: str | None
    predicted: str
    near: bool
    rules: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """The class is right, and harm is named at its place."""
        return self.model is None or (self.model == self.predicted and (self.near or self.model == "accepted"))


class Bench:
    """A capture with its untampered twin's outcome."""

    def __init__(self, path: Path, undo: tuple[tuple[int, bytes], ...] = ()) -> None:
        self.edited = Edited(path)
        for pa, data in undo:
            self.edited.write(pa, data)
        self.edited.opened = self.edited.reopened()
        self.machine = machine_of(self.edited)
        self.twin = self.run(None)
        self.wanted = [(name, [token for each, token in self.twin.files if each == name]) for name in self.twin.sessions]

    def run(self, wanted: list[tuple[bytes, list[int]]] | None) -> Outcome:
        """Boot the model on the memory as it is now."""
        assert self.edited.opened.fdt_pa is not None
        return Reader(self.edited.memory, self.edited.opened.fdt_pa, self.machine).boot(wanted)

    def model(self) -> str | None:
        """The class of the memory as it is now; None when luck decides."""
        try:
            return compare(self.twin, self.run(self.wanted))
        except Luck:
            return None

    def judge(self, kind: Kind) -> Verdict:
        """Make the edit, ask both, and take it back."""
        before = bytes(self.edited.memory.read(kind.pa, len(kind.data)))
        self.edited.write(kind.pa, kind.data)
        try:
            report = check(self.edited.reopened())
            model = self.model()
        finally:
            self.edited.write(kind.pa, before)
        places = [finding.location.pa for finding in report.findings] + [pa for finding in report.findings for pa, _ in finding.related]
        changed = [index for index, byte in enumerate(kind.data) if byte != before[index]]
        first, last = kind.pa + changed[0], kind.pa + changed[-1]
        near = any(pa is not None and first - NEAR < pa < last + NEAR for pa in places)
        return Verdict(kind, model, str(report.predicted), near, tuple(sorted({finding.rule for finding in report.findings})))


def machine_of(edited: Edited) -> Machine:
    """The machine of a capture: memory up to a whole section, the regions that it has, FLBs that some file depends on."""
    handover = edited.opened
    ends = [start + size for start, size in handover.scratch or ()] + [start + len(data) for start, data in edited.buffers]
    ends += [region.start + region.size for region in handover.regions]
    top = -(-max(ends) // (128 << 20)) * (128 << 20)
    regions = tuple((region.name, region.size, min(region.start & -region.start, 65536)) for region in handover.regions)
    return Machine(top, regions, handover.luo is not None and bool(handover.luo.flbs))


def campaign(bench: Bench) -> Iterator[Verdict]:
    """Every edit of a capture, judged."""
    return (bench.judge(kind) for kind in kinds(bench.edited))


def main(paths: list[str]) -> int:
    """Run, print, and fail when something disagrees that can be known."""
    bad = 0
    for path in paths or [str(ROOT / "tests" / "captures" / "small-7.3.core.zst")]:
        verdicts = list(campaign(Bench(Path(path))))
        score: Counter[tuple[str, bool]] = Counter((each.model or "luck", each.agrees) for each in verdicts)
        print(path, f"{len(verdicts)} edits")
        for model in sorted({name for name, _ in score}):
            print(f"  {model:15} {score[model, True]} of {score[model, True] + score[model, False]}")
        for verdict in verdicts:
            if not verdict.agrees:
                bad += is_knowable(verdict.kind)
                word = "WRONG" if is_knowable(verdict.kind) else "UNKNOWABLE"
                print(
                    f"  {word} {verdict.kind.name:48} {verdict.kind.pa:#x} model {verdict.model}, predicted {verdict.predicted}, "
                    f"near {verdict.near}, {' '.join(verdict.rules)}"
                )
            elif not verdict.near:
                print(f"  UNCALLED {verdict.kind.name:45} {verdict.kind.pa:#x} model {verdict.model}, predicted {verdict.predicted}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
