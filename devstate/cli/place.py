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
    devstate/SUBSYSTEM/OBJECT[/PART] a part of the subtree devstate, or all parts below a path

The words on the left win over a subtree of the same name. A name may hold slashes: the longest session name that fits is taken.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from devstate.handover.model import Flb, Handover, PreservedFile, Problem, Region, Session, Subtree
    from devstate.handover.state import Part

SECTIONS = ("kho", "metadata", "subtrees", "luo", "memblock", "preserved", "scratch", "state")
"""The parts of a handover, in the order in which they are shown."""

SHOWN_MAX = 8
"""Paths that an error about an unknown one lists."""

SEARCHED_MAX = 1000
"""Paths that are searched for one that looks like it: the search takes 20 ms for so many, and a handover may have a million."""


class Selection:
    """The parts of a handover that a path stands for; all of it for None. Lists are empty where nothing was chosen.

    ``kind`` is what the path names: ``all``, one of the sections, ``session``, ``file``, ``flb``, ``region``, ``part`` or ``subtree``.
    There are several of one path when names or tokens are not unique, which is damage; of parts, also those below it.
    """

    __slots__ = ("flbs", "handover", "kind", "parts", "path", "regions", "sections", "sessions", "subtrees")

    def __init__(self, handover: Handover, path: str | None) -> None:
        self.handover = handover
        self.path = path
        self.kind = "all"
        self.sections: tuple[str, ...] = ()
        self.subtrees: list[Subtree] = []
        self.sessions: list[tuple[Session, list[PreservedFile]]] = []
        self.flbs: list[Flb] = []
        self.regions: list[Region] = []
        self.parts: list[Part] = []

    def items(self) -> list[Any]:
        """The objects that the path names, when ``kind`` is no section."""
        files = [file for _, files in self.sessions for file in files]
        of_kind: dict[str, list[Any]] = {"file": files, "flb": self.flbs, "region": self.regions, "part": self.parts}
        of_kind["session"] = [session for session, _ in self.sessions]
        return of_kind.get(self.kind, self.subtrees)

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
        return chosen
    first, _, rest = path.partition("/")
    if path in ("kho", "metadata", "preserved", "scratch", "memblock"):
        chosen.kind, chosen.sections = path, (path,)
        chosen.regions = handover.regions if path == "memblock" else []
    elif first == "luo":
        _add_luo(chosen, path)
    elif first == "memblock":
        chosen.kind, chosen.sections = "region", ("memblock",)
        chosen.regions = [region for region in handover.regions if _named(region.name, rest)]
    elif first == "devstate" and rest and handover.state is not None:
        chosen.kind, chosen.sections = "part", ("state",)
        chosen.parts = [part for part in handover.state.parts if _named(part.path, path) or part.path.startswith(f"{path}/")]
    else:
        _add_subtree(chosen, path.removeprefix("subtree/"))
    if chosen.kind == "all" or not (chosen.kind in SECTIONS or chosen.items()):
        raise _unknown(handover, path)
    return chosen


def is_path(handover: Handover, path: str) -> bool:
    """Whether ``path`` is one of :func:`paths`, as it is or as it is shown."""
    return any(_named(each, path.strip("/")) for each in paths(handover))


def paths(handover: Handover) -> Iterator[str]:
    """Every path into ``handover``."""
    yield from ("kho", "metadata", "preserved", "scratch", "memblock")
    for subtree in handover.subtrees:
        yield f"subtree/{subtree.name}"
    for region in handover.regions:
        yield f"memblock/{region.name}"
    for part in handover.state.parts if handover.state is not None else ():
        yield part.path
    if handover.luo is not None:
        yield from ("luo", "luo/session", "luo/flb")
        for session in handover.luo.sessions:
            yield session.path
            yield from (file.path for file in session.files)
        yield from (flb.path for flb in handover.luo.flbs)


def _add_all(chosen: Selection) -> None:
    handover = chosen.handover
    chosen.sections = SECTIONS
    chosen.subtrees, chosen.regions = handover.subtrees, handover.regions
    chosen.parts = handover.state.parts if handover.state is not None else []
    if handover.luo is not None:
        chosen.sessions = [(session, session.files) for session in handover.luo.sessions]
        chosen.flbs = handover.luo.flbs


def _add_luo(chosen: Selection, path: str) -> None:
    luo = chosen.handover.luo
    if luo is None:
        return
    chosen.sections = ("luo",)
    if path in ("luo", "luo/session", "luo/flb"):
        chosen.kind = "luo"
        chosen.sessions = [(session, session.files) for session in luo.sessions] if path != "luo/flb" else []
        chosen.flbs = luo.flbs if path != "luo/session" else []
    elif path.startswith("luo/flb/"):
        chosen.kind = "flb"
        chosen.flbs = [flb for flb in luo.flbs if _named(flb.path, path)]
    else:
        chosen.kind = "session"
        chosen.sessions = [(session, session.files) for session in luo.sessions if _named(session.path, path)]
        if not chosen.sessions:
            chosen.kind = "file"
            found = ((session, [file for file in session.files if _named(file.path, path)]) for session in luo.sessions)
            chosen.sessions = [(session, files) for session, files in found if files]


def _add_subtree(chosen: Selection, name: str) -> None:
    """The blob, and what was read from it."""
    chosen.subtrees = [subtree for subtree in chosen.handover.subtrees if _named(subtree.name, name)]
    found_by = {subtree.layout.found_by for subtree in chosen.subtrees if subtree.layout is not None}
    if "KHO subtree LUO" in found_by:
        _add_luo(chosen, "luo")
        chosen.sections = ("subtrees", "luo")
    elif "KHO subtree kexec-metadata" in found_by:
        chosen.sections = ("subtrees", "metadata")
    elif "KHO subtree memblock" in found_by:
        chosen.sections, chosen.regions = ("subtrees", "memblock"), chosen.handover.regions
    elif "KHO subtree devstate" in found_by and chosen.handover.state is not None:
        chosen.sections, chosen.parts = ("subtrees", "state"), chosen.handover.state.parts
    else:
        chosen.sections = ("subtrees",)
    chosen.kind = "subtree"


def _named(name: str, asked: str) -> bool:
    """Whether the user means ``name``: as it is, or as it was shown to him."""
    return asked in (name, printable(name))


def _unknown(handover: Handover, path: str) -> UsageError:
    import difflib
    from itertools import islice

    known = [printable(each) for each in islice(paths(handover), SEARCHED_MAX)]
    near = difflib.get_close_matches(path, known, n=SHOWN_MAX, cutoff=0.5) or known[:SHOWN_MAX]
    return UsageError(f"{handover.source}: nothing in this handover is called {path!r}; there is, for example, {', '.join(near)}")
