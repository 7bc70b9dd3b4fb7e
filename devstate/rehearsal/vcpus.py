# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The guest's processors: general registers that a rehearsal makes up, or whole vCPUs of a real virtual machine (``kvm = true``)."""

from __future__ import annotations

import random

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.handover.spec import PartSpec
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.state import Left, chars, holds, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import Layout
    from devstate.luo.kvm import Kvm

PARTS = ("cpuid", "sregs", "regs", "xcrs", "xsave", "msrs", "lapic", "mp-state", "debugregs", "events")
STILL = ("cpuid", "sregs", "regs", "xcrs", "xsave", "lapic", "mp-state", "debugregs", "events")
"""Parts that stand still while nobody runs: some MSRs are clocks."""

GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")


def layout(part: str) -> Layout:
    """The layout of a part of a vCPU."""
    return Registry.shipped().layout(f"kvm-x86-{part}-v1", Environment())


class Vcpus:
    """vCPUs that are a ``kvm_regs`` each."""

    name = "kvm"
    parts_of_a_vcpu: tuple[str, ...] = ("regs",)

    def __init__(self, count: int) -> None:
        self.count = count
        self.now: list[dict[str, bytes]] = [{"regs": bytes(144)} for _ in range(count)]
        self.frozen: list[dict[str, bytes]] = []

    def run(self, seed: int) -> None:
        """They work: registers are other than before."""
        made = random.Random(seed)
        self.now = [{"regs": made.randbytes(144)} for _ in self.now]

    def freeze(self) -> None:
        """They stop."""
        self.frozen = self.read()

    def cancel(self) -> None:
        """They go on."""
        self.frozen = []

    def read(self) -> list[dict[str, bytes]]:
        """All parts of all vCPUs."""
        return [dict(each) for each in self.now]

    def write(self, vcpus: list[dict[str, bytes]]) -> None:
        """Make them so."""
        self.now = vcpus

    def tsc_khz(self) -> int:
        """Frequency of their TSC, kHz; 0 where they have none."""
        return 0

    def tune(self, khz: int) -> None:
        """Give them a TSC of this frequency. LiveUpdateError where that cannot be."""

    def shown(self, vcpus: list[dict[str, bytes]]) -> list[dict[str, str]]:
        """Parts that stand still, to be compared before and after."""
        return [{name: data.hex() for name, data in each.items() if name in STILL} for each in vcpus]

    def parts(self) -> tuple[PartSpec, ...]:
        """The machine, and what each vCPU is: at the freeze, or now when it was not frozen yet."""
        path = f"kvm/{GUEST}"
        head = {"name": chars(GUEST), "vcpus": self.count, "memslots": 0, "flags": 0, "tsc_khz": self.tsc_khz(), "padding": 0}
        head["xsave_size"] = max([4096, *[len(each.get("xsave", b"")) for each in self.frozen]])
        parts = [PartSpec(path, "kvm-x86-vm-v1", (head,))]
        for number, each in enumerate(self.frozen or self.read()):
            for name, data in each.items():
                record = values_of(decode(layout(name), data, exact=True))
                parts.append(PartSpec(f"{path}/vcpu{number}/{name}", f"kvm-x86-{name}-v1", (record,)))
        return tuple(parts)

    def restore(self, left: Left) -> None:
        """As many vCPUs, with all their parts."""
        path = f"kvm/{GUEST}"
        head = left.record(path, "kvm-x86-vm-v1")
        holds(head.vcpus == self.count, "not as many vCPUs as there were")
        self.tune(head.tsc_khz)
        found: list[dict[str, bytes]] = []
        for number in range(self.count):
            records = {name: left.record(f"{path}/vcpu{number}/{name}", f"kvm-x86-{name}-v1") for name in self.parts_of_a_vcpu}
            found.append({name: encode(layout(name), record) for name, record in records.items()})
        self.write(found)


class KvmVcpus(Vcpus):
    """vCPUs of a virtual machine of this host's KVM. LiveUpdateError where there is none."""

    parts_of_a_vcpu = PARTS

    def __init__(self, count: int) -> None:
        from devstate.luo.kvm import Kvm

        super().__init__(count)
        self.kvm: Kvm = Kvm()
        self.fds: list[int] = [self.kvm.add_vcpu() for _ in range(count)]

    def run(self, seed: int) -> None:
        """General registers and XMM0 are other than before."""
        from devstate.luo.kvm import load_vcpu

        made = random.Random(seed)
        for fd, parts in zip(self.fds, self.read(), strict=True):
            values: dict[str, Any] = values_of(decode(layout("regs"), parts["regs"]))
            values |= {name: made.getrandbits(64) for name in GENERAL}
            xsave = bytearray(parts["xsave"])
            xsave[160:176], xsave[512] = made.randbytes(16), 3
            load_vcpu(fd, {"regs": encode(layout("regs"), values), "xsave": bytes(xsave)})

    def read(self) -> list[dict[str, bytes]]:
        """From KVM."""
        from devstate.luo.kvm import save_vcpu

        return [{name: data for name, data in save_vcpu(self.kvm, fd).items() if name in PARTS} for fd in self.fds]

    def write(self, vcpus: list[dict[str, bytes]]) -> None:
        """Into KVM."""
        from devstate.luo.kvm import load_vcpu

        for fd, parts in zip(self.fds, vcpus, strict=True):
            load_vcpu(fd, parts)

    def tsc_khz(self) -> int:
        """From KVM; all of a machine have the same."""
        from devstate.luo.kvm import tsc_khz

        return tsc_khz(self.fds[0])

    def tune(self, khz: int) -> None:
        """Into KVM, where it is another one."""
        from devstate.luo.kvm import set_tsc_khz, tsc_khz

        for fd in self.fds:
            if khz != tsc_khz(fd):
                set_tsc_khz(fd, khz)
