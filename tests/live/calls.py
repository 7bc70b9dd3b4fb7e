# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Calls of ``/dev/liveupdate``, before and after a jump: made to a real kernel and to the double in this
process, they must be answered alike.

``Run.answers`` maps what was done to "ok" or the name of an errno. What runs here knows nothing of which of the two it talks to, but for
``Files``: who makes the descriptors that are preserved.
"""

from __future__ import annotations

import errno
import struct

from devstate.luo import uapi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from devstate.luo.client import Calls

    class Files(Protocol):
        """Makes descriptors."""

        def make(self, kind: str) -> int:
            """A new file of a kind, one of KINDS."""

        def again(self, fd: int) -> int:
            """Another descriptor for the same file."""

        def look(self, fd: int) -> object:
            """What the file looks like."""


KINDS = (
    "memfd", "empty", "hole", "sealed", "noexec", "unlinked", "huge", "linked", "null", "pipe", "socket", "directory", "event", "path",
)  # fmt: skip
"""Memory that is preserved, up to "unlinked" (a file of a tmpfs that has no name any more); what is not; a descriptor without a file."""

PRESERVED = KINDS[:6]

OTHERS = {
    "unknown call": 0xBA02, "greater number": 0xBA7F, "another type": 0xBB00, "another type, 2": 0xBB41, "with a direction": 0xC048BA00,
    "with a direction, 2": 0xC010BA41, "terminal": 0x5401,
}  # fmt: skip
"""Requests that neither knows."""


class Run:
    """Makes calls, and writes down what was answered."""

    def __init__(self, calls: Calls, files: Files) -> None:
        self.calls, self.files = calls, files
        self.answers: dict[str, str] = {}
        self.device = -1
        self.sessions: dict[int, str] = {}
        self.kept: dict[tuple[int, int], object] = {}

    def close(self, fd: int) -> None:
        """Close a descriptor; a session loses what it has."""
        self.calls.close(fd)
        self.kept = {key: file for key, file in self.kept.items() if fd != key[0]}

    def open(self, what: str) -> int:
        """Open the device."""
        try:
            fd = self.calls.open(uapi.PATH)
        except OSError as error:
            self.note(what, error)
            return -1
        self.note(what)
        return fd

    def note(self, what: str, error: OSError | None = None, said: str = "ok") -> None:
        """Write an answer down."""
        assert what not in self.answers, what
        self.answers[what] = said if error is None else errno.errorcode.get(error.errno or 0, str(error.errno))

    def raw(self, what: str, fd: int, request: int, buffer: bytes) -> bytes:
        """One ioctl, as bytes; an empty buffer is no address."""
        changed = bytearray(buffer)
        try:
            self.calls.ioctl(fd, request, changed)
        except OSError as error:
            self.note(what, error)
            return b""
        self.note(what)
        return bytes(changed)

    def call(self, what: str, fd: int, ioctl: uapi.Ioctl, *values: object, size: int | None = None, tail: bytes = b"") -> int:
        """One ioctl of the table; its second word, where it is a descriptor, or -1."""
        made = struct.pack(ioctl.form, ioctl.size + len(tail) if size is None else size, *values)
        found = self.raw(what, fd, ioctl.request, made + tail)
        if found and ioctl is uapi.PRESERVE_FD:
            self.kept[fd, int(str(values[1]))] = self.files.look(int(str(values[0])))
        return int(struct.unpack_from("=i", found, 4)[0]) if found else -1

    def session(self, what: str, ioctl: uapi.Ioctl, name: bytes, tail: bytes = b"", size: int | None = None) -> int:
        """A session, new or of the old kernel."""
        fd = self.call(what, self.device, ioctl, -1, name, size=size, tail=tail)
        self.sessions[fd] = name.decode("latin-1")
        return fd

    def name(self, what: str, fd: int) -> None:
        """The name of a session: that is the answer."""
        found = self.raw(f"{what}: get name", fd, uapi.GET_NAME.request, struct.pack(uapi.GET_NAME.form, uapi.GET_NAME.size, 0, b""))
        self.answers[f"{what}: name"] = found[8:].split(b"\0")[0].decode("latin-1")


def forms(run: Run, what: str, fd: int, ioctl: uapi.Ioctl, *values: object) -> None:
    """A call in forms that are refused, whatever it would do."""
    run.raw(f"{what}: no address", fd, ioctl.request, b"")
    for size in (0, 4, ioctl.size - 1):
        run.call(f"{what}: of {size} bytes", fd, ioctl, *values, size=size)
    run.call(f"{what}: larger, not zero", fd, ioctl, *values, tail=b"\0\0\0\1")


def before(run: Run) -> None:
    """The old kernel's calls."""
    run.device = run.open("open")
    run.open("open a second time")
    for what, request in OTHERS.items():
        run.raw(f"device: {what}", run.device, request, struct.pack("=I68x", 72))
    forms(run, "create", run.device, uapi.CREATE_SESSION, -1, b"forms")
    create = uapi.CREATE_SESSION
    alpha = run.session("create alpha", create, b"alpha")
    beta = run.session("create beta", create, b"beta", b"\0" * 64)
    run.session("create alpha again", create, b"alpha")
    run.session("create without a name", create, b"")
    run.session("create with 64 bytes", create, b"x" * 64)
    longest = run.session("create with 63 bytes", create, b"l" * 63)
    run.session("create with 63 bytes again", create, b"l" * 63)
    strange = run.session("create with strange bytes", create, b"a b/\xff\x01")
    run.session("create with bytes behind the name", create, b"gamma\0xyz")
    run.session("retrieve what was not handed over", uapi.RETRIEVE_SESSION, b"alpha")
    for what, request in OTHERS.items():
        run.raw(f"session: {what}", alpha, request, struct.pack("=I68x", 72))
    run.raw("session: call of the device", alpha, create.request, struct.pack("=I68x", 72))
    run.raw("device: call of a session", run.device, uapi.FINISH.request, struct.pack("=II", 8, 0))
    for session, what in ((alpha, "alpha"), (longest, "longest"), (strange, "strange")):
        run.name(what, session)
    run.call("get name, reserved not zero", alpha, uapi.GET_NAME, 1, b"")
    forms(run, "preserve", alpha, uapi.PRESERVE_FD, -1, 1)
    preserve(run, alpha, beta)
    run.call("retrieve from an outgoing session", alpha, uapi.RETRIEVE_FD, -1, 0)
    run.call("finish an outgoing session", alpha, uapi.FINISH, 0)
    run.call("finish an outgoing session, reserved not zero", alpha, uapi.FINISH, 1)
    abandoned(run)


