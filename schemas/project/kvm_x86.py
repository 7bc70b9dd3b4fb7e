# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A virtual machine of KVM on x86: what its VMM reads by ioctls before the jump, and writes by ioctls after it.

Contract ([kvm.md](kvm.md)): parts of one object below ``kvm`` in the subtree ``devstate``; any change of a struct means a new string. All
structs but the first three are those of the kernel's user API, byte by byte (arch/x86/include/uapi/asm/kvm.h, include/uapi/linux/kvm.h),
little-endian as x86 is. What the user API says in addresses of a VMM is said in tokens of preserved files, since an address space does
not survive.

::

    kvm { NAME {                               one node a VM
        state:     ds_kvm_vm                   how many vCPUs and memory slots; what else there is
        memslots:  ds_kvm_memslot[memslots]    guest memory, by file
        dirty:     ds_kvm_dirty and its bitmap, a part for each slot that is tracked
        clock, pic0, pic1, ioapic, pit
        vcpu0 {                                one node a vCPU, below its VM
            regs, sregs, debugregs, xcrs, xsave, msrs, lapic, events, mp-state, cpuid
        };
    }; };
"""

from devstate.schema import (
    S64,
    U8,
    U16,
    U32,
    U64,
    About,
    Array,
    Chars,
    Enum,
    Flags,
    FlexArray,
    MustBeZero,
    Raw,
    Reaction,
    Reserved,
    Schema,
    Struct,
    this,
)


def _hex(doc: str) -> About:
    return About(doc, hint="hex")


ds_kvm_vm = Struct(
    "ds_kvm_vm",
    "name" / Chars(64) * "the guest, as its VMM calls it",
    "vcpus" / U32 * "nodes of vCPUs below this one",
    "memslots" / U32 * "entries of the part memslots",
    "flags" / Flags(U32, IRQCHIP=0, PIT=1, CLOCK=2) * "which parts there are",
    "tsc_khz" / U32 * About("frequency of the guest's TSC", unit="kHz"),
    "xsave_size" / U32 * About("of each part xsave: KVM_CHECK_EXTENSION(KVM_CAP_XSAVE2), 4096 without it", unit="bytes", minimum=4096),
    "padding" / MustBeZero(U32),
    packed=True,
    doc="one virtual machine",
)

ds_kvm_memslot = Struct(
    "ds_kvm_memslot",
    "slot" / U32 * "number of the slot; address space in bits 31:16",
    "flags" / Flags(U32, LOG_DIRTY_PAGES=0, READONLY=1, GUEST_MEMFD=2),
    "guest_phys_addr" / U64 * _hex("guest physical address"),
    "memory_size" / U64 * About("bytes", unit="bytes", hint="bytes"),
    "token" / U64 * "of the file that backs it, in the session of the guest",
    "offset" / U64 * About("of the slot in this file", unit="bytes", hint="hex"),
    "guest_memfd_token" / U64 * "of the file with private memory; 0 without GUEST_MEMFD",
    "guest_memfd_offset" / U64 * About("of the slot in that file", unit="bytes", hint="hex"),
    packed=True,
    doc="kvm_userspace_memory_region2, with files in place of addresses and descriptors",
)

ds_kvm_dirty = Struct(
    "ds_kvm_dirty",
    "slot" / U32 * "number of the slot",
    "page_shift" / U32 * About("log2 of the bytes that a bit stands for", minimum=12, maximum=30),
    "pages" / U64 * "bits that count",
    "words" / U64 * "u64 words of the bitmap",
    "bitmap" / FlexArray(U64, this.words) * "bit n of word w: page 64w + n of the slot",
    packed=True,
    doc="pages of a slot that were written since they were last copied (KVM_GET_DIRTY_LOG)",
)

kvm_regs = Struct(
    "kvm_regs",
    *[
        name / U64 * _hex("general register")
        for name in ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
    ],
    "rip" / U64 * _hex("instruction pointer"),
    "rflags" / U64 * _hex("flags"),
    doc="KVM_GET_REGS",
)

kvm_segment = Struct(
    "kvm_segment",
    "base" / U64 * _hex("linear address"),
    "limit" / U32 * _hex("last offset"),
    "selector" / U16 * _hex("visible part"),
    "type" / U8 * "of code, data or system segment",
    "present" / U8 * "1: it can be used",
    "dpl" / U8 * "privilege level",
    "db" / U8 * "32-bit",
    "s" / U8 * "0: of the system",
    "l" / U8 * "64-bit code",
    "g" / U8 * "the limit counts 4K pages",
    "avl" / U8 * "for software",
    "unusable" / U8 * "1: not loaded (VMX)",
    "padding" / Reserved(1),
    doc="a segment register, with what the processor keeps of it",
)

kvm_dtable = Struct(
    "kvm_dtable", "base" / U64 * _hex("linear address"), "limit" / U16 * _hex("last offset"), "padding" / Reserved(6), doc="GDTR or IDTR"
)

kvm_sregs = Struct(
    "kvm_sregs",
    *[name / kvm_segment for name in ("cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt")],
    "gdt" / kvm_dtable,
    "idt" / kvm_dtable,
    *[name / U64 * _hex("control register") for name in ("cr0", "cr2", "cr3", "cr4", "cr8")],
    "efer" / U64 * _hex("MSR EFER"),
    "apic_base" / U64 * _hex("MSR IA32_APIC_BASE"),
    "interrupt_bitmap" / Array(4, U64) * "the interrupt that was acknowledged and not delivered: at most one bit",
    doc="KVM_GET_SREGS",
)

kvm_debugregs = Struct(
    "kvm_debugregs",
    "db" / Array(4, U64) * "breakpoint addresses DR0 to DR3",
    "dr6" / U64 * _hex("status"),
    "dr7" / U64 * _hex("control"),
    "flags" / MustBeZero(U64),
    "reserved" / Reserved(72),
    doc="KVM_GET_DEBUGREGS",
)

kvm_xcr = Struct(
    "kvm_xcr", "xcr" / U32 * "number", "reserved" / MustBeZero(U32), "value" / U64 * _hex("value"), doc="an extended control register"
)

kvm_xcrs = Struct(
    "kvm_xcrs",
    "nr_xcrs" / U32 * About("entries that count", maximum=16),
    "flags" / MustBeZero(U32),
    "xcrs" / Array(16, kvm_xcr),
    "padding" / Reserved(128),
    doc="KVM_GET_XCRS",
)

kvm_xsave = Struct(
    "kvm_xsave",
    "region" / Raw(4096) * "XSAVE area: FXSAVE 512 bytes, header 64 bytes, then the areas that CPUID leaf 0xD places",
    "extra" / FlexArray(U32) * "what is behind 4096 bytes, when a dynamic feature is on",
    doc="KVM_GET_XSAVE2, xsave_size bytes",
)

kvm_msr_entry = Struct(
    "kvm_msr_entry",
    "index" / U32 * _hex("number"),
    "reserved" / MustBeZero(U32),
    "data" / U64 * _hex("value"),
    doc="a model-specific register",
)

kvm_msrs = Struct(
    "kvm_msrs",
    "nmsrs" / U32 * "how many there are",
    "pad" / MustBeZero(U32),
    "entries" / FlexArray(kvm_msr_entry, this.nmsrs),
    doc="KVM_GET_MSRS",
)

kvm_lapic_state = Struct("kvm_lapic_state", "regs" / Raw(1024) * "the APIC page from 0 on: a register every 16 bytes", doc="KVM_GET_LAPIC")

kvm_vcpu_events_exception = Struct(
    "kvm_vcpu_events_exception",
    "injected" / U8 * "1: on its way to the guest",
    "nr" / U8 * "vector",
    "has_error_code" / U8 * "1: error_code counts",
    "pending" / U8 * "1: waits",
    "error_code" / U32 * _hex("error code"),
    doc="the exception that waits or is on its way",
)
kvm_vcpu_events_interrupt = Struct(
    "kvm_vcpu_events_interrupt",
    "injected" / U8 * "1: on its way to the guest",
    "nr" / U8 * "vector",
    "soft" / U8 * "1: by an INT instruction",
    "shadow" / U8 * "1: after MOV SS, 2: after STI",
    doc="the interrupt",
)
kvm_vcpu_events_nmi = Struct(
    "kvm_vcpu_events_nmi",
    "injected" / U8 * "1: on its way to the guest",
    "pending" / U8 * "how many wait",
    "masked" / U8 * "1: until IRET",
    "pad" / Reserved(1),
    doc="the NMI",
)
kvm_vcpu_events_smi = Struct(
    "kvm_vcpu_events_smi",
    "smm" / U8 * "1: in system management mode",
    "pending" / U8 * "1: an SMI waits",
    "smm_inside_nmi" / U8 * "1: entered from an NMI handler",
    "latched_init" / U8 * "1: an INIT waits for the end of it",
    doc="system management mode",
)
kvm_vcpu_events = Struct(
    "kvm_vcpu_events",
    "exception" / kvm_vcpu_events_exception,
    "interrupt" / kvm_vcpu_events_interrupt,
    "nmi" / kvm_vcpu_events_nmi,
    "sipi_vector" / U32 * "of the start-up message that waits",
    "flags" / Flags(U32, NMI_PENDING=0, SIPI_VECTOR=1, SHADOW=2, SMM=3, PAYLOAD=4, TRIPLE_FAULT=5) * "which fields count",
    "smi" / kvm_vcpu_events_smi,
    "triple_fault_pending" / U8 * "1: a triple fault waits",
    "reserved" / Reserved(26),
    "exception_has_payload" / U8 * "1: exception_payload counts",
    "exception_payload" / U64 * _hex("CR2 or DR6 of the pending exception"),
    doc="KVM_GET_VCPU_EVENTS: what is pending, and must be delivered once",
)

kvm_mp_state = Struct(
    "kvm_mp_state",
    "mp_state" / Enum(U32, RUNNABLE=0, UNINITIALIZED=1, INIT_RECEIVED=2, HALTED=3, SIPI_RECEIVED=4, STOPPED=5, AP_RESET_HOLD=9),
    doc="KVM_GET_MP_STATE",
)

kvm_cpuid_entry2 = Struct(
    "kvm_cpuid_entry2",
    "function" / U32 * _hex("leaf"),
    "index" / U32 * "sub-leaf",
    "flags" / Flags(U32, SIGNIFICANT_INDEX=0, STATEFUL_FUNC=1, STATE_READ_NEXT=2),
    *[name / U32 * _hex("what the guest reads") for name in ("eax", "ebx", "ecx", "edx")],
    "padding" / Reserved(12),
    doc="one leaf of CPUID",
)
kvm_cpuid2 = Struct(
    "kvm_cpuid2",
    "nent" / U32 * "how many there are",
    "padding" / MustBeZero(U32),
    "entries" / FlexArray(kvm_cpuid_entry2, this.nent),
    doc="KVM_GET_CPUID2",
)

kvm_clock_data = Struct(
    "kvm_clock_data",
    "clock" / U64 * About("the guest's kvmclock", unit="ns"),
    "flags" / Flags(U32, TSC_STABLE=1, REALTIME=2, HOST_TSC=3),
    "pad0" / MustBeZero(U32),
    "realtime" / U64 * About("the host's, at that moment", unit="ns"),
    "host_tsc" / U64 * "the host's, at that moment",
    "pad" / Reserved(16),
    doc="KVM_GET_CLOCK",
)

kvm_pic_state = Struct(
    "kvm_pic_state",
    "last_irr" / U8 * "lines as they were, to see edges",
    "irr" / U8 * "requests",
    "imr" / U8 * "masked lines",
    "isr" / U8 * "requests in service",
    "priority_add" / U8 * "line of the highest priority",
    "irq_base" / U8 * "vector of line 0 (ICW2)",
    "read_reg_select" / U8 * "1: the guest reads isr",
    "poll" / U8 * "1: the next read polls",
    "special_mask" / U8 * "1: special mask mode",
    "init_state" / U8 * "which initialization word comes next; 0: none",
    "auto_eoi" / U8 * "1: automatic end of interrupt",
    "rotate_on_auto_eoi" / U8 * "1: priorities rotate with it",
    "special_fully_nested_mode" / U8 * "1: it is on",
    "init4" / U8 * "1: ICW4 comes as well",
    "elcr" / U8 * "lines that are level-triggered",
    "elcr_mask" / U8 * "lines that can be",
    doc="an 8259",
)
_CHIP = "chip_id" / Enum(U32, PIC_MASTER=0, PIC_SLAVE=1, IOAPIC=2)
ds_kvm_pic = Struct(
    "ds_kvm_pic",
    _CHIP,
    "pad" / MustBeZero(U32),
    "pic" / kvm_pic_state,
    "dummy" / Reserved(496),
    doc="kvm_irqchip of an 8259: KVM_GET_IRQCHIP",
)

kvm_ioapic_state = Struct(
    "kvm_ioapic_state",
    "base_address" / U64 * _hex("guest physical address"),
    "ioregsel" / U32 * "register that is selected",
    "id" / U32 * "APIC id of the IO-APIC",
    "irr" / U32 * _hex("pins that are raised"),
    "pad" / MustBeZero(U32),
    "redirtbl" / Array(24, U64) * "vector 7:0, mode 10:8, logical 11, pending 12, low 13, IRR 14, level 15, mask 16",
    doc="the IO-APIC",
)
ds_kvm_ioapic = Struct(
    "ds_kvm_ioapic",
    _CHIP,
    "pad" / MustBeZero(U32),
    "ioapic" / kvm_ioapic_state,
    "dummy" / Reserved(296),
    doc="kvm_irqchip of the IO-APIC: KVM_GET_IRQCHIP",
)

kvm_pit_channel_state = Struct(
    "kvm_pit_channel_state",
    "count" / U32 * "can be 65536",
    "latched_count" / U16 * "the count, as it was latched",
    "count_latched" / U8 * "how it is read: 0: it is not latched",
    "status_latched" / U8 * "1: status is read next",
    "status" / U8 * "the status, as it was latched",
    "read_state" / U8 * "which byte is read next",
    "write_state" / U8 * "which byte is written next",
    "write_latch" / U8 * "the byte that was written first",
    "rw_mode" / U8 * "1: low byte, 2: high byte, 3: both",
    "mode" / U8 * "0 to 5",
    "bcd" / U8 * "1: it counts decimal",
    "gate" / U8 * "level of the gate",
    "count_load_time" / S64 * About("when the count was loaded", unit="ns"),
    doc="one of three timers",
)
kvm_pit_state2 = Struct(
    "kvm_pit_state2",
    "channels" / Array(3, kvm_pit_channel_state),
    "flags" / Flags(U32, HPET_LEGACY=0, SPEAKER_DATA_ON=1),
    "reserved" / Reserved(36),
    doc="KVM_GET_PIT2",
)


def _part(name: str, root: Struct, doc: str, *also: Struct) -> Schema:
    return Schema(
        compatible=f"kvm-x86-{name}-v1",
        doc=doc,
        source="arch/x86/include/uapi/asm/kvm.h" if not root.name.startswith("ds_") else "docs/kvm.md",
        status="project",
        root=root,
        also=also,
        found_by="devstate kvm",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="VMM",
    )


SCHEMAS = [
    _part("vm", ds_kvm_vm, "a virtual machine of KVM"),
    _part("memslots", ds_kvm_memslot, "a memory slot"),
    _part("dirty", ds_kvm_dirty, "dirty pages of a memory slot"),
    _part("regs", kvm_regs, "general registers of a vCPU"),
    _part("sregs", kvm_sregs, "system registers of a vCPU"),
    _part("debugregs", kvm_debugregs, "debug registers of a vCPU"),
    _part("xcrs", kvm_xcrs, "extended control registers of a vCPU"),
    _part("xsave", kvm_xsave, "floating point and vector state of a vCPU"),
    _part("msrs", kvm_msrs, "model-specific registers of a vCPU"),
    _part("lapic", kvm_lapic_state, "local APIC of a vCPU"),
    _part("events", kvm_vcpu_events, "pending events of a vCPU"),
    _part("mp-state", kvm_mp_state, "whether a vCPU runs"),
    _part("cpuid", kvm_cpuid2, "CPUID of a vCPU"),
    _part("clock", kvm_clock_data, "clock of a VM"),
    _part("pic", ds_kvm_pic, "an interrupt controller 8259 of a VM"),
    _part("ioapic", ds_kvm_ioapic, "IO-APIC of a VM"),
    _part("pit", kvm_pit_state2, "programmable interval timer of a VM"),
]
