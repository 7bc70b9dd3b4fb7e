# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A real jump that can be played again and again: a machine that stands at the instant of the jump, kept in a snapshot.

Each time some of its memory is changed, and what the new kernel makes of it is put into the classes of ``devstate check``.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from devstate.frozen import frozen
from tests.live.archive import archive
from tests.live.machine import LINE, Machine

BOOTS, TAKES, ASKS = 120.0, 30.0, 2.0
"""Seconds: for the first boot; for one new kernel to say something more (without KVM it boots in about two, on a machine of its own); of
silence after which its processor is looked at."""

POLLS, SETTLES = 0.02, 3.0

PANIC, OOPS, WARNING = "Kernel panic - not syncing", ("Oops: ", "BUG: unable to handle", "kernel BUG at"), ("WARNING: ", "BUG: Bad page")

PLAN = """\
session vm-alpha
file 1 4096 11 0 0 0
file 2 1048576 12 0 4096 0
file 3 300000 13 0 1234 0
session empty
session vm-beta
file 77 65536 14 6 0 0
file 18446744073709551615 0 0 0 0 0
file 5 5242880 0 0 0 0
"""
"""What is handed over, for ``agent.c``: files of one page, of many, sealed, empty, and one hole."""


@frozen
class Reaction:
    """What a new kernel did. ``said`` are the agent's lines; ``died`` is "", "hangs", "panic" or "oops"; ``console`` is all that it
    printed. ``seconds`` is how long that took.
    """

    said: tuple[str, ...]
    died: str
    console: str
    seconds: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the kernel complained of in its log."""
        return tuple(line for line in self.console.splitlines() if any(sign in line for sign in WARNING))


def agent(place: Path) -> bytes:
    """The program of ``agent.c``."""
    source = Path(__file__).with_name("agent.c")
    subprocess.run(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", place / "agent", source], check=True)
    return (place / "agent").read_bytes()


class Stage:
    """The machine. ``core`` is its memory at the jump. ``line`` is added to both kernels' command lines."""

    def __init__(self, kernel: Path, following: Path, place: Path, *, plan: str = PLAN, line: str = "", memory: str = "512M") -> None:
        self.kernel, self.place, self.memory = kernel, place, memory
        self.core = place / "jump.elf"
        files = {"init": agent(place), "plan": plan.encode()}
        new = f"{LINE} {line} agent=new\0"
        (place / "initrd").write_bytes(archive(files | {"next": archive(files), "kernel": following.read_bytes(), "line": new.encode()}))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", place / "snapshots", "1M"], check=True)
        self.line = f"{LINE} {line}"
        self.machine = self.start()
        text = self.until("@load 0")
        address = next(line.split()[1] for line in text.splitlines() if line.startswith("@machine_kexec"))
        self.machine.stop_at(int(address, 16), lambda: self.machine.type("go\n"))
        self.machine.dump(self.core)
        self.monitor("savevm jump")

    def start(self, *more: str) -> Machine:
        """QEMU."""
        disk = f"file={self.place / 'snapshots'},if=none,format=qcow2,id=snapshots"
        return Machine(self.kernel, self.place, "-initrd", str(self.place / "initrd"), "-append", self.line, "-drive", disk, *more,
                       memory=self.memory, processors=1)  # fmt: skip

    def monitor(self, line: str) -> None:
        """A command that has nothing to say unless it fails."""
        answer = self.machine.monitor(line)
        if answer:
            raise RuntimeError(f"{line}: {answer}")

    @property
    def console(self) -> str:
        """All that it printed."""
        return (self.place / "console").read_text(errors="replace").replace("\r", "")

    def until(self, sign: str) -> str:
        """Wait until a line of the console begins with it."""
        end = time.monotonic() + BOOTS
        while f"\n{sign}" not in self.console:
            if time.monotonic() > end or self.machine.process.poll() is not None:
                raise SystemExit(f"the guest did not come to {sign}:\n" + self.console[-3000:])
            time.sleep(POLLS)
        return self.console

    def play(self, writes: Sequence[tuple[int, bytes]]) -> Reaction:
        """Go back to the jump, change memory, and see what the new kernel does."""
        if self.machine.process.poll() is not None:  # a triple fault ended it
            self.machine = self.start("-S", "-loadvm", "jump")
            self.machine.attach()
        else:
            self.machine.command("stop")
            self.monitor("loadvm jump")
        for pa, data in writes:
            self.machine.write(pa, data)
        before, start = len(self.console), time.monotonic()
        self.machine.command("cont")
        died, seen, last = "", "", start
        while not died:
            time.sleep(POLLS)
            text = self.console[before:]
            if "\n@done " in text:
                break
            last = time.monotonic() if text != seen else last
            seen = text
            if f"{PANIC}" in text and "---[ end Kernel panic" in text:
                died = "panic"
            elif self.machine.process.poll() is not None or time.monotonic() - last > TAKES or self.dead(last):
                died = "hangs"
        if died:
            self.settle()
        said = tuple(line[1:] for line in text.splitlines() if line.startswith("@"))
        if any(sign in text for sign in OOPS) and "boot new" in " ".join(said):
            died = "oops"
        return Reaction(said, died, text, time.monotonic() - start)

    def settle(self) -> None:
        """A kernel that died may end the machine, a moment later."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.machine.wait(SETTLES)

    def dead(self, last: float) -> bool:
        """Whether it stands still for ever, having said nothing since ``last``."""
        return time.monotonic() - last > ASKS and self.machine.process.poll() is None and self.machine.halted()

    def end(self) -> None:
        """Switch it off."""
        self.machine.kill()


def reaction_class(twin: Reaction, found: Reaction) -> str:
    """The class, as ``devstate check`` names it, by comparison with the jump whose memory nobody changed."""
    if not any(line.startswith("boot new") for line in found.said):
        return "panic" if PANIC in found.console else "dies-early"
    if found.died:
        return found.died
    if found.said[0] == "boot new 0":
        return "ignored"
    if not any(line == "open 0" for line in found.said):
        return "open-fails"
    differs = [new.split() for old, new in zip(twin.said, found.said, strict=False) if old != new]
    if any(words[0] in ("session", "file") and words[2] != "0" for words in differs):
        return "retrieve-fails"
    return "accepted" if twin.said == found.said else "silent-wrong"
