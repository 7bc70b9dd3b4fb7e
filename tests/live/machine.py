# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A QEMU machine whose root is that of the host, read-only, and which can be stopped at one instruction to take its memory."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

STARTS = 30.0
"""Seconds within which QEMU answers."""

LINE = "console=ttyS0 kho=on liveupdate=on nokaslr no_timer_check panic=-1"
"""What every kernel is told; a machine that is short of processors would fail the test of its timer."""

INTERRUPTS = 0x200
"""The flag of x86 that lets interrupts in."""

WRITE = 1024
"""Bytes of one packet that writes."""


def host_root(shared: Path) -> tuple[str, ...]:
    """Arguments for a machine whose root is that of the host, read-only; the guest may write to ``shared``."""
    init = Path(__file__).with_name("init.sh").resolve()
    return (
        "-append", f"{LINE} root=host rootfstype=9p rootflags=trans=virtio,version=9p2000.L ro init={init}",
        "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
        "-virtfs", f"local,path={shared},mount_tag=shared,security_model=none",
    )  # fmt: skip


class Machine:
    """QEMU. ``place`` is a directory for its sockets and its console, ``arguments`` say what it boots from."""

    def __init__(self, kernel: Path, place: Path, *arguments: str, memory: str = "1G", processors: int = 2) -> None:
        self.place = place
        for name in ("gdb", "qmp", "serial"):
            (place / name).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64",
             "-M", "q35,sata=off,i8042=off", "-nodefaults", "-accel", "tcg", "-cpu", "max", "-m", memory, "-smp", str(processors),
             "-display", "none", "-no-reboot", "-kernel", kernel, "-serial", "chardev:serial",
             "-chardev", f"socket,id=serial,path={place / 'serial'},server=on,wait=off,logfile={place / 'console'}",
             "-gdb", f"unix:{place / 'gdb'},server=on,wait=off", "-qmp", f"unix:{place / 'qmp'},server=on,wait=off", *arguments],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.gdb: socket.socket | None = None
        self.qmp = connect(place / "qmp").makefile("rw")
        self.qmp.readline()
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: object) -> object:
        """A command of QMP, and its answer."""
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def expect(self, packet: str, expected: str) -> None:
        """Send a packet of gdb's remote protocol, and wait for an answer that begins so."""
        assert self.gdb is not None
        self.gdb.sendall(f"${packet}#{sum(packet.encode()) % 256:02x}".encode())
        found: list[bytes] = []
        while not any(each.startswith(expected.encode()) for each in found):
            received = self.gdb.recv(4096)
            if not received or any(each.startswith(b"E") for each in found):
                raise RuntimeError(f"{packet}: {found}")
            found += re.findall(rb"\$([^#]*)#..", received)  # what stopped it may be said in between
        self.gdb.sendall(b"+")

    def attach(self) -> None:
        """Begin to debug it; QEMU stops it."""
        self.gdb = connect(self.place / "gdb")

    def stop_at(self, address: int, go: Callable[[], object]) -> None:
        """Run on until some processor comes to an instruction, and stop there. ``go`` is what lets the guest get there."""
        self.attach()
        self.expect(f"Z1,{address:x},1", "OK")
        go()
        self.expect("c", "T05")
        self.expect(f"z1,{address:x},1", "OK")

    def type(self, text: str) -> None:
        """Say something on its serial line."""
        with connect(self.place / "serial") as line:
            line.sendall(text.encode())

    def go_on(self) -> None:
        """Let it run, and let go of it."""
        self.expect("D", "OK")

    def write(self, pa: int, data: bytes) -> None:
        """Change its physical memory, while it stands."""
        self.expect("Qqemu.PhyMemMode:1", "OK")
        for at in range(0, len(data), WRITE):
            some = data[at : at + WRITE]
            self.expect(f"M{pa + at:x},{len(some):x}:{some.hex()}", "OK")
        self.expect("Qqemu.PhyMemMode:0", "OK")

    def monitor(self, line: str) -> str:
        """A command of the human monitor, for what QMP has none."""
        return str(self.command("human-monitor-command", **{"command-line": line}))

    def halted(self) -> bool:
        """Whether its only processor waits for an interrupt, and takes none: nothing will happen any more."""
        said = self.monitor("info registers")
        flags = re.search(r"RFL=([0-9a-f]+)", said)
        return "HLT=1" in said and flags is not None and not int(flags[1], 16) & INTERRUPTS

    def dump(self, to: Path) -> None:
        """All of its memory, as an ELF core with physical addresses."""
        self.command("dump-guest-memory", paging=False, protocol=f"file:{to}")

    def wait(self, seconds: float) -> int:
        """Until it ends; its exit status."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def connect(path: Path) -> socket.socket:
    """A socket that somebody will open soon."""
    end = time.monotonic() + STARTS
    while True:
        try:
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            return client
        except OSError:
            client.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
