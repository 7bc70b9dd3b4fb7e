# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""File handlers of the merged design, without a machine: an update from one orchestrator to the next in this process, each callback failing
in turn.

::

    from devstate.testing.handlers import faults, update

    def test_the_update():
        assert update([NicFiles(2), NicFiles(1)], [NicFiles(2)], {1: nic}, schemas=["nic_schema.py"])[1].rings == 4

    def test_every_callback():
        assert faults(lambda: [NicFiles(2)], lambda: [NicFiles(2)], lambda: {1: nic}, schemas=["nic_schema.py"]) == []

A handler is any object with the callbacks of ``devstate.luo.handlers``; its ``flbs``, if it has any, are shared objects that hang on its
files (``devstate.luo.flbs``). Newest first. ``files`` are what is preserved, by token.
"""

from __future__ import annotations

import contextlib
import errno

from devstate.errors import LiveUpdateError
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import Environment, NodeLayout
from devstate.layout.registry import Registry
from devstate.luo.engine import Engine
from devstate.luo.sessions import Luo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from devstate.luo.sessions import Serialized

    Handlers = Sequence[Any]
    Files = Mapping[int, Any]

SESSION = "session"
FINAL = ("retrieve", "get_id")
"""What is never tried again: the file is lost, and its session may not finish."""


def update(old: Handlers, new: Handlers, files: Files, *, schemas: Sequence[str] = ()) -> dict[int, Any]:
    """One update; the files that the new kernel retrieved, by token. LiveUpdateError for the first thing that does not work, a warning
    included. ``schemas`` are files or packages with the formats of the handlers.
    """
    trial = _Trial(lambda: old, lambda: new, lambda: files, schemas)
    return trial.taken(trial.left(trial.kernel(None, old), files))


def faults(
    old: Callable[[], Handlers], new: Callable[[], Handlers], files: Callable[[], Files], *, schemas: Sequence[str] = ()
) -> list[str]:
    """Let each callback fail, in an update of its own with handlers and files of its own; what is wrong then, in words.

    Of the old kernel: what was done is undone, so that the same update works afterwards, and leaves the same records; so is an update that
    is taken back after the reboot. Of the new kernel: a file that could not be retrieved does not keep others from it, and a session whose
    file could not tell whether it can finish, finishes later.
    """
    trial = _Trial(old, new, files, schemas)
    try:
        trial.taken(trial.left(trial.kernel(None, old()), files()))
    except LiveUpdateError as error:
        return [f"nothing failed, and yet: {error}"]
    return [*trial.old_faults(), *trial.undone(), *trial.new_faults()]


class _Break:
    """Lets one call fail, the one at ``at`` (None: none does). ``failed`` says which it was."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.failed = ""

    def __call__(self, phase: str, participant: str, op: str) -> None:
        self.count += 1
        if self.at == self.count - 1:
            self.failed = f"{op} of {participant}"
            raise LiveUpdateError(errno.EIO, f"{self.failed} was told to fail")


class _Trial:
    def __init__(
        self, old: Callable[[], Handlers], new: Callable[[], Handlers], files: Callable[[], Files], schemas: Sequence[str]
    ) -> None:
        self.old, self.new, self.files = old, new, files
        self.registry = Registry.shipped().copy()
        for path in schemas:
            add_user_schemas(self.registry, path)

    def layout_of(self, compatible: str) -> Any:
        """The layout of a handler's records."""
        names = self.registry.names(compatible)
        layout = self.registry.layout(names[0], Environment()) if names else None
        return None if layout is None or isinstance(layout.root, NodeLayout) else layout

    def kernel(self, received: Serialized | None, handlers: Handlers, before: _Break | None = None) -> Luo:
        """A kernel with these handlers."""
        luo = Luo(received, engine=Engine(before=before), layout_of=self.layout_of)
        for ops in handlers:
            handler = luo.register(ops)
            for flb in getattr(ops, "flbs", ()):
                luo.register_flb(handler, flb)
        luo.open()
        return luo

    def left(self, luo: Luo, files: Files) -> Serialized:
        """Preserve and reboot."""
        session = luo.create(SESSION)
        for token, file in files.items():
            session.preserve(token, file)
        return luo.reboot()

    def taken(self, received: Serialized) -> dict[int, Any]:
        """Retrieve and finish."""
        luo = self.kernel(received, self.new())
        session = luo.retrieve(SESSION)
        files = {token: session.retrieve(token) for token in session.tokens}
        session.finish()
        session.close()
        if luo.engine.warnings:
            raise LiveUpdateError(errno.EIO, luo.engine.warnings[0])
        return files

    def records(self, received: Serialized) -> list[bytes | None]:
        """What was left."""
        return [file.record for session in received.sessions for file in session.files]

    def clean(self) -> list[bytes | None]:
        """What an update leaves in which nothing fails."""
        return self.records(self.left(self.kernel(None, self.old()), self.files()))

    def again(self, luo: Luo, files: Files, failed: str) -> Iterator[str]:
        """After a failure: close, and do it all once more, in the same kernel, with the same files."""
        for session in [*luo.outgoing.values()][::-1]:
            session.close()
        try:
            received = self.left(luo, files)
            if self.records(received) != self.clean():
                yield f"{failed} failed: the update after it leaves other records"
            self.taken(received)
        except LiveUpdateError as error:
            yield f"{failed} failed: the update after it does not work: {error}"

    def old_faults(self) -> Iterator[str]:
        """Each callback that is made before the jump."""
        before = _Break(0)
        while True:
            luo, files = self.kernel(None, self.old(), before), self.files()
            with contextlib.suppress(LiveUpdateError):
                self.left(luo, files)
            if not before.failed:
                return
            failed, at = before.failed, before.count
            before.at = None
            yield from self.again(luo, files, failed)
            before = _Break(at)

    def undone(self) -> Iterator[str]:
        """An update that is taken back after the reboot, without any failure of a callback."""
        luo, files = self.kernel(None, self.old()), self.files()
        self.left(luo, files)
        luo.unfreeze()
        yield from self.again(luo, files, "what comes after the reboot")

    def new_faults(self) -> Iterator[str]:
        """Each callback that is made after the jump."""
        before = _Break(0)
        while True:
            received = self.left(self.kernel(None, self.old()), self.files())
            luo = self.kernel(received, self.new(), before)
            session = luo.retrieve(SESSION)
            for token in session.tokens:
                try:
                    session.retrieve(token)
                except LiveUpdateError as error:
                    if before.failed not in error.reason:
                        yield f"{before.failed} failed: then {session.name}/{token:#x} cannot be retrieved: {error}"
            try:
                session.finish()
            except LiveUpdateError:
                yield from self.finished_later(session, before)
            if not before.failed:
                return
            before = _Break((before.at or 0) + 1)

    def finished_later(self, session: Any, before: _Break) -> Iterator[str]:
        """A session that did not finish, since a callback did not work: it can, when it works; after a retrieve it may never."""
        if before.failed.startswith(FINAL):
            return
        try:
            session.finish()
        except LiveUpdateError as error:
            yield f"{before.failed} failed: then the session cannot finish: {error}"
