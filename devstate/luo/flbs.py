# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""File-lifecycle-bound objects: state that many files share, preserved with the first of them and finished with the last.

An object has ``compatible`` and four ops, all needed: ``preserve(args)`` sets ``data`` and ``obj`` when the first dependent file is
preserved, ``unpreserve(args)`` when the last one is given up, ``retrieve(args)`` sets ``obj`` when somebody asks for it, ``finish(args)``
when the last file is finished; it is retrieved first if nobody had asked. How many files depend on it stands in the handover, and is
what the new kernel counts down from. Source: kernel/liveupdate/luo_flb.c, 7.0 to 7.3.
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.luo.engine import NONE, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.luo.engine import Engine

OPS = ("preserve", "unpreserve", "retrieve", "finish")

PRESERVE = Phase("preserve", "preserve", "unpreserve")
UNPRESERVE = Phase("unpreserve", "unpreserve", unwind=NONE)
RETRIEVE = Phase("retrieve", "retrieve", blackout=True)
FINISH = Phase("finish", "finish", unwind=NONE)


class FlbArgs:
    """What a callback gets: ``data`` stands in the handover (u64), ``obj`` is the object in this kernel."""

    __slots__ = ("data", "obj")

    def __init__(self, data: int = 0) -> None:
        self.data = data
        self.obj: Any = None


class FlbUser:
    """One registered object. ``outgoing`` counts the files that depend on it here, ``incoming`` those of the handover that are left."""

    def __init__(self, ops: Any, engine: Engine) -> None:
        missing = [op for op in OPS if not callable(getattr(ops, op, None))]
        if missing:
            raise LiveUpdateError(errno.EINVAL, f"the shared object {ops.compatible} has no {missing[0]}()")
        self.ops = ops
        self.engine = engine
        self.name: str = ops.compatible
        self.outgoing = 0
        self.args = FlbArgs()
        self.incoming: int | None = None
        self.received = FlbArgs()
        self.finished = False
        self.announced = False

    def hold(self) -> None:
        """Another file depends on it. The error of its preserve(), if this is the first."""
        if not self.outgoing:
            self.args = FlbArgs()
            self.engine.run(PRESERVE, [self.ops], self.args)
        self.outgoing += 1

    def drop(self) -> None:
        """A file does not depend on it any more."""
        self.outgoing -= 1
        if not self.outgoing:
            self.engine.run(UNPRESERVE, [self.ops], self.args)

    def receive(self, data: int, count: int) -> None:
        """What the handover says of it."""
        self.incoming = count
        self.received = FlbArgs(data)

    def get_incoming(self) -> Any:
        """The object that the old kernel left. ENODEV when it is finished, ENODATA when the handover has no shared objects at all,
        ENOENT when it has none of this name, else the error of retrieve()."""
        if self.finished:
            raise LiveUpdateError(errno.ENODEV, f"{self.name} is finished")
        if self.incoming is None:
            why = ("the handover has no shared object", errno.ENODATA) if not self.announced else (f"no {self.name}", errno.ENOENT)
            raise LiveUpdateError(why[1], f"{why[0]} in the handover" if self.announced else why[0])
        if self.received.obj is None:
            self.engine.call(RETRIEVE, self.ops, "retrieve", self.received)
        return self.received.obj

    def file_finished(self) -> None:
        """A file of the handover that depends on it is finished."""
        if self.incoming is None or self.finished:
            return
        self.incoming -= 1
        if self.incoming > 0:
            return
        try:
            self.get_incoming()
        except LiveUpdateError as error:
            self.engine.warnings.append(f"finish: {self.name}: {error}")
        else:
            self.engine.run(FINISH, [self.ops], self.received)
        self.finished = True
