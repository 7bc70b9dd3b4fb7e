# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The files of one session: preserved one by one, frozen and serialised together, retrieved one by one, finished together.

Orders and unwinding are those of kernel/liveupdate/luo_file.c. ``Taken`` is the set of all files that are preserved system-wide.
"""

from __future__ import annotations

import errno

from devstate.errors import LiveUpdateError
from devstate.frozen import frozen
from devstate.luo.engine import NONE, Phase
from devstate.luo.handlers import FileArgs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Any

    from devstate.luo.engine import Engine
    from devstate.luo.handlers import Handler, Handlers

    Taken = set[Hashable]

PRESERVE = Phase("preserve", "preserve", "unpreserve")
UNPRESERVE = Phase("unpreserve", "unpreserve", unwind=NONE, newest_first=True)
FREEZE = Phase("freeze", "freeze", "unfreeze", blackout=True)
RETRIEVE = Phase("retrieve", "retrieve", blackout=True)
CAN_FINISH = Phase("can_finish", "can_finish")
FINISH = Phase("finish", "finish", unwind=NONE, newest_first=True)


@frozen
class SerializedFile:
    """A luo_file_ser: the handler's string, its handle (u64) and the token. ``record`` are the bytes of what the handle leads to, None for
    one that is a plain number.
    """

    compatible: str
    data: int
    token: int
    record: bytes | None = None


class LuoFile:
    """A file of a session. As a participant it passes each op on to its handler, with its args."""

    __slots__ = ("args", "handler", "key", "left", "name")

    def __init__(self, handler: Handler, args: FileArgs, key: Hashable, name: str) -> None:
        self.handler, self.args, self.key, self.name = handler, args, key, f"{name} ({handler.name})"
        self.left: bytes | None = None

    def __getattr__(self, op: str) -> Any:
        method = getattr(self.handler.ops, op)  # AttributeError says that the op is absent
        return lambda: method(self.args)


class FileSet:
    """The files of a session, oldest first. ``most`` is how many there may be."""

    def __init__(self, owner: str, handlers: Handlers, engine: Engine, taken: Taken, most: int) -> None:
        self.owner, self.handlers, self.engine, self.taken, self.most = owner, handlers, engine, taken, most
        self.files: list[LuoFile] = []

    def preserve(self, token: int, file: Any) -> None:
        """EEXIST for a token in use, ENOSPC when there are too many, ENOENT when no handler takes the file, EBUSY when it is preserved
        already, EINVAL for a record that does not fit its schema, else the error of the handler or of a shared object."""
        if any(each.args.token == token for each in self.files):
            raise LiveUpdateError(errno.EEXIST, f"token {token:#x} is in use in {self.owner}")
        if len(self.files) >= self.most:
            raise LiveUpdateError(errno.ENOSPC, f"{self.owner} has {self.most} files, and no more fit")
        handler = self.handlers.for_file(file, PRESERVE)
        held = []
        try:
            for flb in handler.flbs:
                flb.hold()
                held.append(flb)
            key = self.handlers.key(handler, file, PRESERVE)
            if key in self.taken:
                raise LiveUpdateError(errno.EBUSY, "the file is preserved already")
            made = LuoFile(handler, FileArgs(token, file), key, self._name(token))
            self._preserve(made)
        except LiveUpdateError:
            for flb in reversed(held):
                flb.drop()
            raise
        self.taken.add(key)
        self.files.append(made)

    def _preserve(self, file: LuoFile) -> None:
        self.engine.run(PRESERVE, [file])
        try:
            file.handler.encoded(file.args)
        except LiveUpdateError:  # it was preserved: only what it left cannot be written
            self.engine.unwind(PRESERVE, [file])
            raise

    def unpreserve(self) -> None:
        """Give all of them up, newest first."""
        self.engine.run(UNPRESERVE, self.files)
        self._forget(self.files[::-1])

    def freeze(self) -> tuple[SerializedFile, ...]:
        """Freeze all of them, oldest first, and say what stands in the handover. The error of the file that failed, the others unfrozen;
        EINVAL for a record that does not fit its schema."""
        self.engine.run(FREEZE, self.files)
        try:
            return tuple([_serialized(each) for each in self.files])
        except LiveUpdateError:
            self.engine.unwind(FREEZE, self.files)
            raise

    def unfreeze(self) -> None:
        """Take a whole freeze back."""
        self.engine.unwind(FREEZE, self.files)

    def receive(self, serialized: Sequence[SerializedFile]) -> None:
        """The files of a handover. ENOENT for a string without handler, EEXIST for a token that comes twice."""
        for each in serialized:
            if any(file.args.token == each.token for file in self.files):
                raise LiveUpdateError(errno.EEXIST, f"token {each.token:#x} comes twice in {self.owner}")
            handler = self.handlers.named(each.compatible)
            file = LuoFile(handler, FileArgs(each.token, None, each.data), None, self._name(each.token))
            file.left = each.record
            self.files.append(file)

    def retrieve(self, token: int) -> Any:
        """The file: made at the first call, the same at later ones. ENOENT for an unknown token, else the handler's error, for ever."""
        found = next((each for each in self.files if each.args.token == token), None)
        if found is None:
            raise LiveUpdateError(errno.ENOENT, f"no token {token:#x} in {self.owner}")
        args = found.args
        if args.status < 0:
            raise LiveUpdateError(-args.status, f"{found.name} could not be retrieved, and cannot be tried again")
        if not args.status:
            try:
                args.record = found.handler.decoded(found.left)
                args.file = self.engine.call(RETRIEVE, found, "retrieve")
                found.key = self.handlers.key(found.handler, args.file, RETRIEVE)
            except LiveUpdateError as error:
                args.status = -error.errno
                raise
            args.status = 1
            self.taken.add(found.key)  # until it is finished, it cannot be preserved again
        return args.file

    def finish(self) -> None:
        """Let go of the old kernel's state of all files, newest first. EBUSY when one of them says that it cannot: then none is."""
        for each in self.files:
            if self.engine.call(CAN_FINISH, each, "can_finish") is False:
                raise LiveUpdateError(errno.EBUSY, f"{each.name} cannot finish yet")
        self.engine.run(FINISH, self.files)
        for each in self.files[::-1]:
            self.taken.discard(each.key)
            for flb in each.handler.flbs:
                flb.file_finished()
        self.files.clear()

    def _forget(self, files: Sequence[LuoFile]) -> None:
        for each in files:
            self.taken.discard(each.key)
            for flb in reversed(each.handler.flbs):
                flb.drop()
        self.files.clear()

    def _name(self, token: int) -> str:
        return f"{self.owner}/{token:#x}"


def _serialized(file: LuoFile) -> SerializedFile:
    return SerializedFile(file.handler.compatible, file.args.data, file.args.token, file.handler.encoded(file.args))
