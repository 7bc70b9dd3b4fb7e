# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What runs inside the guest, as root: in the old kernel it preserves files and jumps, in the new one it takes them back.

Everything that it learns goes, a JSON line each, to ``old.jsonl`` or ``new.jsonl`` of the shared directory: ``[what, value]``.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from devstate.errors import LiveUpdateError
from devstate.luo.client import Client, SystemCalls
from tests.live.calls import Run, after, before

KEXEC_FILE_LOAD = 320
KEXEC_FILE_NO_INITRAMFS = 4
REBOOT = 169
MFD_NOEXEC_SEAL = 8
MAGIC, MAGIC2, CMD_KEXEC, CMD_POWER_OFF = 0xFEE1DEAD, 672274793, 0x45584543, 0x4321FEDC
"""Numbers of the x86-64 system calls, and of reboot(2)."""

LEFT = "left"
"""A session that is finished without being retrieved."""

FILES = {
    "vm-alpha": {1: b"a" * 4096, 2: bytes(range(256)) * 4096, 2**64 - 1: b"odd" * 33333},
    "vm-beta": {77: b"\0" * 65536},
    "empty": {},
    LEFT: {1: b"nobody asks for it"},
    "vm-" + "n" * 60: {0: b"the longest name"},
}
"""Sessions, tokens and contents."""

libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: int | bytes) -> int:
    """A system call; OSError as the kernel says."""
    result = int(libc.syscall(number, *(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Notes:
    """The shared directory, and the file of what was learnt."""

    def __init__(self, shared: Path, name: str) -> None:
        self.shared, self.file = shared, (shared / name).open("a")

    def write(self, what: str, value: object) -> None:
        """Note a fact."""
        self.file.write(json.dumps([what, value]) + "\n")
        self.file.flush()

    def devstate(self, what: str, *arguments: str, environment: dict[str, str] | None = None, keep: tuple[int, ...] = ()) -> None:
        """Run devstate, and note its status and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "devstate", *arguments],
            capture_output=True, text=True, check=False, pass_fds=keep, env=os.environ | (environment or {}),
        )  # fmt: skip
        self.write(what, [done.returncode, done.stdout, done.stderr])

    def refused(self, what: str, act: object) -> None:
        """Note the errno of what must be refused."""
        assert callable(act)
        try:
            act()
        except LiveUpdateError as error:
            self.write(what, [error.errno, str(error)])
        else:
            self.write(what, None)


def symbol(name: str) -> int:
    """The address of a symbol of this kernel."""
    for line in Path("/proc/kallsyms").read_text().splitlines():
        if line.split()[2] == name:
            return int(line.split()[0], 16)
    raise KeyError(name)


def memfd(content: bytes) -> int:
    """A memfd that holds it."""
    fd = os.memfd_create("ram", 0)
    os.write(fd, content)
    return fd


class Files:
    """Makes descriptors of this process."""

    def make(self, kind: str) -> int:
        """A file of a kind of ``calls.KINDS``."""
        if kind in ("memfd", "empty", "hole", "sealed", "noexec", "huge"):
            return made_memfd(kind)
        if kind in ("unlinked", "linked"):
            fd = os.open(f"/tmp/{kind}", os.O_RDWR | os.O_CREAT)
            os.write(fd, kind.encode())
            if kind == "unlinked":
                os.unlink(f"/tmp/{kind}")
            return fd
        simple = {
            "null": lambda: os.open("/dev/null", os.O_RDWR),
            "pipe": lambda: os.pipe()[0],
            "socket": lambda: socket.socket(socket.AF_UNIX).detach(),
            "directory": lambda: os.open("/tmp", os.O_RDONLY),
            "event": lambda: os.eventfd(0),
            "path": lambda: os.open(f"/proc/self/fd/{made_memfd('memfd')}", os.O_PATH),
        }
        return simple[kind]()

    def again(self, fd: int) -> int:
        """Another descriptor of a file, which only reads."""
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)

    def look(self, fd: int) -> object:
        """Size, position, seals, digest."""
        return looks(fd)


def made_memfd(kind: str) -> int:
    """A memfd that is sealed, empty, or whatever its kind says."""
    fd = os.memfd_create(kind, os.MFD_ALLOW_SEALING | {"huge": os.MFD_HUGETLB, "noexec": MFD_NOEXEC_SEAL}.get(kind, 0))
    if kind == "hole":
        os.ftruncate(fd, 1 << 20)
    elif kind != "empty" and kind != "huge":
        os.write(fd, kind.encode())
    if kind == "sealed":
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


def looks(fd: int) -> list[object]:
    """Size, position, seals and digest of a file."""
    size, position = os.fstat(fd).st_size, os.lseek(fd, 0, os.SEEK_CUR)
    return [size, position, fcntl.fcntl(fd, fcntl.F_GET_SEALS), hashlib.sha256(os.pread(fd, size, 0)).hexdigest()]


class RawCalls(SystemCalls):
    """The system calls of this machine; an empty buffer is no address."""

    def ioctl(self, fd: int, request: int, buffer: bytearray) -> int:
        """Call it."""
        return super().ioctl(fd, request, buffer) if buffer else int(fcntl.ioctl(fd, request, 0))


def wait_for(sign: Path) -> None:
    """Until somebody makes a file."""
    while not sign.exists():
        time.sleep(0.05)


def old(notes: Notes) -> None:
    """The old kernel: sessions with files; what devstate says of them; the jump."""
    notes.devstate("status", "luo", "status", "--json")
    truth = {}
    with Client.open() as client:
        sessions = {name: client.create(name) for name in FILES}
        notes.refused("create twice", lambda: client.create("empty"))
        notes.refused("open twice", Client.open)
        notes.refused("retrieve what was not handed over", lambda: client.retrieve("nothing"))
        for name, files in FILES.items():
            for token, content in files.items():
                file = memfd(content)
                sessions[name].preserve(file, token)
                truth[f"{name}/{token}"] = looks(file)
        fd = memfd(b"once")
        notes.refused("token twice", lambda: sessions["vm-alpha"].preserve(fd, 1))
        notes.refused("no handler", lambda: sessions["empty"].preserve(os.open("/dev/null", os.O_RDWR), 1))
        notes.refused("no descriptor", lambda: sessions["empty"].preserve(999, 1))
        notes.refused("retrieve from an outgoing session", lambda: sessions["vm-alpha"].retrieve(1))
        notes.refused("finish an outgoing session", sessions["vm-alpha"].finish)
        os.set_inheritable(sessions["vm-beta"].fd, True)
        beta = sessions["vm-beta"].fd
        notes.devstate("names", "luo", "names", str(beta), keep=(beta,))
    run = Run(RawCalls(), Files())  # its sessions stay open until the jump
    before(run)
    run.close(run.device)
    notes.write("answers", run.answers)
    truth |= {f"{run.sessions[session]}/{token}": look for (session, token), look in run.kept.items()}
    notes.write("truth", truth | {"by-verb/5": looks(os.open(f"/proc/self/fd/{fd}", os.O_RDWR))})  # as the verb opens it
    notes.devstate("capture", "capture", "-o", str(notes.shared / "out.core.zst"))
    notes.devstate("capture preserved", "capture", "--preserved", "-o", str(notes.shared / "out-preserved.core.zst"))
    sign = notes.shared / "preserved"
    subprocess.Popen(
        [sys.executable, "-m", "devstate", "luo", "preserve", "by-verb", "--file", f"5=/proc/{os.getpid()}/fd/{fd}",
         "--", "sh", "-c", f"touch {sign}; exec sleep 1000"]
    )  # fmt: skip
    wait_for(sign)
    kernel = os.open(notes.shared / "kernel", os.O_RDONLY)
    line = Path("/proc/cmdline").read_bytes().strip() + b"\0"
    call(KEXEC_FILE_LOAD, kernel, -1, len(line), line, KEXEC_FILE_NO_INITRAMFS)
    notes.write("machine_kexec", symbol("machine_kexec"))
    wait_for(notes.shared / "go")
    call(REBOOT, MAGIC, MAGIC2, CMD_KEXEC, 0)


def new(notes: Notes) -> None:
    """The new kernel: what was handed over, and what comes of it."""
    notes.devstate("capture", "capture", "--side", "in", "-o", str(notes.shared / "in.core.zst"))
    notes.devstate("status", "luo", "status", "--json")
    out, truth = notes.shared / "retrieved", {}
    notes.devstate("retrieve", "luo", "retrieve", "by-verb", f"5={out}")
    with Client.open() as client:
        notes.refused("retrieve an unknown session", lambda: client.retrieve("nothing"))
        for name, files in FILES.items():
            if name == LEFT:
                continue
            session = client.retrieve(name)
            notes.refused(f"retrieve {name} twice", lambda name=name: client.retrieve(name))  # type: ignore[misc]
            notes.refused("no such token", lambda session=session: session.retrieve(4711))  # type: ignore[misc]
            for token in files:
                truth[f"{name}/{token}"] = looks(session.retrieve(token))
            session.finish()
            session.close()
    notes.devstate("finish", "luo", "finish", LEFT)
    notes.devstate("finish again", "luo", "finish", LEFT)
    run = Run(RawCalls(), Files())
    after(run)
    notes.write("answers", run.answers)
    notes.write("truth", truth)
    call(REBOOT, MAGIC, MAGIC2, CMD_POWER_OFF, 0)


def main() -> None:
    """Which of the two this is, the carrier says."""
    shared = Path(sys.argv[1])
    came = bytes(Path("/sys/kernel/debug/kho/in/fdt").read_bytes()) if Path("/sys/kernel/debug/kho/in/fdt").exists() else b""
    try:
        (new if came else old)(Notes(shared, "new.jsonl" if came else "old.jsonl"))
    except BaseException as error:
        import traceback

        Notes(shared, "failed.jsonl").write("failed", "".join(traceback.format_exception(error)))
        call(REBOOT, MAGIC, MAGIC2, CMD_POWER_OFF, 0)


if __name__ == "__main__":
    main()
