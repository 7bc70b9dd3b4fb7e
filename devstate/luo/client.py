# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A client of ``/dev/liveupdate``. Opening it is exclusive: one agent of a machine has it at a time.

A session is a descriptor: whoever closes an outgoing one gives its files up, whoever closes an incoming one finishes it. Errors are
LiveUpdateError with the errno of the kernel and what it means for this call.
"""

from __future__ import annotations

import errno
import os
import struct

from devstate.errors import LiveUpdateError
from devstate.luo import uapi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Calls(Protocol):
        """The system calls that are used: those of this machine, or those of a double."""

        def open(self, path: str) -> int:
            """A descriptor of the device."""

        def ioctl(self, fd: int, request: int, buffer: bytearray) -> int:
            """One ioctl; the buffer is changed in place."""

        def close(self, fd: int) -> None:
            """Close a descriptor."""


MEANS = {
    ("open", errno.ENOENT): "this kernel has no live update orchestrator, or it was not switched on (liveupdate=on)",
    ("open", errno.EBUSY): "another agent has it open",
    ("open", errno.EIO): "the handover could not be taken over: see the kernel's log; only a reboot helps",
    ("open", errno.EACCES): "only root may open it",
    ("any", errno.ENOTTY): "the descriptor is neither the device nor a session",
    ("any", errno.E2BIG): "this kernel knows a smaller form of the call",
    ("any", errno.EOPNOTSUPP): "the orchestrator is switched off",
    ("CREATE_SESSION", errno.EEXIST): "a session of this name exists",
    ("CREATE_SESSION", errno.EINVAL): "the name is empty or too long",
    ("CREATE_SESSION", errno.ENOMEM): "there are too many sessions, or too little memory",
    ("CREATE_SESSION", errno.ENOSPC): "there are too many sessions",
    ("RETRIEVE_SESSION", errno.ENOENT): "the old kernel handed over no session of this name",
    ("RETRIEVE_SESSION", errno.EINVAL): "it was retrieved before",
    ("SESSION_PRESERVE_FD", errno.EEXIST): "the token is in use",
    ("SESSION_PRESERVE_FD", errno.EBADF): "no such file descriptor",
    ("SESSION_PRESERVE_FD", errno.ENOENT): "no handler of this kernel preserves such a file",
    ("SESSION_PRESERVE_FD", errno.ENOSPC): "the session is full",
    ("SESSION_PRESERVE_FD", errno.EBUSY): "the file is preserved already",
    ("SESSION_PRESERVE_FD", errno.EINVAL): "the session came from the old kernel",
    ("SESSION_RETRIEVE_FD", errno.ENOENT): "no file with this token",
    ("SESSION_RETRIEVE_FD", errno.EINVAL): "the session was created in this kernel",
    ("SESSION_GET_NAME", errno.EINVAL): "this kernel does not know the call (7.2 does)",
    ("SESSION_FINISH", errno.EBUSY): "a file cannot finish yet",
    ("SESSION_FINISH", errno.EINVAL): "the session was created in this kernel",
}
"""What an errno of a call means."""


class SystemCalls:
    """Those of this machine."""

    def open(self, path: str) -> int:
        """Open the device."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, fd: int, request: int, buffer: bytearray) -> int:
        """Call it."""
        import fcntl

        return int(fcntl.ioctl(fd, request, buffer, True))

    def close(self, fd: int) -> None:
        """Close it."""
        os.close(fd)


def meaning(call: str, number: int) -> str:
    """What an errno of a call means, in words."""
    return MEANS.get((call, number)) or MEANS.get(("any", number)) or os.strerror(number)


class Descriptor:
    """A descriptor that is closed at the end of a ``with``."""

    def __init__(self, fd: int, calls: Calls) -> None:
        self.fd = fd
        self._calls = calls

    def __enter__(self) -> Descriptor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it, once."""
        if self.fd >= 0:
            self._calls.close(self.fd)
            self.fd = -1

    def _call(self, ioctl: uapi.Ioctl, *values: object) -> tuple[object, ...]:
        buffer = bytearray(struct.pack(ioctl.form, ioctl.size, *values))
        try:
            self._calls.ioctl(self.fd, ioctl.request, buffer)
        except OSError as error:
            number = error.errno or errno.EIO
            raise LiveUpdateError(number, f"{ioctl.name}: {meaning(ioctl.name, number)}") from error
        return struct.unpack(ioctl.form, buffer)


class SessionClient(Descriptor):
    """A session."""

    def __enter__(self) -> SessionClient:
        return self

    def preserve(self, fd: int, token: int) -> None:
        """Preserve the file behind a descriptor of this process."""
        self._call(uapi.PRESERVE_FD, fd, token)

    def retrieve(self, token: int) -> int:
        """A new descriptor for the file."""
        fd = self._call(uapi.RETRIEVE_FD, -1, token)[1]
        assert isinstance(fd, int)  # the form says so
        return fd

    def finish(self) -> None:
        """Let go of the old kernel's state."""
        self._call(uapi.FINISH, 0)

    def name(self) -> str:
        """The session's name (7.2 and later; EINVAL before)."""
        raw = self._call(uapi.GET_NAME, 0, bytes(uapi.NAME_SIZE))[2]
        assert isinstance(raw, bytes)  # the form says so
        return raw.split(b"\0")[0].decode("utf-8", "surrogateescape")


class Client(Descriptor):
    """The device."""

    def __enter__(self) -> Client:
        return self

    @classmethod
    def open(cls, path: str = uapi.PATH, calls: Calls | None = None) -> Client:
        """Open it."""
        calls = calls or SystemCalls()
        try:
            return cls(calls.open(path), calls)
        except OSError as error:
            number = error.errno or errno.EIO
            raise LiveUpdateError(number, f"{path}: {meaning('open', number)}") from error

    def create(self, name: str) -> SessionClient:
        """A new session."""
        return self._session(uapi.CREATE_SESSION, name)

    def retrieve(self, name: str) -> SessionClient:
        """A session of the old kernel."""
        return self._session(uapi.RETRIEVE_SESSION, name)

    def _session(self, ioctl: uapi.Ioctl, name: str) -> SessionClient:
        raw = name.encode("utf-8", "surrogateescape")
        if len(raw) >= uapi.NAME_SIZE or b"\0" in raw:
            raise LiveUpdateError(errno.EINVAL, f"{ioctl.name}: a session's name has 1 to {uapi.NAME_SIZE - 1} bytes")
        fd = self._call(ioctl, -1, raw)[1]
        assert isinstance(fd, int)  # the form says so
        return SessionClient(fd, self._calls)
