/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What IOMMU units and interrupt controllers read, declared by hand from the vendors' specifications: a part of kernel_structs.h, which
 * includes it. Bit numbers of the specifications stand in the names of what is reserved.
 */

/* ------------------------------------------------------------------ Intel VT-d, chapter 9 */

#if defined(FORM_vtd_root_entry)
struct vtd_root_entry { u64 present:1, reserved1:11, context_table:52; u64 reserved64; } PACKED;
#elif defined(FORM_vtd_scalable_root_entry)
struct vtd_scalable_root_entry {
	u64 lower_present:1, reserved1:11, lower_table:52;
	u64 upper_present:1, reserved65:11, upper_table:52;
} PACKED;
#elif defined(FORM_vtd_context_entry)
struct vtd_context_entry {
	u64 present:1, fault_disable:1, translation:2, reserved4:8, second_stage:52;
	u64 address_width:3, available:4, reserved71:1, domain_id:16, reserved88:40;
} PACKED;
#elif defined(FORM_vtd_scalable_context_entry)
struct vtd_scalable_context_entry {
	u64 present:1, fault_disable:1, device_tlb:1, pasid_enable:1, page_requests:1, reserved5:4, directory_size:3, directory:52;
	u64 rid_pasid:20, rid_privileged:1, reserved85:43;
	u64 reserved128, reserved192;
} PACKED;
#elif defined(FORM_vtd_pasid_directory_entry)
struct vtd_pasid_directory_entry { u64 present:1, fault_disable:1, reserved2:10, pasid_table:52; } PACKED;
#elif defined(FORM_vtd_pasid_entry)
struct vtd_pasid_entry {
	u64 present:1, fault_disable:1, address_width:3, reserved5:1, translation:3, second_stage_touched:1, reserved10:2, second_stage:52;
	u64 domain_id:16, reserved80:7, walk_snoop:1, page_snoop:1, cache_disable:1, memory_type_enable:1, memory_type:3;
	u64 write_through:1, walk_cache_disable:1, page_attributes:32;
	u64 supervisor:1, execute:1, first_stage_mode:2, write_protect:1, no_execute:1, supervisor_no_execute:1, extended_accessed:1;
	u64 reserved136:4, first_stage:52;
	u64 reserved192, reserved256, reserved320, reserved384, reserved448;
} PACKED;
#elif defined(FORM_vtd_remapped_irte)
struct vtd_remapped_irte {
	u64 present:1, fault_disable:1, logical:1, redirection_hint:1, level:1, delivery:3, available:4, reserved12:3, posted:1;
	u64 vector:8, reserved24:8, destination:32;
	u64 source_id:16, source_qualifier:2, source_validation:2, reserved84:44;
} PACKED;
#elif defined(FORM_vtd_posted_irte)
struct vtd_posted_irte {
	u64 present:1, fault_disable:1, reserved2:6, available:4, reserved12:2, urgent:1, posted:1, vector:8, reserved24:14;
	u64 descriptor_low:26;
	u64 source_id:16, source_qualifier:2, source_validation:2, reserved84:12, descriptor_high:32;
} PACKED;
#elif defined(FORM_vtd_posted_descriptor)
struct vtd_posted_descriptor {
	u64 requests[4];
	u64 outstanding:1, suppress:1, reserved258:14, notification_vector:8, reserved280:8, destination:32;
	u64 reserved320, reserved384, reserved448;
} PACKED;
#endif

/* ------------------------------------------------------------------ AMD IOMMU, 48882, 2.2 */

