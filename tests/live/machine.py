# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A QEMU machine whose root is that of the host, read-only, and which can be stopped at one instruction to take its memory."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from pathlib import Path

STARTS = 30.0
"""Seconds within which QEMU answers."""


class Machine:
    """QEMU; ``shared`` is the directory that the guest may write to."""

    def __init__(self, kernel: Path, shared: Path, *, memory: str = "1G", accelerator: str = "tcg", extra: tuple[str, ...] = ()) -> None:
        self.shared = shared
        init = Path(__file__).with_name("init.sh").resolve()
        root = "root=host rootfstype=9p rootflags=trans=virtio,version=9p2000.L ro"
        line = f"console=ttyS0 {root} init={init} kho=on liveupdate=on nokaslr panic=-1"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "q35", "-accel", accelerator, "-cpu", "max", "-m", memory, "-smp", "2",
             "-display", "none", "-no-reboot", "-kernel", kernel, "-append", line, "-serial", f"file:{shared / 'console'}",
             "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
             "-virtfs", f"local,path={shared},mount_tag=shared,security_model=none",
             "-gdb", f"unix:{shared / 'gdb'},server=on,wait=off", "-qmp", f"unix:{shared / 'qmp'},server=on,wait=off", *extra],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.gdb: socket.socket | None = None
        self.qmp = connect(shared / "qmp").makefile("rw")
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

    def stop_at(self, address: int) -> None:
        """Run on until some processor comes to an instruction, and stop there."""
        self.gdb = connect(self.shared / "gdb")  # and QEMU stops
        self.expect(f"Z1,{address:x},1", "OK")
        self.expect("c", "T05")
        self.expect(f"z1,{address:x},1", "OK")

    def go_on(self) -> None:
        """Let it run, and let go of it."""
        self.expect("D", "OK")

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
