# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sessions, as they were merged in 6.19: there is no state of the whole system, only files in sessions, and a reboot that serialises them.

Outgoing sessions were created in this kernel, incoming ones come from the old one. What is refused, and how, is what the kernel answers::

    create       name of 1 to 63 bytes (EINVAL), new (EEXIST), not too many (ENOSPC)
    preserve     outgoing only (EINVAL)           close outgoing      all unpreserved
    retrieve     incoming (ENOENT), once (EINVAL) close incoming      finished; if it cannot be, it stays as it is
    retrieve fd, finish   incoming only (EINVAL)  reboot              all frozen, sessions in order; one error unfreezes all

One call changes something at a time, from whatever thread; who waits for the others can be killed (EAGAIN), as in the kernel.

Source: kernel/liveupdate/luo_session.c and luo_core.c, 6.19 to 7.3.
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.frozen import frozen
from devstate.luo.engine import Engine
from devstate.luo.files import FileSet
from devstate.luo.flbs import FlbUser
from devstate.luo.handlers import Handlers
from devstate.luo.lock import StateLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Event as Killed
    from typing import Any

    from devstate.luo.files import SerializedFile, Taken
    from devstate.luo.handlers import Handler, LayoutOf

NAME_MAX = 63
"""Bytes of a session's name: 64 with the NUL."""

FLB_MAX = 63
"""Shared objects that fit into their page of 4K."""


@frozen
class Limits:
    """How much fits. The defaults are those of luo-v4 and later on 4K pages; ``OLDER`` those of luo-v1 to luo-v3."""

    sessions: int = 10_000 * 51
    files: int = 10_000 * 63
    full: int = errno.ENOSPC
    """What one session too many is told; one file too many is always told ENOSPC."""


OLDER = Limits(sessions=819, files=128, full=errno.ENOMEM)


@frozen
class SerializedSession:
    """A luo_session_ser with its files."""

    name: str
    files: tuple[SerializedFile, ...]


@frozen
class SerializedFlb:
    """A luo_flb_ser: ``count`` files depend on it."""

    name: str
    data: int
    count: int


@frozen
class Serialized:
    """All that the orchestrator hands over. ``number`` counts the live updates since the machine was switched on."""

    number: int
    sessions: tuple[SerializedSession, ...] = ()
    flbs: tuple[SerializedFlb, ...] = ()


class Session:
    """A session, as its file descriptor in a kernel. ``incoming`` tells which of the two kinds it is."""

    def __init__(self, luo: Luo, name: str, incoming: bool) -> None:
        self.name = name
        self.incoming = incoming
        self.retrieved = False
        self.closed = False
        self._luo = luo
        self._files = FileSet(name, luo.handlers, luo.engine, luo.taken, luo.limits.files)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens of its files, oldest first."""
        return tuple([each.args.token for each in self._files.files])

    def preserve(self, token: int, file: Any, *, killed: Killed | None = None) -> None:
        """Take a file in. EINVAL in an incoming session; EBUSY once the reboot has begun; else as FileSet.preserve()."""
        self._is(incoming=False)
        with self._luo.lock.writing(killed):
            self._luo.not_rebooting()
            self._files.preserve(token, file)

    def retrieve(self, token: int, *, killed: Killed | None = None) -> Any:
        """A file of the old kernel. EINVAL in an outgoing session, else as FileSet.retrieve()."""
        self._is(incoming=True)
        with self._luo.lock.writing(killed):
            return self._files.retrieve(token)

    def finish(self, *, killed: Killed | None = None) -> None:
        """Let go of the old kernel's state. EINVAL in an outgoing session, else as FileSet.finish()."""
        self._is(incoming=True)
        with self._luo.lock.writing(killed):
            self._files.finish()

    def close(self) -> None:
        """Close its descriptor. An outgoing one is given up, an incoming one is finished: if that fails, it stays, and a warning tells."""
        with self._luo.lock.writing():
            if self.closed:
                return
            if self.incoming:
                try:
                    self._files.finish()
                except LiveUpdateError as error:
                    self._luo.engine.warnings.append(f"close: {self.name}: {error}")
                    return
                self._luo.incoming.pop(self.name, None)
            else:
                self._luo.not_rebooting()
                self._files.unpreserve()
                del self._luo.outgoing[self.name]
            self.closed = True

    def freeze(self) -> SerializedSession:
        """Called by the reboot."""
        return SerializedSession(self.name, self._files.freeze())

    def unfreeze(self) -> None:
        """Called by a reboot that fails."""
        self._files.unfreeze()

    def receive(self, serialized: SerializedSession) -> None:
        """Called at boot."""
        self._files.receive(serialized.files)

    def _is(self, incoming: bool) -> None:
        if self.incoming is not incoming:
            kind = "an incoming" if self.incoming else "an outgoing"
            raise LiveUpdateError(errno.EINVAL, f"{self.name} is {kind} session")


