# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""N x N: every jump between the builds of a fleet, and the way round where the direct jump is blocked."""

from __future__ import annotations

from devstate.compat.predict import Verdict, predict
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.manifest import Manifest
    from devstate.layout.registry import Registry


@frozen
class Cell:
    """One jump: verdict, the reaction of what decides about it, and why."""

    verdict: Verdict
    reaction: str
    reason: str
    incomplete: bool


@frozen
class Matrix:
    """``cells[i][j]`` is the jump from build i to build j."""

    names: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def path(self, start: int, goal: int) -> list[int] | None:
        """The shortest way from one build to another over jumps that are OK; None when there is none."""
        before: dict[int, int] = {start: start}
        queue = [start]
        for at in queue:
            for step, cell in enumerate(self.cells[at]):
                if step not in before and cell.verdict is Verdict.OK and not cell.incomplete:
                    before[step] = at
                    queue.append(step)
        if goal not in before:
            return None
        way = [goal]
        while way[-1] != start:
            way.append(before[way[-1]])
        return way[::-1]


def matrix(manifests: list[Manifest], registry: Registry, *, page_size: int = 4096) -> Matrix:
    """All jumps. Builds with the same formats share their cells, so a fleet of many builds of few kinds costs little."""
    kinds: dict[object, int] = {}
    of: list[int] = []
    for manifest in manifests:
        of.append(kinds.setdefault((manifest.formats, manifest.missing), len(kinds)))
    examples = [manifests[of.index(kind)] for kind in range(len(kinds))]
    table = [[_cell(old, new, registry, page_size) for new in examples] for old in examples]
    rows = tuple(tuple(table[old][new] for new in of) for old in of)
    return Matrix(tuple(manifest.name for manifest in manifests), rows)


def _cell(old: Manifest, new: Manifest, registry: Registry, page_size: int) -> Cell:
    prediction = predict(old, new, registry, page_size=page_size)
    worst = next((each for each in prediction.components if each.verdict is prediction.verdict), None)
    if worst is None:
        return Cell(Verdict.OK, "accepted", "nothing is handed over", bool(prediction.incomplete))
    return Cell(prediction.verdict, worst.reaction, f"{worst.name}: {worst.reasons[0][1]}", bool(prediction.incomplete))