def preserve(run: Run, alpha: int, beta: int) -> None:
    """Files of all kinds; token = place in KINDS."""
    made = {kind: run.files.make(kind) for kind in KINDS}
    for token, kind in enumerate(KINDS):
        run.call(f"preserve {kind}", alpha, uapi.PRESERVE_FD, made[kind], token)
    run.call("preserve with a token in use", alpha, uapi.PRESERVE_FD, run.files.make("memfd"), 0)
    run.call("preserve no file with a token in use", alpha, uapi.PRESERVE_FD, -1, 0)
    run.call("preserve no file", alpha, uapi.PRESERVE_FD, -1, 100)
    run.call("preserve a descriptor that is not open", alpha, uapi.PRESERVE_FD, 987654, 100)
    run.call("preserve a file again", alpha, uapi.PRESERVE_FD, made["memfd"], 100)
    run.call("preserve a file in another session", beta, uapi.PRESERVE_FD, made["memfd"], 100)
    run.call("preserve another descriptor of a file", beta, uapi.PRESERVE_FD, run.files.again(made["memfd"]), 100)
    run.call("preserve the device", alpha, uapi.PRESERVE_FD, run.device, 100)
    run.call("preserve a session", alpha, uapi.PRESERVE_FD, beta, 100)
    run.call("preserve with the greatest token", beta, uapi.PRESERVE_FD, run.files.make("memfd"), 2**64 - 1)
    run.call("preserve in a larger struct", beta, uapi.PRESERVE_FD, run.files.make("memfd"), 0, tail=bytes(4000))
    closed = run.files.make("memfd")
    run.call("preserve and close", beta, uapi.PRESERVE_FD, closed, 7)
    run.close(closed)


def abandoned(run: Run) -> None:
    """A session that is closed, whose file and name are free again; a device that is closed and opened."""
    session = run.session("create abandoned", uapi.CREATE_SESSION, b"abandoned")
    fd = run.files.make("memfd")
    run.call("preserve in abandoned", session, uapi.PRESERVE_FD, fd, 1)
    run.close(session)
    session = run.session("create abandoned again", uapi.CREATE_SESSION, b"abandoned")
    run.call("preserve in abandoned again", session, uapi.PRESERVE_FD, fd, 1)
    run.close(session)
    run.close(run.device)
    run.device = run.open("open after close")


def after(run: Run) -> None:
    """The new kernel's calls."""
    run.device = run.open("open in the new kernel")
    retrieve = uapi.RETRIEVE_SESSION
    forms(run, "retrieve", run.device, retrieve, -1, b"alpha")
    for what, name in {"nothing": b"nothing", "no name": b"", "64 bytes": b"l" * 64, "abandoned": b"abandoned"}.items():
        run.session(f"retrieve {what}", retrieve, name)
    alpha = run.session("retrieve alpha", retrieve, b"alpha")
    run.session("retrieve alpha again", retrieve, b"alpha")
    beta = run.session("retrieve beta", retrieve, b"beta")
    for what, name in {"longest": b"l" * 63, "strange": b"a b/\xff\x01"}.items():
        run.name(f"retrieved {what}", run.session(f"retrieve {what}", retrieve, name))
    created = run.session("create alpha in the new kernel", uapi.CREATE_SESSION, b"alpha")
    run.name("retrieved alpha", alpha)
    forms(run, "retrieve fd", alpha, uapi.RETRIEVE_FD, -1, 0)
    forms(run, "finish", alpha, uapi.FINISH, 0)
    for token, kind in enumerate(KINDS):
        run.call(f"retrieve {kind}", alpha, uapi.RETRIEVE_FD, -1, token)
    again = run.call("retrieve memfd again", alpha, uapi.RETRIEVE_FD, -1, 0)
    run.call("preserve in an incoming session", alpha, uapi.PRESERVE_FD, again, 50)
    run.call("preserve no file in an incoming session", alpha, uapi.PRESERVE_FD, -1, 50)
    run.call("preserve what was retrieved, before it is finished", created, uapi.PRESERVE_FD, again, 50)
    run.call("finish, reserved not zero", alpha, uapi.FINISH, 1)
    run.call("finish in a larger struct", alpha, uapi.FINISH, 0, tail=bytes(8))
    run.call("finish again", alpha, uapi.FINISH, 0)
    run.call("retrieve after finish", alpha, uapi.RETRIEVE_FD, -1, 0)
    run.name("finished alpha", alpha)
    run.call("preserve what was retrieved, after it was finished", created, uapi.PRESERVE_FD, again, 51)
    run.session("retrieve alpha after finish", retrieve, b"alpha")
    run.close(alpha)
    run.session("retrieve alpha after close", retrieve, b"alpha")
    run.call("retrieve from beta", beta, uapi.RETRIEVE_FD, -1, 2**64 - 1)
    run.close(beta)
    run.session("retrieve beta after close without finish", retrieve, b"beta")
