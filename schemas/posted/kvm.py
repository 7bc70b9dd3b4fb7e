# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kvm: a VM's file, and a vCPU's file whose registers the kernel itself keeps.

Contract (include/linux/kho/abi/kvm.h): any change of a struct means a new number in the string; postings and branches kept
``kvm_vm_luo_v1`` through three layouts and ``kvm_vcpu_luo_v1`` through two.

::

    kvm_vm_luo_v1 mem-attrs: | type u64 | nr_mem_attrs u64 | mem_attrs: kho_vmalloc @16 --> { gfn | attributes }[] |
    kvm_vm_luo_v1:           | type u64 |
    kvm_vm_luo_v1 folios:    | type u64 | kho_folios --> | nr_folios u64 | folios_pa u64[] | |

    kvm_vcpu_luo_v1:         | vcpu_id u32 | flags u32    | vm_token u64 | arch_state @16 | cb @24 --> control block, telemetry |
    kvm_vcpu_luo_v1 cb:      | vcpu_id u32 | reserved u32 | vm_token u64 | cb @16 | arch_state @24 |

The RFC of 2026-09-20 has the fields of ``kvm_vcpu_luo_v1`` in this order; that flags stands between vcpu_id and vm_token was read in
the branch behind it. ``arch_state`` leads to registers in the form of KVM's own ioctls, different for x86 and arm64; that layout, and the
CPU FLB ``cpu_flb_v1``, still change from commit to commit and are left out.
"""

from devstate.schema import (
    U32,
    U64,
    About,
    Enum,
    Flags,
    FlexArray,
    MustBeZero,
    Opaque,
    Phys,
    Reaction,
    Schema,
    Struct,
    Token,
    this,
)
from devstate_schemas.kho.kexec_handover import vmalloc_array

_HEADER = "include/linux/kho/abi/kvm.h"
_TYPE = "type" / U64 * "type of the VM, as KVM_CREATE_VM takes it"

_mem_attr = Struct(
    "kvm_luo_mem_attr",
    "gfn" / U64 * About("guest frame number", hint="pfn"),
    "attributes" / U64 * About("memory attributes of this frame", hint="hex"),
    packed=True,
)

_folios = Struct(
    "kvm_kho_folios_ser",
    "nr_folios" / U64 * "addresses that follow",
    "folios_pa" / FlexArray(U64, this.nr_folios) * About("preserved folios of the VM", hint="pa"),
    packed=True,
)

_telemetry = Struct(
    "kvm_caretaker_telemetry_ser",
    "total_runs" / U64 * "guest entries",
    "total_exits" / U64 * "guest exits",
    "stall_count" / U64 * "runs that ended in a stall or an error",
    "last_exit_reason" / U64 * About("raw exit reason", hint="hex"),
    "last_exit_rip" / U64 * About("guest instruction pointer", hint="hex"),
    "stall_exit_reason" / U64 * About("raw exit reason or error of the stall", hint="hex"),
    "stall_exit_rip" / U64 * About("guest instruction pointer of the stall", hint="hex"),
    packed=True,
)


def _control(states: dict[str, int], *last: object) -> Struct:
    return Struct(
        "kvm_caretaker_cb_ser",
        "state" / Enum(U32, **states) * About("changed by both kernels with atomic operations", phase="incoming"),
        "pcpu_id" / U32 * "CPU that runs the vCPU meanwhile; all ones: none",
        "vcpu_id" / U32,
        "reserved" / MustBeZero(U32),
        *last,  # type: ignore[arg-type]  # fields
        packed=True,
        doc="how the two kernels agree who runs a vCPU",
    )


_STATES = {"PAUSED": 0, "RUNNING": 1, "STOPPING": 2, "STOPPED": 3}
_ID = "vcpu_id" / U32 * "number of the vCPU in its VM"
_VM = "vm_token" / Token("kvm_vm_luo_v1") * "the VM that this vCPU belongs to"
_ARCH = "arch_state" / Phys(Opaque()) * "registers, in a form of the architecture"

_COMMON = {
    "status": "posted",
    "found_by": "luo_file_ser.data",
    "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "KVM handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        compatible="kvm_vm_luo_v1",
        variant="mem-attrs",
        doc="a VM with the memory attributes of its guest frames",
        source=f"{_HEADER} at bd5682197f96",
        root=Struct(
            "kvm_luo_ser",
            _TYPE,
            "nr_mem_attrs" / U64 * "frames with attributes",
            "mem_attrs" / vmalloc_array(_mem_attr, this.nr_mem_attrs),
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="kvm_vm_luo_v1",
        doc="a VM, by its type alone",
        source=f"{_HEADER}, RFC of 2026-06-05 to v4 of 2026-07-28",
        root=Struct("kvm_luo_ser", _TYPE, packed=True),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kvm_vm_luo_v1",
        variant="folios",
        doc="a VM with the folios that it preserves for its vCPUs",
        source=f"{_HEADER} in the branch behind the RFC of 2026-09-20",
        root=Struct("kvm_luo_ser", _TYPE, "kho_folios" / Phys(_folios), packed=True),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kvm_vcpu_luo_v1",
        doc="a vCPU, with flags",
        source=f"{_HEADER} in the branch behind the RFC of 2026-09-20",
        root=Struct(
            "kvm_vcpu_ser",
            _ID,
            "flags" / Flags(U32, CARETAKER=0) * "CARETAKER: the vCPU runs on while the kernels change",
            _VM,
            _ARCH,
            "cb" / Phys(_control(_STATES, "telemetry" / Phys(_telemetry))) * "control block",
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="kvm_vcpu_luo_v1",
        variant="cb",
        doc="a vCPU without flags; control block before the registers, no telemetry",
        source=f"{_HEADER} in the branch behind the RFC of 2026-09-20",
        root=Struct(
            "kvm_vcpu_ser",
            _ID,
            "reserved" / MustBeZero(U32),
            _VM,
            "cb" / Phys(_control(_STATES | {"FAILED": 4})) * "control block; 0: the vCPU does not run meanwhile",
            _ARCH,
            packed=True,
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
