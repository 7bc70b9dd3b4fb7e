# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a captured handover does not hold, and why, in words; and where debugfs and memory do not agree.

A running kernel never shows a whole handover. The outgoing one has no sessions before the reboot; the incoming one is used up: the pages of
its memory map were never preserved, and LUO's blob, blocks and records are freed once they are read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.model import Handover, Problem
    from devstate.memory.debugfs import DebugfsDump

_MAP, _LUO, _ROOT, _SCRATCH = "memory map", "sessions and files", "root FDT", "scratch array"

_PLACES = {"preserved": _MAP, "luo": _LUO, "/": _ROOT, "": _ROOT, "scratch": _SCRATCH}
"""What the first part of a problem's path stands for; anything else is a subtree."""

_USED_UP = {
    _MAP: "its own pages are not preserved: this kernel uses them again",
    _LUO: "this kernel frees them once they are read",
    _SCRATCH: "this kernel may use its page again",
    _ROOT: "this kernel may use its page again",
}


def missing_parts(handover: Handover, side: str | None) -> Iterator[str]:
    """One line for each part that is damaged or not there. ``side`` is that of a running kernel, None for an input."""
    if side == "out" and handover.luo is not None and not handover.luo.sessions:
        yield f"{_LUO}: LUO writes them only inside the reboot, until then there are none"
    groups: dict[str, list[Problem]] = {}
    for problem in handover.problems:
        groups.setdefault(_place(problem), []).append(problem)
    for place, problems in groups.items():
        why = f" ({_USED_UP.get(place, 'this kernel has taken it over and freed it')})" if side == "in" else ""
        first = problems[0]
        at = f" at {first.pa:#x}" if first.pa is not None else ""
        count = "" if len(problems) == 1 else f"{len(problems)} problems, the first: "
        yield f"{place}: {count}{first.message}{at}{why}"


def _place(problem: Problem) -> str:
    if problem.code == "kho-map":
        return _MAP
    first = (problem.path or "").partition("/")[0]
    return _PLACES.get(first) or f"subtree {first}"


def disagreements(handover: Handover, dump: DebugfsDump) -> Iterator[str]:
    """What debugfs shows otherwise than memory does. Memory is what was captured."""
    blob = handover.fdt.blob if handover.fdt is not None else None
    if dump.fdt is not None and blob is not None and len(dump.fdt) < len(blob):
        yield f"debugfs {dump.side}/fdt is cut, {len(dump.fdt)} of {len(blob)} bytes: read whole from memory"
    shown = dict(dump.sub_fdts)
    for name, bytes_ in shown.items():
        subtree = handover.subtree(name)
        if subtree is None:
            yield f"debugfs shows {dump.side}/sub_fdts/{name}, which is not in the root FDT"
        elif subtree.blob is not None and bytes_ != subtree.blob[: len(bytes_)]:
            yield f"debugfs {dump.side}/sub_fdts/{name} is not what is in memory"
    for subtree in handover.subtrees:
        if subtree.name not in shown:
            yield f"debugfs does not show the subtree {subtree.name}"
