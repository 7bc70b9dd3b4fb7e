# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Paths into a handover, as ``inspect`` and ``extract`` take them: which parts a path stands for.

::

    kho                              the root
    metadata                         where the machine comes from
    subtree/NAME, or NAME            a client's blob, and what was read from it
    luo, luo/session, luo/flb        LUO and its lists
    luo/session/NAME                 a session
    luo/session/NAME/TOKEN           a file
    luo/flb/NAME                     a file-lifecycle-bound object
    memblock, memblock/NAME          the regions of reserve_mem, or one
    preserved, scratch               memory

The words on the left win over a subtree of the same name. A name may hold slashes: the longest session name that fits is taken.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.model import Flb, Handover, PreservedFile, Problem, Region, Session, Subtree

SECTIONS = ("kho", "metadata", "subtrees", "luo", "memblock", "preserved", "scratch")
"""The parts of a handover, in the order in which they are shown."""

SHOWN_MAX = 8
"""Paths that an error about an unknown one lists."""


class Selection:
    """The parts of a handover that a path stands for; all of it for None. Lists are empty where nothing was chosen."""

    __slots__ = ("flbs", "handover", "path", "regions", "sections", "sessions", "subtrees")

    def __init__(self, handover: Handover, path: str | None) -> None:
        self.handover = handover
        self.path = path
        self.sections: tuple[str, ...] = ()
        self.subtrees: list[Subtree] = []
        self.sessions: list[tuple[Session, list[PreservedFile]]] = []
        self.flbs: list[Flb] = []
        self.regions: list[Region] = []

    def problems(self) -> Iterator[Problem]:
        """The problems at or below the path; all of them for the whole handover."""
        inside = tuple(f"{self.path}{mark}" for mark in "/.[")
        for problem in self.handover.problems:
            place = (problem.path or "").lstrip("/")
            if self.path is None or place == self.path or place.startswith(inside):
                yield problem


def select(handover: Handover, path: str | None = None) -> Selection:
    """What ``path`` stands for. UsageError, with the nearest paths that there are, when that is nothing."""
    path = path.strip("/") if path is not None else None
    chosen = Selection(handover, path or None)
    if not path:
        _add_all(chosen)
    elif path in ("kho", "metadata", "preserved", "scratch"):
        chosen.sections = (path,)
    elif path == "luo" or path.startswith("luo/"):
        _add_luo(chosen, path)
    elif path == "memblock" or path.startswith("memblock/"):
        chosen.sections = ("memblock",)
        chosen.regions = [region for region in handover.regions if path == "memblock" or _named(region.name, path[9:])]
        if path == "memblock":
            _add_subtree(chosen, path)
    else:
        _add_subtree(chosen, path.removeprefix("subtree/"))
    if path and not _is_something(chosen):
        raise _unknown(handover, path)
    return chosen


def paths(handover: Handover) -> Iterator[str]:
    """Every path into ``handover``."""
    yield from ("kho", "metadata", "preserved", "scratch", "memblock", "luo", "luo/session", "luo/flb")
    for subtree in handover.subtrees:
        yield f"subtree/{subtree.name}"
    for region in handover.regions:
        yield f"memblock/{region.name}"
    if handover.luo is not None:
        for session in handover.luo.sessions:
            yield session.path
            yield from (file.path for file in session.files)
        yield from (flb.path for flb in handover.luo.flbs)


def _add_all(chosen: Selection) -> None:
    handover = chosen.handover
    chosen.sections = SECTIONS
    chosen.subtrees, chosen.regions = handover.subtrees, handover.regions
    if handover.luo is not None:
        chosen.sessions = [(session, session.files) for session in handover.luo.sessions]
        chosen.flbs = handover.luo.flbs


def _add_luo(chosen: Selection, path: str) -> None:
    luo = chosen.handover.luo
    if luo is None:
        return
    chosen.sections = ("luo",)
    if path in ("luo", "luo/session"):
        chosen.sessions = [(session, session.files) for session in luo.sessions]
    if path in ("luo", "luo/flb"):
        chosen.flbs = luo.flbs
    if path.startswith("luo/flb/"):
        chosen.flbs = [flb for flb in luo.flbs if _named(flb.path, path)]
    if path.startswith("luo/session/"):
        chosen.sessions = [(session, session.files) for session in luo.sessions if _named(session.path, path)]
        for session in luo.sessions if not chosen.sessions else ():
            files = [file for file in session.files if _named(file.path, path)]
            if files:
                chosen.sessions.append((session, files))


def _add_subtree(chosen: Selection, name: str) -> None:
    handover = chosen.handover
    for subtree in handover.subtrees:
        if _named(subtree.name, name):
            chosen.subtrees.append(subtree)
            chosen.sections = ("subtrees", *(each for each in chosen.sections if each != "subtrees"))
            found_by = subtree.layout.found_by if subtree.layout is not None else None
            if found_by == "KHO subtree LUO":
                _add_luo(chosen, "luo")
                chosen.sections = ("subtrees", "luo")
            elif found_by == "KHO subtree kexec-metadata":
                chosen.sections = ("subtrees", "metadata")


def _named(name: str, asked: str) -> bool:
    """Whether the user means ``name``: as it is, or as it was shown to him."""
    return asked in (name, printable(name))


def _is_something(chosen: Selection) -> bool:
    if chosen.path in ("kho", "metadata", "preserved", "scratch", "memblock"):
        return True
    if chosen.path in ("luo", "luo/session", "luo/flb"):
        return bool(chosen.sections)
    return bool(chosen.subtrees or chosen.sessions or chosen.flbs or chosen.regions)


def _unknown(handover: Handover, path: str) -> UsageError:
    import difflib

    known = [printable(each) for each in paths(handover)]
    near = difflib.get_close_matches(path, known, n=SHOWN_MAX, cutoff=0.5) or known[:SHOWN_MAX]
    return UsageError(f"{handover.source}: nothing in this handover is called {path!r}; there is, for example, {', '.join(near)}")
