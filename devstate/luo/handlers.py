# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""File handlers of the merged design: what a driver registers, and what its callbacks get.

A handler is any object with ``compatible`` and the ops of the table; ops that are marked optional may be absent. ``file`` is whatever the
handler takes for one: in a kernel a struct file, in a rehearsal an object of the driver's.

============== ======== ======= ==========================================================================================
op             needed   kernel  rule
============== ======== ======= ==========================================================================================
can_preserve   yes      old     ``(file) -> bool``; the first handler that says yes gets the file
preserve       yes      old     ``(args)``; sets ``data``; undoes itself when it fails
unpreserve     yes      old     ``(args)``; the session is closed before the reboot: newest first
freeze         no       old     ``(args)``; in the reboot system call, oldest first; may change ``data``
unfreeze       no       old     ``(args)``; for the files before the one that failed
retrieve       yes      new     ``(args) -> file``; at most once
can_finish     no       new     ``(args) -> bool``; all are asked first
finish         yes      new     ``(args)``; newest first
get_id         no       both    ``(file)``; what makes it one file: the object itself where the op is absent
============== ======== ======= ==========================================================================================

What stands behind ``data`` is a record of the handler's compatible, where there is a schema of that name: ``preserve`` or
``freeze`` sets ``args.record`` (a mapping of fields to values), ``retrieve`` gets the Record of the old kernel. A handler that has none,
or sets none, has ``data`` alone, a plain u64. Versions of a format are handlers of their own, registered newest first: the first takes
files that are preserved, each takes those that were left in its form.

Source: include/linux/liveupdate.h and kernel/liveupdate/luo_file.c, 6.19 to 7.3.
"""

from __future__ import annotations

import errno

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.errors import DecodeError, EncodeError, LiveUpdateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from typing import Any

    from devstate.codec.record import Record
    from devstate.luo.engine import Engine, Phase
    from devstate.luo.flbs import FlbUser

    LayoutOf = Callable[[str], Any]
    """The layout of a compatible's records; None for one that has none."""

NEEDED = ("can_preserve", "preserve", "unpreserve", "retrieve", "finish")
COMPATIBLE_MAX = 47
"""Characters of a handler's string: 48 with the NUL."""


class FileArgs:
    """What a callback gets: ``data`` is what stands in the handover (u64), ``record`` what is behind it, ``private`` lives in this kernel
    only.

    ``status`` is 0 before a retrieve, 1 after one that worked, a negative errno after one that did not.
    """

    __slots__ = ("data", "file", "private", "record", "status", "token")

    def __init__(self, token: int, file: Any = None, data: int = 0) -> None:
        self.token = token
        self.file = file
        self.data = data
        self.record: Any = None
        self.private: Any = None
        self.status = 0


class Handler:
    """A registered handler: the driver's object, the layout of its records (None: it has none), and the shared objects that hang on its
    files.
    """

    __slots__ = ("compatible", "flbs", "layout", "name", "ops")

    def __init__(self, ops: Any, layout: Any = None) -> None:
        self.ops = ops
        self.compatible: str = ops.compatible
        self.name: str = getattr(ops, "name", None) or self.compatible
        self.layout = layout
        self.flbs: list[FlbUser] = []

    def encoded(self, args: FileArgs) -> bytes | None:
        """The bytes of the record that the handler set. EINVAL when it does not fit its schema, or there is none."""
        if args.record is None:
            return None
        if self.layout is None:
            raise LiveUpdateError(errno.EINVAL, f"{self.compatible} has no schema, so that its files have no records")
        try:
            return encode(self.layout, args.record)
        except EncodeError as error:
            raise LiveUpdateError(errno.EINVAL, f"{self.compatible}: {error}") from error

    def decoded(self, data: bytes | None) -> Record | None:
        """The record that the old kernel left. EINVAL when it is none of the handler's."""
        if data is None or self.layout is None:
            return None
        try:
            return decode(self.layout, data, exact=True)
        except DecodeError as error:
            raise LiveUpdateError(errno.EINVAL, f"{self.compatible}: {error}") from error


class Handlers:
    """All handlers of a kernel, in the order of their registration. Without ``layout_of``, handles are plain numbers."""

    def __init__(self, engine: Engine, layout_of: LayoutOf = lambda compatible: None) -> None:
        self.engine, self.layout_of = engine, layout_of
        self._by_string: dict[str, Handler] = {}

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._by_string.values())

    def register(self, ops: Any) -> Handler:
        """EINVAL when a needed op is absent or the string does not fit, EEXIST for a string that is taken."""
        compatible = getattr(ops, "compatible", None)
        missing = [op for op in NEEDED if not callable(getattr(ops, op, None))]
        if missing:
            raise LiveUpdateError(errno.EINVAL, f"the handler {compatible} has no {missing[0]}()")
        if not isinstance(compatible, str) or not 0 < len(compatible.encode()) <= COMPATIBLE_MAX:
            raise LiveUpdateError(errno.EINVAL, f"the handler's string {compatible!r} has not 1 to {COMPATIBLE_MAX} characters")
        if compatible in self._by_string:
            raise LiveUpdateError(errno.EEXIST, f"{compatible} is registered already")
        handler = self._by_string[compatible] = Handler(ops, self.layout_of(compatible))
        return handler

    def unregister(self, handler: Handler) -> None:
        """ENOENT for one that is not there."""
        if self._by_string.get(handler.compatible) is not handler:
            raise LiveUpdateError(errno.ENOENT, f"{handler.compatible} is not registered")
        del self._by_string[handler.compatible]

    def for_file(self, file: Any, phase: Phase) -> Handler:
        """The first handler that takes the file; ENOENT when none does."""
        for handler in self._by_string.values():
            if self.engine.call(phase, handler.ops, "can_preserve", file):
                return handler
        raise LiveUpdateError(errno.ENOENT, "no handler preserves this file")

    def key(self, handler: Handler, file: Any, phase: Phase) -> Hashable:
        """What makes a file one file, system-wide."""
        if not callable(getattr(handler.ops, "get_id", None)):
            return id(file)
        return handler.compatible, self.engine.call(phase, handler.ops, "get_id", file)

    def named(self, compatible: str) -> Handler:
        """The handler for a string of the handover; ENOENT when this kernel has none."""
        handler = self._by_string.get(compatible)
        if handler is None:
            raise LiveUpdateError(errno.ENOENT, f"no handler for {compatible}")
        return handler
