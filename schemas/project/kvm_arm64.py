# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A virtual machine of KVM on arm64: registers by their ids, and the interrupt controller by its attributes.

Contract ([kvm.md](kvm.md)): parts of one object below ``kvm`` in the subtree ``devstate``; any change of a struct means a new string. What
registers there are, a kernel says itself (KVM_GET_REG_LIST): an id has the architecture in bits 63:60 and log2 of the register's bytes
in bits 55:52 (include/uapi/linux/kvm.h, KVM_REG_SIZE_MASK). Their order is that of the list, in which they must be written back.

::

    kvm { NAME {
        state:   ds_kvm_arm_vm
        vcpu0 { registers: ds_kvm_registers { count u64 | ds_kvm_register[count] } };
        gic:     ds_kvm_gic { count u64 | ds_kvm_attribute[count] }
    }; };

    ds_kvm_register:   id u64 | value[32], low bytes first, zeros behind the size that the id says        40 bytes
    ds_kvm_attribute:  group u32 | flags u32 | attribute u64 | value u64                                    24 bytes
"""

from devstate.schema import U32, U64, About, Chars, Enum, FlexArray, MustBeZero, Raw, Reaction, Schema, Struct, this

ds_kvm_arm_vm = Struct(
    "ds_kvm_arm_vm",
    "name" / Chars(64) * "the guest, as its VMM calls it",
    "vcpus" / U32 * "nodes of vCPUs below this one",
    "memslots" / U32 * "entries of the part memslots",
    "target" / U32 * "kvm_vcpu_init.target of its vCPUs",
    "gic" / Enum(U32, NONE=0, GICV2=2, GICV3=3) * "which interrupt controller the part gic is of",
    "features" / U64 * About("kvm_vcpu_init.features, the first 64", hint="hex"),
    packed=True,
    doc="one virtual machine",
)

ds_kvm_register = Struct(
    "ds_kvm_register",
    "id" / U64 * About("as KVM_GET_ONE_REG takes it", hint="hex"),
    "value" / Raw(32) * "as KVM_GET_ONE_REG gives it; zeros behind",
    packed=True,
    doc="a register of up to 256 bits",
)

ds_kvm_registers = Struct(
    "ds_kvm_registers",
    "count" / U64 * "how many there are",
    "registers" / FlexArray(ds_kvm_register, this.count),
    packed=True,
    doc="all registers of a vCPU, in the order of KVM_GET_REG_LIST",
)

ds_kvm_attribute = Struct(
    "ds_kvm_attribute",
    "group" / Enum(U32, ADDR=0, DIST_REGS=1, CPU_REGS=2, NR_IRQS=3, CTRL=4, REDIST_REGS=5, CPU_SYSREGS=6, LEVEL_INFO=7, ITS_REGS=8),
    "flags" / MustBeZero(U32),
    "attribute" / U64 * About("kvm_device_attr.attr", hint="hex"),
    "value" / U64 * About("what it has", hint="hex"),
    packed=True,
    doc="an attribute of the interrupt controller",
)

ds_kvm_gic = Struct(
    "ds_kvm_gic",
    "count" / U64 * "how many there are",
    "attributes" / FlexArray(ds_kvm_attribute, this.count),
    packed=True,
    doc="the interrupt controller, as KVM_GET_DEVICE_ATTR gives it, in the order in which it must be written back",
)


def _part(name: str, root: Struct, doc: str) -> Schema:
    return Schema(
        compatible=f"kvm-arm64-{name}-v1",
        doc=doc,
        source="docs/kvm.md",
        status="project",
        root=root,
        found_by="devstate kvm",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="VMM",
    )


SCHEMAS = [
    _part("vm", ds_kvm_arm_vm, "a virtual machine of KVM"),
    _part("registers", ds_kvm_registers, "registers of a vCPU"),
    _part("gic", ds_kvm_gic, "the interrupt controller of a VM"),
]
