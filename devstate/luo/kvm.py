# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A virtual machine's state through ``/dev/kvm``, x86: every part as the bytes of the kernel's user API, read and written in order.

:func:`save_vcpu` and :func:`save_vm` give parts by the names that the schemas have (``regs`` of ``kvm-x86-regs-v1``), :func:`load_vcpu` and
:func:`load_vm` take them back. What is in them is for the codec. A kernel or a processor that does not have a part leaves it out.

Order matters when they are written: CPUID says which registers there are, system registers switch the mode, the TSC and its deadline
timer depend on MSRs, events come last, for other writes clear them.

Source: include/uapi/linux/kvm.h, arch/x86/include/uapi/asm/kvm.h, Documentation/virt/kvm/api.rst.
"""

from __future__ import annotations

import errno
import os
import struct

from devstate.errors import LiveUpdateError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/dev/kvm"
API_VERSION = 12

GET_API_VERSION, CREATE_VM, GET_MSR_INDEX_LIST = 0xAE00, 0xAE01, 0xC004AE02
CHECK_EXTENSION, GET_SUPPORTED_CPUID = 0xAE03, 0xC008AE05
CREATE_VCPU, SET_TSS_ADDR, CREATE_IRQCHIP, CREATE_PIT2 = 0xAE41, 0xAE47, 0xAE60, 0x4040AE77
GET_MSRS, SET_MSRS, SET_CPUID2, GET_CPUID2 = 0xC008AE88, 0x4008AE89, 0x4008AE90, 0xC008AE91
GET_IRQCHIP, SET_IRQCHIP = 0xC208AE62, 0x8208AE63
GET_XSAVE, GET_XSAVE2, SET_XSAVE = 0x9000AEA4, 0x9000AECF, 0x5000AEA5
GET_TSC_KHZ, SET_TSC_KHZ = 0xAEA3, 0xAEA2
CAP_XSAVE2 = 208

TSS = 0x7FFBD000
"""Guest physical address of three pages that Intel processors need for real mode; guests made here have no memory there."""

CPUID_MAX, MSRS_MAX = 256, 1024
"""Leaves and registers that are asked for: a kernel has about a hundred and about three hundred."""


@frozen
class Part:
    """A part with a struct of fixed size: one ioctl reads it, one writes it."""

    name: str
    size: int
    get: int
    set: int


VCPU_PARTS = (
    Part("sregs", 312, 0x8138AE83, 0x4138AE84),
    Part("regs", 144, 0x8090AE81, 0x4090AE82),
    Part("debugregs", 128, 0x8080AEA1, 0x4080AEA2),
    Part("xcrs", 392, 0x8188AEA6, 0x4188AEA7),
    Part("lapic", 1024, 0x8400AE8E, 0x4400AE8F),
    Part("mp-state", 4, 0x8004AE98, 0x4004AE99),
    Part("events", 64, 0x8040AE9F, 0x4040AEA0),
)
VM_PARTS = (
    Part("clock", 48, 0x8030AE7C, 0x4030AE7B),
    Part("pit", 112, 0x8070AE9F, 0x4070AEA0),
)
CHIPS = {"pic0": 0, "pic1": 1, "ioapic": 2}
CHIP_SIZE = 520

WRITE_ORDER = ("cpuid", "sregs", "regs", "xcrs", "xsave", "msrs", "lapic", "mp-state", "debugregs", "events")


class Kvm:
    """``/dev/kvm``, and one virtual machine of it. Closing it ends the machine."""

    def __init__(self, *, irqchip: bool = True, pit: bool = True) -> None:
        """LiveUpdateError with the errno of the kernel when it cannot be opened, or has another API."""
        try:
            self.fd = os.open(PATH, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise LiveUpdateError(error.errno or errno.ENODEV, f"{PATH}: {error.strerror}") from error
        version = _number(self.fd, GET_API_VERSION)
        if version != API_VERSION:
            raise LiveUpdateError(errno.ENOTTY, f"{PATH} has API version {version}, expected {API_VERSION}")
        self.vm = _number(self.fd, CREATE_VM)
        _number(self.vm, SET_TSS_ADDR, TSS)
        if irqchip:
            _number(self.vm, CREATE_IRQCHIP)
            if pit:
                _call(self.vm, CREATE_PIT2, bytearray(64))
        self.xsave_size = max(4096, _number(self.vm, CHECK_EXTENSION, CAP_XSAVE2))
        self.vcpus: list[int] = []

    def __enter__(self) -> Kvm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the machine."""
        for fd in (*self.vcpus, self.vm, self.fd):
            os.close(fd)
        self.vcpus = []

    def add_vcpu(self) -> int:
        """A vCPU with all that this host can give a guest; its descriptor."""
        vcpu = _number(self.vm, CREATE_VCPU, len(self.vcpus))
        self.vcpus.append(vcpu)
        _call(vcpu, SET_CPUID2, self.supported_cpuid())
        return vcpu

    def supported_cpuid(self) -> bytearray:
        """A kvm_cpuid2 with what this host can give a guest."""
        buffer = _list(CPUID_MAX, 40)
        _call(self.fd, GET_SUPPORTED_CPUID, buffer)
        return buffer

    def msr_indices(self) -> list[int]:
        """The registers that a guest's state is in."""
        buffer = bytearray(struct.pack("=I", MSRS_MAX) + bytes(4 * MSRS_MAX))
        _call(self.fd, GET_MSR_INDEX_LIST, buffer)
        count = struct.unpack_from("=I", buffer)[0]
        return list(struct.unpack_from(f"={min(count, MSRS_MAX)}I", buffer, 4))


