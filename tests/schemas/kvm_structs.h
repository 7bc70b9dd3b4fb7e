/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The structs of virtual machines and devices, by hand: those of KVM's user API and our own. Included by kernel_structs.h, which says how to use it.
 */
struct kvm_regs { u64 rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags; } NATURAL;
struct kvm_segment {
	u64 base;
	u32 limit;
	u16 selector;
	u8 type, present, dpl, db, s, l, g, avl, unusable, padding;
} NATURAL;
struct kvm_dtable { u64 base; u16 limit, padding[3]; } NATURAL;
struct kvm_sregs {
	struct kvm_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct kvm_dtable gdt, idt;
	u64 cr0, cr2, cr3, cr4, cr8, efer, apic_base, interrupt_bitmap[4];
} NATURAL;
struct kvm_debugregs { u64 db[4], dr6, dr7, flags, reserved[9]; } NATURAL;
struct kvm_xcr { u32 xcr, reserved; u64 value; } NATURAL;
struct kvm_xcrs { u32 nr_xcrs, flags; struct kvm_xcr xcrs[16]; u64 padding[16]; } NATURAL;
struct kvm_xsave { u32 region[1024]; u32 extra[]; } NATURAL;
struct kvm_msr_entry { u32 index, reserved; u64 data; } NATURAL;
struct kvm_msrs { u32 nmsrs, pad; struct kvm_msr_entry entries[]; } NATURAL;
struct kvm_lapic_state { char regs[1024]; } NATURAL;
struct kvm_vcpu_events_exception { u8 injected, nr, has_error_code, pending; u32 error_code; } NATURAL;
struct kvm_vcpu_events_interrupt { u8 injected, nr, soft, shadow; } NATURAL;
struct kvm_vcpu_events_nmi { u8 injected, pending, masked, pad; } NATURAL;
struct kvm_vcpu_events_smi { u8 smm, pending, smm_inside_nmi, latched_init; } NATURAL;
struct kvm_vcpu_events {
	struct kvm_vcpu_events_exception exception;
	struct kvm_vcpu_events_interrupt interrupt;
	struct kvm_vcpu_events_nmi nmi;
	u32 sipi_vector, flags;
	struct kvm_vcpu_events_smi smi;
	u8 triple_fault_pending, reserved[26], exception_has_payload;
	u64 exception_payload;
} NATURAL;
struct kvm_mp_state { u32 mp_state; } NATURAL;
struct kvm_cpuid_entry2 { u32 function, index, flags, eax, ebx, ecx, edx, padding[3]; } NATURAL;
struct kvm_cpuid2 { u32 nent, padding; struct kvm_cpuid_entry2 entries[]; } NATURAL;
struct kvm_clock_data { u64 clock; u32 flags, pad0; u64 realtime, host_tsc; u32 pad[4]; } NATURAL;
struct kvm_pic_state {
	u8 last_irr, irr, imr, isr, priority_add, irq_base, read_reg_select, poll, special_mask, init_state, auto_eoi;
	u8 rotate_on_auto_eoi, special_fully_nested_mode, init4, elcr, elcr_mask;
} NATURAL;
struct ds_kvm_pic { u32 chip_id, pad; struct kvm_pic_state pic; u8 dummy[496]; } NATURAL;
struct kvm_ioapic_state { u64 base_address; u32 ioregsel, id, irr, pad; u64 redirtbl[24]; } NATURAL;
struct ds_kvm_ioapic { u32 chip_id, pad; struct kvm_ioapic_state ioapic; u8 dummy[296]; } NATURAL;
struct kvm_pit_channel_state {
	u32 count;
	u16 latched_count;
	u8 count_latched, status_latched, status, read_state, write_state, write_latch, rw_mode, mode, bcd, gate;
	s64 count_load_time;
} NATURAL;
struct kvm_pit_state2 { struct kvm_pit_channel_state channels[3]; u32 flags, reserved[9]; } NATURAL;

struct ds_kvm_vm { char name[64]; u32 vcpus, memslots, flags, tsc_khz, xsave_size, padding; } PACKED;
struct ds_kvm_memslot {
	u32 slot, flags;
	u64 guest_phys_addr, memory_size, token, offset, guest_memfd_token, guest_memfd_offset;
} PACKED;
struct ds_kvm_dirty { u32 slot, page_shift; u64 pages, words, bitmap[]; } PACKED;

struct ds_kvm_arm_vm { char name[64]; u32 vcpus, memslots, target, gic; u64 features; } PACKED;
struct ds_kvm_register { u64 id; u8 value[32]; } PACKED;
struct ds_kvm_registers { u64 count; struct ds_kvm_register registers[]; } PACKED;
struct ds_kvm_attribute { u32 group, flags; u64 attribute, value; } PACKED;
struct ds_kvm_gic { u64 count; struct ds_kvm_attribute attributes[]; } PACKED;

struct ds_device_tree { u32 devices, flags; } PACKED;
struct ds_device { char path[128]; u32 parent, depth; char bus[32], driver[48]; u32 flags, phase; } PACKED;
struct ds_ring_v1 { u32 device, stamps; } PACKED;
struct ds_ring_v2 { u32 device, padding; u64 stamps, faults; } PACKED;
