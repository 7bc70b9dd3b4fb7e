# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A ``/dev/liveupdate`` in this process: the ioctls of the table over an orchestrator of ``sessions``. Its descriptors are its own.

What the kernel checks before an orchestrator sees a call is done here: who has the device open, which call goes to which descriptor, how
large the struct is, whether what it must leave zero is zero.
"""

from __future__ import annotations

import errno
import os
import struct

from devstate.errors import LiveUpdateError
from devstate.luo import uapi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.luo.sessions import Luo, Session

NUMBER = 0xFF
"""Bits of a request that are the number of the call."""

FIRST_FD = 1000
"""Far from those of the process, so that one is not taken for the other."""


def refuse(number: int) -> OSError:
    """The error that a system call gives."""
    return OSError(number, os.strerror(number))


class Double:
    """The system calls of a process on a machine whose orchestrator is ``luo``; None: the kernel has none.

    ``files`` are what descriptors of the process stand for: the file that a driver's handler gets. ``calls`` lacks GET_NAME before 7.2.
    """

    def __init__(self, luo: Luo | None, *, calls: tuple[uapi.Ioctl, ...] = uapi.ALL) -> None:
        self.luo = luo
        self.files: dict[int, Any] = {}
        self._calls = {each.request: each for each in calls}
        self._device: int | None = None
        self._sessions: dict[int, Session] = {}
        self._next = FIRST_FD

    def new_file(self, file: Any) -> int:
        """A descriptor for a file."""
        self._next += 1
        self.files[self._next] = file
        return self._next

    def open(self, path: str) -> int:
        """Open the device: ENOENT without orchestrator, EBUSY when it is open, EIO when the handover could not be taken."""
        if path != uapi.PATH or self.luo is None:
            raise refuse(errno.ENOENT)
        if self._device is not None:
            raise refuse(errno.EBUSY)
        self._reply(self.luo.open)
        self._next += 1
        self._device = self._next
        return self._device

    def close(self, fd: int) -> None:
        """Close a descriptor of any kind; EBADF for none."""
        if fd == self._device:
            self._device = None
        elif fd in self._sessions:
            self._sessions.pop(fd).close()
        elif self.files.pop(fd, None) is None:
            raise refuse(errno.EBADF)

    def ioctl(self, fd: int, request: int, buffer: bytearray) -> int:
        """One ioctl."""
        if fd != self._device and fd not in self._sessions:
            raise refuse(errno.EBADF)
        on = "device" if fd == self._device else "session"
        numbers = [each.nr for each in self._calls.values() if each.on == on]
        if not min(numbers) <= request & NUMBER <= max(numbers):  # before it looks at type and direction
            raise refuse(errno.EINVAL)
        if len(buffer) < 4:
            raise refuse(errno.EFAULT)
        ioctl = self._calls.get(request)
        if ioctl is None:
            raise refuse(errno.ENOTTY)
        size = int.from_bytes(buffer[:4], "little" if struct.pack("=H", 1)[0] else "big")
        if size < ioctl.size:
            raise refuse(errno.EINVAL)
        if size > len(buffer):
            raise refuse(errno.EFAULT)
        if any(buffer[ioctl.size : size]):
            raise refuse(errno.E2BIG)
        values = struct.unpack(ioctl.form, buffer[: ioctl.size])
        made = self._on_device(ioctl, *values) if fd == self._device else self._on_session(self._sessions[fd], ioctl, *values)
        buffer[: ioctl.size] = struct.pack(ioctl.form, *made)
        return 0

    def _on_device(self, ioctl: uapi.Ioctl, size: int, _fd: int, name: bytes) -> tuple[Any, ...]:
        assert self.luo is not None  # it is open
        if b"\0" not in name:
            raise refuse(errno.EINVAL if ioctl is uapi.CREATE_SESSION else errno.ENOENT)
        text = name.split(b"\0")[0].decode("utf-8", "surrogateescape")
        session = self._reply(self.luo.create if ioctl is uapi.CREATE_SESSION else self.luo.retrieve, text)
        self._next += 1
        self._sessions[self._next] = session
        return size, self._next, name

    def _on_session(self, session: Session, ioctl: uapi.Ioctl, size: int, second: int, third: Any = None) -> tuple[Any, ...]:
        if ioctl is uapi.PRESERVE_FD:
            if second not in self.files:
                own = second in self._sessions or second == self._device  # files, too, but no handler takes them
                missing = errno.ENOENT if own else errno.EBADF
                raise refuse(errno.EINVAL if session.incoming else errno.EEXIST if third in session.tokens else missing)
            self._reply(session.preserve, third, self.files[second])
            return size, second, third
        if ioctl is uapi.RETRIEVE_FD:
            return size, self.new_file(self._reply(session.retrieve, third)), third
        if second:
            raise refuse(errno.EINVAL)
        if ioctl is uapi.GET_NAME:
            return size, 0, session.name.encode("utf-8", "surrogateescape")
        self._reply(session.finish)
        return size, 0

    @staticmethod
    def _reply(method: Any, *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except LiveUpdateError as error:
            raise refuse(error.errno) from error
