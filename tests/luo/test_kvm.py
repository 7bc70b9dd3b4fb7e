# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""KVM: the schemas against the compiler's user API, and real virtual machines: get, encode, decode, set, get."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.record import Record, fields
from devstate.errors import LiveUpdateError
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.luo import kvm
from devstate.luo.kvm import Kvm, load_vcpu, load_vm, save_vcpu, save_vm

OURS = {"kvm_vcpu_events_exception", "kvm_vcpu_events_interrupt", "kvm_vcpu_events_nmi", "kvm_vcpu_events_smi"}
"""Structs that have no name in C."""

SPELLED = {("kvm_vcpu_events", "triple_fault_pending"): "triple_fault.pending"}

TIMES = {0x10, 0x11, 0x12, 0x3B, 0x4B564D00, 0x4B564D01, 0x6E0, 0x40000020, 0x40000021}
"""MSRs that are clocks, or lead to one."""


def layout(part: str) -> Layout:
    """The layout of a part, by the name that the backend has for it."""
    return Registry.shipped().layout(f"kvm-x86-{'pic' if part.startswith('pic') else part}-v1", Environment())


def layouts() -> list[Layout]:
    """Those of all parts on x86."""
    registry = Registry.shipped()
    return [registry.layout(name, Environment()) for name in registry.summaries if name.startswith("kvm-x86-")]


def test_the_user_api_of_the_compiler(tmp_path: Path) -> None:
    """Every struct that has a name in C: its size, and where each field is."""
    if platform.machine() != "x86_64" or shutil.which("gcc") is None or not Path("/usr/include/linux/kvm.h").exists():
        pytest.skip("no gcc, or no linux/kvm.h for x86")
    lines = ["#include <stddef.h>", "#include <linux/kvm.h>"]
    for struct_ in {each.name: each for one in layouts() for each in one.structs}.values():
        if not struct_.name.startswith("kvm_") or struct_.name in OURS:
            continue
        lines.append(f"_Static_assert(sizeof(struct {struct_.name}) == {struct_.size}, {chr(34)}{struct_.name}{chr(34)});")
        for field in struct_.fields:
            if not field.gap:
                spelled = SPELLED.get((struct_.name, field.name), field.name)
                lines.append(f"_Static_assert(offsetof(struct {struct_.name}, {spelled}) == {field.offset}, {chr(34)}{spelled}{chr(34)});")
    assert len(lines) > 150
    (tmp_path / "kvm.c").write_text("\n".join([*lines, ""]))
    done = subprocess.run(["gcc", "-c", "-o", os.devnull, str(tmp_path / "kvm.c")], capture_output=True, text=True)
    assert "" == done.stderr


@pytest.fixture
def machine() -> Kvm:
    """A virtual machine, where there is KVM."""
    if platform.machine() != "x86_64":
        pytest.skip("the backend is of x86")
    try:
        return Kvm()
    except LiveUpdateError as error:
        pytest.skip(f"no KVM here: {error}")


def test_sizes_of_the_backend_are_those_of_the_schemas() -> None:
    """One fact in two places."""
    for part in (*kvm.VCPU_PARTS, *kvm.VM_PARTS):
        assert layout(part.name).struct().size == part.size == (part.get >> 16 & 0x3FFF) == (part.set >> 16 & 0x3FFF), part.name
    assert kvm.CHIP_SIZE == layout("ioapic").struct().size == layout("pic0").struct().size


def values(record: Record) -> dict[str, int]:
    """The fields of a record of numbers."""
    return dict(fields(record))


def msrs(data: bytes) -> dict[int, int]:
    """Registers that stand still."""
    rows = [struct.unpack_from("=IIQ", data, at) for at in range(8, len(data), 16)]
    return {index: value for index, _, value in rows if index not in TIMES}


def test_a_vcpu_from_one_machine_to_another(machine: Kvm) -> None:
    """Registers that were set, through records and bytes, into a vCPU of another machine: it has them all."""
    with machine as old, Kvm() as new:
        vcpu, other = old.add_vcpu(), new.add_vcpu()
        parts = save_vcpu(old, vcpu)
        regs = {name: (number + 1) * 0x0101010101 for number, name in enumerate(("rax", "rbx", "rsp", "r15", "rip"))}
        changed = values(decode(layout("regs"), parts["regs"])) | regs
        xsave = bytearray(parts["xsave"])
        xsave[160:176], xsave[512] = bytes(range(16)), 3  # XMM0; and that the state of the FPU and of SSE counts
        sregs = bytearray(parts["sregs"])
        load_vcpu(vcpu, {"regs": encode(layout("regs"), changed), "xsave": bytes(xsave), "sregs": bytes(sregs)})
        parts = save_vcpu(old, vcpu)
        for name, data in parts.items():
            record = decode(layout(name), data, exact=True)
            assert data == encode(layout(name), record), name
        load_vcpu(other, parts)
        again = save_vcpu(new, other)
        assert [name for name in parts if name != "msrs" and parts[name] != again[name]] == []
        assert msrs(parts["msrs"]) == msrs(again["msrs"])
        assert regs.items() <= values(decode(layout("regs"), again["regs"])).items()
        assert bytes(range(16)) == again["xsave"][160:176]


def test_a_machine_to_another(machine: Kvm) -> None:
    """Interrupt controllers as they were; the clock goes on from where it was."""
    with machine as old, Kvm() as new:
        parts = save_vm(old)
        ioapic = bytearray(parts["ioapic"])
        struct.pack_into("=Q", ioapic, 8 + 24 + 8 * 5, 0x41)  # pin 5 is not masked, and raises vector 0x41
        load_vm(old, {"ioapic": bytes(ioapic)})
        parts = save_vm(old)
        for name, data in parts.items():
            assert data == encode(layout(name), decode(layout(name), data, exact=True)), name
        load_vm(new, parts)
        again = save_vm(new)
        assert [name for name in ("pic0", "pic1", "ioapic") if parts[name] != again[name]] == []
        assert decode(layout("clock"), again["clock"]).clock >= decode(layout("clock"), parts["clock"]).clock


def test_the_frequency_of_the_tsc(machine: Kvm) -> None:
    """It has one, and takes it again."""
    with machine as one:
        vcpu = one.add_vcpu()
        khz = kvm.tsc_khz(vcpu)
        assert khz > 100_000
        kvm.set_tsc_khz(vcpu, khz)
        assert khz == kvm.tsc_khz(vcpu)


def test_what_kvm_refuses(machine: Kvm) -> None:
    """Which part, or which register."""
    with machine as one:
        vcpu = one.add_vcpu()
        bad = bytearray(save_vcpu(one, vcpu)["sregs"])
        struct.pack_into("=Q", bad, 8 * 24 + 2 * 16, 1 << 63)  # a bit of CR0 that there is not
        with pytest.raises(LiveUpdateError, match="KVM refuses"):
            load_vcpu(vcpu, {"sregs": bytes(bad)})
        with pytest.raises(LiveUpdateError, match="the MSR 0xc0000080"):
            load_vcpu(vcpu, {"msrs": struct.pack("=IIIIQ", 1, 0, 0xC0000080, 0, 1 << 63)})


def test_no_kvm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the path."""
    monkeypatch.setattr(kvm, "PATH", "/dev/no-kvm")
    with pytest.raises(LiveUpdateError, match="/dev/no-kvm: No such file"):
        Kvm()