class Luo:
    """The orchestrator of one kernel. ``received`` is what the old one handed over; None after a cold boot. ``layout_of`` knows the
    layouts of what handlers leave, by compatible (see ``handlers``).

    ``rebooting`` tells that the reboot has begun.

    Handlers must be registered before the device is first opened (:meth:`open`): a file without handler makes every open fail, for ever.
    """

    def __init__(
        self,
        received: Serialized | None = None,
        *,
        engine: Engine | None = None,
        limits: Limits | None = None,
        layout_of: LayoutOf = lambda compatible: None,
    ) -> None:
        self.engine = engine or Engine()
        self.limits = limits or Limits()
        self.handlers = Handlers(self.engine, layout_of)
        self.lock = StateLock()
        self.flbs: dict[str, FlbUser] = {}
        self.taken: Taken = set()
        self.outgoing: dict[str, Session] = {}
        self.incoming: dict[str, Session] = {}
        self.number = 1 if received is None else received.number + 1
        self._received = received
        self._failed: LiveUpdateError | None = None
        self._deserialized = received is None
        self.rebooting = False

    def register(self, ops: Any) -> Handler:
        """Register a file handler; errors as Handlers.register()."""
        return self.handlers.register(ops)

    def register_flb(self, handler: Handler, ops: Any) -> FlbUser:
        """Hang a shared object on a handler's files. EEXIST when it hangs there already, ENOSPC when there are too many."""
        user = self.flbs.get(ops.compatible)
        if user is not None and user in handler.flbs:
            raise LiveUpdateError(errno.EEXIST, f"{ops.compatible} hangs on {handler.compatible} already")
        if user is None:
            if len(self.flbs) >= FLB_MAX:
                raise LiveUpdateError(errno.ENOSPC, f"{FLB_MAX} shared objects, and no more fit")
            user = self.flbs[ops.compatible] = FlbUser(ops, self.engine)
            self._tell(user)
        handler.flbs.append(user)
        return user

    def _tell(self, user: FlbUser) -> None:
        """What the handover says of a shared object."""
        sent = () if self._received is None else self._received.flbs
        user.announced = bool(sent)
        for each in sent:
            if each.name == user.name:
                user.receive(each.data, each.count)

    def open(self) -> None:
        """What opening the device does: the first time, incoming sessions are made. EIO, now and for ever, when that failed."""
        with self.lock.writing():
            if not self._deserialized:
                self._deserialized = True
                try:
                    self._deserialize()
                except LiveUpdateError as error:
                    self._failed = error
        if self._failed is not None:
            raise LiveUpdateError(errno.EIO, f"the handover cannot be taken: {self._failed}")

    def _deserialize(self) -> None:
        assert self._received is not None  # open() asked
        for each in self._received.sessions:
            if each.name in self.incoming:
                raise LiveUpdateError(errno.EEXIST, f"the session {each.name} comes twice")
            session = self.incoming[each.name] = Session(self, each.name, incoming=True)
            session.receive(each)

    def create(self, name: str, *, killed: Killed | None = None) -> Session:
        """A new outgoing session; the table above says what is refused."""
        if not 0 < len(name.encode("utf-8", "surrogateescape")) <= NAME_MAX or "\0" in name:
            raise LiveUpdateError(errno.EINVAL, f"a session's name has 1 to {NAME_MAX} bytes")
        with self.lock.writing(killed):
            self.not_rebooting()
            if name in self.outgoing:
                raise LiveUpdateError(errno.EEXIST, f"there is a session {name}")
            if len(self.outgoing) >= self.limits.sessions:
                raise LiveUpdateError(self.limits.full, f"{self.limits.sessions} sessions, and no more fit")
            session = self.outgoing[name] = Session(self, name, incoming=False)
            return session

    def retrieve(self, name: str, *, killed: Killed | None = None) -> Session:
        """An incoming session: ENOENT when there is none of this name, EINVAL when it was retrieved before."""
        with self.lock.writing(killed):
            session = self.incoming.get(name)
            if session is None:
                raise LiveUpdateError(errno.ENOENT, f"no session {name} came from the old kernel")
            if session.retrieved:
                raise LiveUpdateError(errno.EINVAL, f"{name} was retrieved before")
            session.retrieved = True
            return session

    def reboot(self, *, killed: Killed | None = None) -> Serialized:
        """Freeze and serialise everything; nothing can change after it. The error of the file that failed, everything unfrozen."""
        with self.lock.writing(killed):
            return self._reboot()

    def _reboot(self) -> Serialized:
        self.not_rebooting()
        self.rebooting = True
        frozen_sessions: list[Session] = []
        serialized = []
        try:
            for session in self.outgoing.values():
                serialized.append(session.freeze())
                frozen_sessions.append(session)
        except LiveUpdateError:
            for session in reversed(frozen_sessions):
                session.unfreeze()
            self.rebooting = False
            raise
        flbs = [SerializedFlb(each.name, each.args.data, each.outgoing) for each in self.flbs.values() if each.outgoing]
        return Serialized(self.number, tuple(serialized), tuple(flbs))

    def unfreeze(self) -> None:
        """What came after the reboot failed before the jump: all sessions are unfrozen, last first, and everything can go on. EINVAL when
        no reboot has begun. A kernel has nothing left that could fail there."""
        with self.lock.writing():
            if not self.rebooting:
                raise LiveUpdateError(errno.EINVAL, "no reboot has begun")
            for session in reversed(self.outgoing.values()):
                session.unfreeze()
            self.rebooting = False

    def not_rebooting(self) -> None:
        """EBUSY when the reboot has begun: a kernel would wait, and never wake up."""
        if self.rebooting:
            raise LiveUpdateError(errno.EBUSY, "the reboot has begun")