#if defined(FORM_amd_device_entry)
struct amd_device_entry {
	u64 valid:1, translation_valid:1, reserved2:5, host_touched:2, mode:3, host_table:40, page_requests:1, page_request_pasid:1;
	u64 guest_io:1, guest_valid:1, guest_levels:2, gcr3_low:3, read:1, write:1, reserved63:1;
	u64 domain_id:16, gcr3_middle:16, device_tlb:1, fault_once:1, fault_never:1, port_io:2, cache:1, snoop_disable:1, exclusion:1;
	u64 system_management:2, secure_ats:1, gcr3_high:21;
	u64 interrupt_valid:1, interrupt_length:4, ignore_unmapped:1, interrupt_table:46, reserved180:2, guest_paging:2;
	u64 init_pass:1, external_pass:1, nmi_pass:1, host_table_mode:1, interrupt_control:2, lint0_pass:1, lint1_pass:1;
	u64 guest:54, attributes_valid:1, mode0_coherent:1, snoop_attributes:8;
} PACKED;
#elif defined(FORM_amd_gcr3_entry)
struct amd_gcr3_entry { u64 valid:1, reserved1:11, table:40, reserved52:12; } PACKED;
#elif defined(FORM_amd_irte)
struct amd_irte {
	u32 valid:1, fault_suppress:1, delivery:3, request_eoi:1, logical:1, reserved7:1, destination:8, vector:8, reserved24:8;
} PACKED;
#elif defined(FORM_amd_remapped_irte)
struct amd_remapped_irte {
	u64 valid:1, fault_suppress:1, delivery:3, request_eoi:1, logical:1, guest_mode:1, destination_low:24, tag:32;
	u64 vector:8, reserved72:4, page:40, reserved116:4, destination_high:8;
} PACKED;
#elif defined(FORM_amd_guest_irte)
struct amd_guest_irte {
	u64 valid:1, fault_suppress:1, log:1, reserved3:3, running:1, guest_mode:1, destination_low:24, tag:32;
	u64 vector:8, reserved72:4, page:40, reserved116:4, destination_high:8;
} PACKED;
#endif

/* ------------------------------------------------------------------ Arm SMMUv3, IHI 0070, chapter 5 */

#if defined(FORM_smmu_stream_level1)
struct smmu_stream_level1 { u64 span:5, reserved5:1, table:46, reserved52:12; } PACKED;
#elif defined(FORM_smmu_stream_entry)
struct smmu_stream_entry {
	u64 valid:1, config:3, context_format:2, context:46, reserved52:7, context_max:5;
	u64 default_substream:2, context_cache_inner:2, context_cache_outer:2, context_shareability:2, stage2_hardware:4, destructive:1;
	u64 contiguous:4, direct_cache:1, ppar:1, merge_events:1, software20:4, reserved88:1, stage2_force_write_back:1;
	u64 stage1_partition:1, stage1_no_stall:1, ats:2, world:2, memory_attribute:4, memory_override:1, allocation:4, reserved105:3;
	u64 shareability:2, security:2, privilege:2, instruction:2, implementation116:12;
	u64 vmid:16, implementation144:16, stage2_t0sz:6, stage2_sl0:2, stage2_ir0:2, stage2_or0:2, stage2_sh0:2, stage2_tg:2;
	u64 stage2_ps:3, stage2_aa64:1, stage2_endian:1, stage2_no_access_fault:1, stage2_protect_walk:1, stage2_dirty:1;
	u64 stage2_accessed:1, stage2_stall:1, stage2_record:1, stage2_extensions:5;
	u64 stage2_nonsecure:2, stage2_sl0_high:1, stage2_wide:1, stage2_ttb:48, reserved244:12;
	u64 extensions[4];
} PACKED;
#elif defined(FORM_smmu_context_level1)
struct smmu_context_level1 { u64 valid:1, reserved1:11, table:40, reserved52:12; } PACKED;
#elif defined(FORM_smmu_context_descriptor)
struct smmu_context_descriptor {
	u64 t0sz:6, tg0:2, ir0:2, or0:2, sh0:2, epd0:1, endian:1, t1sz:6, tg1:2, ir1:2, or1:2, sh1:2, epd1:1, valid:1;
	u64 ips:3, no_access_fault:1, write_no_execute:1, unprivileged_write_no_execute:1, top_byte0:1, top_byte1:1;
	u64 privileged_never:1, aa64:1, dirty:1, accessed:1, stall:1, record:1, abort:1, own_asid:1, asid:16;
	u64 flags0:4, ttb0:48, reserved116:6, permissions0:2, hardware0:4;
	u64 flags1:4, ttb1:48, reserved180:6, wide:1, indirect:1, hardware1:4;
	u64 mair, amair, extensions[3];
} PACKED;
#endif

/* ------------------------------------------------------------------ Arm GICv3: IHI 0069, and the tables that KVM saves of an ITS */