def save_vcpu(kvm: Kvm, vcpu: int) -> dict[str, bytes]:
    """All parts of a vCPU that is not running."""
    parts = {part.name: found for part in VCPU_PARTS if (found := _get(vcpu, part)) is not None}
    cpuid = _list(CPUID_MAX, 40)
    _call(vcpu, GET_CPUID2, cpuid)
    parts["cpuid"] = bytes(cpuid[: 8 + 40 * int.from_bytes(cpuid[:4], "little")])
    xsave = bytearray(kvm.xsave_size)
    _call(vcpu, GET_XSAVE2 if kvm.xsave_size > 4096 else GET_XSAVE, xsave)
    parts["xsave"] = bytes(xsave)
    parts["msrs"] = read_msrs(vcpu, kvm.msr_indices())
    return parts


def load_vcpu(vcpu: int, parts: Mapping[str, bytes]) -> None:
    """Put parts into a vCPU that is not running, in the order in which they must be. LiveUpdateError for the first that is refused."""
    ioctls = {part.name: part.set for part in VCPU_PARTS} | {"cpuid": SET_CPUID2, "xsave": SET_XSAVE}
    for name in WRITE_ORDER:
        if name not in parts:
            continue
        if name == "msrs":
            write_msrs(vcpu, parts[name])
        else:
            _call(vcpu, ioctls[name], bytearray(parts[name]), name)


def tsc_khz(vcpu: int) -> int:
    """Frequency of the guest's TSC, kHz."""
    return _number(vcpu, GET_TSC_KHZ)


def set_tsc_khz(vcpu: int, khz: int) -> None:
    """Set it. LiveUpdateError when this host cannot give a guest that frequency."""
    _number(vcpu, SET_TSC_KHZ, khz)


def save_vm(kvm: Kvm) -> dict[str, bytes]:
    """The parts of the machine itself."""
    parts = {part.name: found for part in VM_PARTS if (found := _get(kvm.vm, part)) is not None}
    for name, number in CHIPS.items():
        chip = bytearray(struct.pack("=II", number, 0) + bytes(CHIP_SIZE - 8))
        if _try(kvm.vm, GET_IRQCHIP, chip):
            parts[name] = bytes(chip)
    return parts


def load_vm(kvm: Kvm, parts: Mapping[str, bytes]) -> None:
    """Put parts into a machine. LiveUpdateError for the first that is refused."""
    for name in CHIPS:
        if name in parts:
            _call(kvm.vm, SET_IRQCHIP, bytearray(parts[name]), name)
    for part in reversed(VM_PARTS):  # the clock last: it goes on from then
        if part.name in parts:
            data = bytearray(parts[part.name])
            if part.name == "clock":
                data[8:12] = bytes(4)  # flags that a kernel gives, and does not take
            _call(kvm.vm, part.set, data, part.name)


def read_msrs(vcpu: int, indices: list[int]) -> bytes:
    """A kvm_msrs with those registers that can be read: a kernel stops at the first that cannot."""
    entries: list[bytes] = []
    at = 0
    while at < len(indices):
        rest = indices[at:]
        buffer = bytearray(struct.pack("=II", len(rest), 0) + b"".join(struct.pack("=IIQ", index, 0, 0) for index in rest))
        done = _call(vcpu, GET_MSRS, buffer, "msrs")
        entries += [bytes(buffer[8 + 16 * n : 24 + 16 * n]) for n in range(done)]
        at += done + 1
    return struct.pack("=II", len(entries), 0) + b"".join(entries)


def write_msrs(vcpu: int, data: bytes) -> None:
    """Write a kvm_msrs. EINVAL, with its number, for the first register that is refused with a value that it does not have already."""
    count = min(int.from_bytes(data[:4], "little"), (len(data) - 8) // 16)
    entries = [data[8 + 16 * n : 24 + 16 * n] for n in range(count)]
    while entries:
        done = _call(vcpu, SET_MSRS, bytearray(struct.pack("=II", len(entries), 0) + b"".join(entries)), "msrs")
        if done < len(entries):
            index, _, value = struct.unpack("=IIQ", entries[done])
            now = read_msrs(vcpu, [index])
            if len(now) != 24 or struct.unpack_from("=Q", now, 16)[0] != value:
                raise LiveUpdateError(errno.EINVAL, f"KVM refuses {value:#x} for the MSR {index:#x}")
        entries = entries[done + 1 :]


def _list(count: int, size: int) -> bytearray:
    return bytearray(struct.pack("=II", count, 0) + bytes(size * count))


def _get(fd: int, part: Part) -> bytes | None:
    buffer = bytearray(part.size)
    return bytes(buffer) if _try(fd, part.get, buffer) else None


def _try(fd: int, request: int, buffer: bytearray) -> bool:
    """Whether the kernel has this."""
    try:
        _call(fd, request, buffer)
    except LiveUpdateError as error:
        if error.errno in (errno.ENXIO, errno.EINVAL, errno.ENOTTY, errno.ENODEV):
            return False
        raise
    return True


def _call(fd: int, request: int, buffer: bytearray, what: str = "") -> int:
    import fcntl

    try:
        return int(fcntl.ioctl(fd, request, buffer, True))
    except OSError as error:
        name = what or f"ioctl {request:#x}"
        raise LiveUpdateError(error.errno or errno.EIO, f"KVM refuses {name}: {error.strerror}") from error


def _number(fd: int, request: int, value: int = 0) -> int:
    import fcntl

    try:
        return int(fcntl.ioctl(fd, request, value))
    except OSError as error:
        raise LiveUpdateError(error.errno or errno.EIO, f"KVM refuses ioctl {request:#x}: {error.strerror}") from error