#if defined(FORM_gic_its_device)
struct gic_its_device { u64 size:5, translations:44, next:14, valid:1; } PACKED;
#elif defined(FORM_gic_its_level1)
struct gic_its_level1 { u64 reserved0:16, table:36, reserved52:11, valid:1; } PACKED;
#elif defined(FORM_gic_its_collection)
struct gic_its_collection { u64 collection:16, redistributor:36, reserved52:11, valid:1; } PACKED;
#elif defined(FORM_gic_its_translation)
struct gic_its_translation { u64 collection:16, lpi:32, next:16; } PACKED;
#elif defined(FORM_gic_lpi_config)
struct gic_lpi_config { u8 enabled:1, ones:1, priority:6; } PACKED;
#elif defined(FORM_gic_lpi_pending)
struct gic_lpi_pending { u64 bits; } PACKED;
#endif

/* ------------------------------------------------------------------ PCI, 82093AA */

#if defined(FORM_pci_msix_entry)
struct pci_msix_entry { u64 address; u32 data; u32 masked:1, reserved97:31; } PACKED;
#elif defined(FORM_ioapic_pin)
struct ioapic_pin {
	u64 vector:8, delivery:3, logical:1, pending:1, active_low:1, remote_irr:1, level:1, masked:1, reserved17:31, remapped:1;
	u64 extended:7, destination:8;
} PACKED;
#elif defined(FORM_ioapic_remapped_pin)
struct ioapic_remapped_pin {
	u64 vector:8, zero:3, index_high:1, pending:1, active_low:1, remote_irr:1, level:1, masked:1, reserved17:31, remapped:1;
	u64 index_low:15;
} PACKED;
#endif

/* ------------------------------------------------------------------ devstate's own: docs/project-format.md */

#if defined(FORM_iommu_unit_v1)
struct ds_iommu_unit {
	char name[64];
	u32 kind, segment;
	u64 base, root, form, interrupts, features[4];
	u32 tables, domains, attachments, windows, flags, padding;
} PACKED;
struct ds_iommu_table { u32 kind, entry_size; u64 pa, size; } PACKED;
struct ds_iommu_domain {
	u32 id;
	u8 levels, granule_shift;
	u16 flags;
	char format[24];
	u64 top_table;
	u32 top_entries, parent;
	u64 first, last, table_pages, bytes_mapped, dirty_map, dirty_size, dirty_first;
	u32 dirty_shift, padding;
} PACKED;
struct ds_iommu_attachment {
	u16 segment, source_id;
	u32 pasid, domain;
	u8 translation, flags;
	u16 padding;
	u64 entry_pa, entry[4];
} PACKED;
struct ds_iommu_window { u32 domain, kind; u64 start, size; u32 access, padding; } PACKED;
#elif defined(FORM_interrupts_v1)
struct ds_interrupts { char name[64]; u32 vectors, pins, affinities, masks, routes, irqfds, posted, flags; u64 vm; } PACKED;
struct ds_msi_vector { u16 segment, source_id, index; u8 kind, flags; u64 address; u32 data, unit, entry, irq; } PACKED;
struct ds_ioapic_pin {
	u8 ioapic, pin;
	u16 flags;
	u32 gsi;
	u64 redirection;
	u32 unit, entry;
	u16 segment, source_id;
	u32 padding;
} PACKED;
struct ds_irq_affinity { u32 unit, entry; u16 segment, source_id; u32 flags, apic_id, cpu, mask_first, mask_words; } PACKED;
struct ds_cpu_mask { u64 bits; } PACKED;
struct ds_gsi_route { u32 gsi, kind, flags, device_id; u64 address; u32 data, chip, pin, padding; } PACKED;
struct ds_irqfd { u32 gsi, flags; u64 eventfd, resamplefd, counter; u16 segment, source_id, index, padding; } PACKED;
struct ds_posted_interrupt {
	u32 unit, entry;
	u16 segment, source_id;
	u32 vcpu;
	u64 descriptor;
	u32 vector, flags;
	u64 pending[4], control;
} PACKED;
#elif defined(FORM_its_v1)
struct ds_its {
	char name[64];
	u64 base, typer, baser[8], cbaser, creadr, propbaser;
	u32 ctlr, iidr, areas, lpis, flags, padding;
} PACKED;
struct ds_its_area { u32 kind, entry_size; u64 pa, size, owner; } PACKED;
struct ds_lpi { u32 device, event, lpi; u16 collection; u8 priority, flags; } PACKED;
#endif
