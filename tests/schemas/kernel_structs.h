/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The structs that kernels hand over, declared by hand from the facts: a second source beside the schemas, which the tests hold
 * equal to them with the compiler as the judge. Nothing here is generated, nothing here is read by devstate.
 *
 * One form of a format at a time: -DFORM_<schema name, every other character than a letter or digit an underscore>, since forms share
 * struct names. -DPAGE_SIZE= gives the page size. With -DBIG_ENDIAN_FORM the structs are big-endian, for bit-fields.
 */
#ifndef KERNEL_STRUCTS_H
#define KERNEL_STRUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096
#endif

#ifdef BIG_ENDIAN_FORM
#define NATURAL __attribute__((scalar_storage_order("big-endian")))
#else
#define NATURAL
#endif
#define PACKED __attribute__((packed)) NATURAL

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef u64 aligned_u64 __attribute__((aligned(8)));

/* A pointer of the running kernel that is handed over as a physical address. */
#define HANDED_OVER(type, name) union { u64 phys; type *ptr; } name

/* ------------------------------------------------------------------ carriers */

#if defined(FORM_kho_data)
struct kho_data { u64 fdt_addr; u64 fdt_size; u64 scratch_addr; u64 scratch_size; } PACKED;
#elif defined(FORM_kho_data_7_4)
struct kho_data { u64 fdt_addr; u64 fdt_size; u64 bootmem_addr; u64 bootmem_size; } PACKED;
#endif

/* two cells each: the value of linux,kho-fdt and linux,kho-scratch */
struct kho_cells { u64 address; u64 size; } PACKED;

struct kho_scratch { u64 addr; u64 size; } NATURAL;

/* ------------------------------------------------------------------ KHO: vmalloc areas, memory maps, blocks */

struct kho_vmalloc_chunk;
struct kho_vmalloc_hdr { HANDED_OVER(struct kho_vmalloc_chunk, next); } NATURAL;
struct kho_vmalloc_chunk {
	struct kho_vmalloc_hdr hdr;
	u64 phys[(PAGE_SIZE - sizeof(struct kho_vmalloc_hdr)) / sizeof(u64)];
} NATURAL;
struct kho_vmalloc {
	HANDED_OVER(struct kho_vmalloc_chunk, first);
	unsigned int total_pages;
	unsigned short flags;
	unsigned short order;
} NATURAL;

#if defined(FORM_kho_v1_array)
struct khoser_mem_bitmap_ptr { u64 phys_start; unsigned int order; unsigned int __reserved; HANDED_OVER(void, bitmap); } NATURAL;
#else
struct khoser_mem_bitmap_ptr { u64 phys_start; HANDED_OVER(void, bitmap); } NATURAL;
#endif

struct khoser_mem_chunk;
#if defined(FORM_linux_kho_v1)
struct khoser_mem_chunk {
	unsigned int order;
	unsigned int num_elms;
	HANDED_OVER(struct khoser_mem_chunk, next);
	struct khoser_mem_bitmap_ptr bitmaps[(PAGE_SIZE - 16) / sizeof(struct khoser_mem_bitmap_ptr)];
} NATURAL;
#elif defined(FORM_kho_ranges)
struct khoser_mem_range { u64 start; u64 size; unsigned long data; } NATURAL;
struct khoser_mem_chunk_hdr { HANDED_OVER(struct khoser_mem_chunk, next); unsigned long num_ranges; } NATURAL;
struct khoser_mem_chunk { struct khoser_mem_chunk_hdr hdr; struct khoser_mem_range ranges[]; } NATURAL;
#else
struct khoser_mem_chunk_hdr { HANDED_OVER(struct khoser_mem_chunk, next); unsigned int order; unsigned int num_elms; } NATURAL;
struct khoser_mem_chunk {
	struct khoser_mem_chunk_hdr hdr;
	struct khoser_mem_bitmap_ptr bitmaps[(PAGE_SIZE - sizeof(struct khoser_mem_chunk_hdr)) / sizeof(struct khoser_mem_bitmap_ptr)];
} NATURAL;
#endif

struct kho_radix_node { u64 table[PAGE_SIZE / sizeof(u64)]; } NATURAL;
struct kho_radix_leaf { unsigned long bitmap[PAGE_SIZE * 8 / (8 * sizeof(unsigned long))]; } NATURAL;

/* posted: kho_array, tables of an order, the first radix tree, kho_xarray */
struct kho_array { u32 magic; u16 version; u16 __reserved; aligned_u64 first; } PACKED;
struct kho_array_page { aligned_u64 next; aligned_u64 startpos; aligned_u64 entries[]; } PACKED;
struct kho_page_table { unsigned long tables[PAGE_SIZE / sizeof(unsigned long)]; } NATURAL;
struct kho_bitmap_table { unsigned long bitmaps[PAGE_SIZE / sizeof(unsigned long)]; } NATURAL;
struct kho_order_table { unsigned long orders[10]; } NATURAL; /* HUGETLB_PAGE_ORDER + 1 on x86-64 */
struct kho_radix_tree { unsigned long table[PAGE_SIZE / sizeof(unsigned long)]; } NATURAL;
struct kho_xarray_node { HANDED_OVER(struct kho_xarray_node, table[PAGE_SIZE / sizeof(u64)]); } NATURAL;
struct kho_xarray_leaf { u64 values[PAGE_SIZE / sizeof(u64)]; } NATURAL;
struct kho_xarray { HANDED_OVER(struct kho_xarray_node, root); } NATURAL;

struct kho_block_header_ser { u64 next; u64 count; } PACKED;

/* ------------------------------------------------------------------ kexec-metadata */

struct kho_kexec_metadata { u32 version; char previous_release[64 + 1]; u32 kexec_count; } PACKED;

/* ------------------------------------------------------------------ LUO */

struct luo_file_ser { char compatible[48]; u64 data; u64 token; } PACKED;
struct luo_file_set_ser { u64 files; u64 count; } PACKED;
struct luo_flb_ser { char name[48]; u64 data; u64 count; } PACKED;
struct luo_flb_header_ser { u64 pgcnt; u64 count; } PACKED;
struct luo_session_header_ser { u64 count; } PACKED;
struct luo_session_head_ser { u64 pgcnt; u64 count; } PACKED;
struct luo_flb_head_ser { u64 pgcnt; u64 count; } PACKED;
struct luo_kho_version_prop { u32 major; u32 minor; } NATURAL;
struct luo_feature_hdr { u64 supp; u64 req; u64 active; u64 reserved[13]; } PACKED;

#if defined(FORM_luo_v1_head) || defined(FORM_luo_v1_head_flb)
struct luo_session_ser { char name[64]; u64 files; u64 pgcnt; u64 count; } PACKED;
#elif defined(FORM_luo_v1_session_v1)
struct luo_session_ser { char name[64]; } PACKED;
#else
struct luo_session_ser { char name[64]; struct luo_file_set_ser file_set_ser; } PACKED;
#endif

#if defined(FORM_luo_v2)
struct luo_ser { u64 liveupdate_num; u64 sessions_pa; u64 flbs_pa; } PACKED;
#elif defined(FORM_luo_v5_block_v1)
struct luo_ser { char compatible[(sizeof("luo-v5;block-v1") + 7) / 8 * 8]; u64 liveupdate_num; u64 sessions_pa; u64 flbs_pa; } PACKED;
#elif defined(FORM_luo_features)
struct luo_ser { struct luo_feature_hdr features; u64 liveupdate_num; u64 sessions_pa; u64 flbs_pa; } PACKED;
#else
struct luo_ser { char compatible[(sizeof("luo-v3") + 7) / 8 * 8]; u64 liveupdate_num; u64 sessions_pa; u64 flbs_pa; } PACKED;
#endif

/* /dev/liveupdate */
struct liveupdate_ioctl_create_session { u32 size; s32 fd; u8 name[64]; } NATURAL;
struct liveupdate_ioctl_retrieve_session { u32 size; s32 fd; u8 name[64]; } NATURAL;
struct liveupdate_session_preserve_fd { u32 size; s32 fd; aligned_u64 token; } NATURAL;
struct liveupdate_session_retrieve_fd { u32 size; s32 fd; aligned_u64 token; } NATURAL;
struct liveupdate_session_finish { u32 size; u32 reserved; } NATURAL;
struct liveupdate_session_get_name { u32 size; u32 reserved; u8 name[64]; } NATURAL;

/* ------------------------------------------------------------------ memfd, tmpfs, hugetlb */

#if defined(FORM_memfd_v1_fdt)
struct memfd_luo_folio_ser { u64 foliodesc; u64 index; } NATURAL;
#elif defined(FORM_memfd_v1_foliodesc)
struct memfd_luo_folio_ser { u64 foliodesc; u64 index; } PACKED;
#else
struct memfd_luo_folio_ser { u64 pfn:52; u64 flags:12; u64 index; } PACKED;
#endif
struct memfd_luo_preserved_folio { u64 foliodesc; u64 index; } NATURAL;

#if defined(FORM_memfd_v1) || defined(FORM_memfd_v1_foliodesc)
struct memfd_luo_ser { u64 pos; u64 size; u64 nr_folios; struct kho_vmalloc folios; } PACKED;
#elif defined(FORM_memfd)
struct memfd_luo_ser {
	struct luo_feature_hdr features;
	u64 pos;
	u64 size;
	u32 seals;
	u32 flags;
	u64 nr_folios;
	struct kho_vmalloc folios;
} PACKED;
#else
struct memfd_luo_ser { u64 pos; u64 size; u32 seals; u32 flags; u64 nr_folios; struct kho_vmalloc folios; } PACKED;
#endif

struct tmpfs_luo_mnt_ser { u64 max_blocks; u32 mode; u32 flags; } PACKED;
struct tmpfs_luo_file_ser {
	u64 mnt_token;
	u64 pos;
	u64 size;
	u32 mode;
	u32 flags;
	u64 nr_folios;
	struct kho_vmalloc folios;
	char name[255 + 1];
} PACKED;

struct hugetlb_hstate_ser { u64 nr_pages; u8 order; } PACKED;
struct hugetlb_ser { struct hugetlb_hstate_ser hstates[4]; u8 nr_hstates; } PACKED;
struct hugemfd_folio_ser { u64 pfn:52; u64 reserved:12; u64 index; } PACKED;
struct hugemfd_ser { u64 size; u64 pos; u64 nr_folios; struct kho_vmalloc folios; u8 order; } PACKED;

/* ------------------------------------------------------------------ guest_memfd, KVM */

struct guest_memfd_luo_folio_ser { u64 pfn:52; u64 flags:12; u64 index; } PACKED;
struct guest_memfd_luo_ser { u64 size; u64 flags; u64 nr_folios; u64 vm_token; struct kho_vmalloc folios; } PACKED;

struct kvm_luo_mem_attr { u64 gfn; u64 attributes; } PACKED;
struct kvm_kho_folios_ser { u64 nr_folios; u64 folios_pa[]; } PACKED;
#if defined(FORM_kvm_vm_luo_v1_mem_attrs)
struct kvm_luo_ser { u64 type; u64 nr_mem_attrs; struct kho_vmalloc mem_attrs; } PACKED;
#elif defined(FORM_kvm_vm_luo_v1_folios)
struct kvm_luo_ser { u64 type; HANDED_OVER(struct kvm_kho_folios_ser, kho_folios); } PACKED;
#else
struct kvm_luo_ser { u64 type; } PACKED;
#endif

struct kvm_caretaker_telemetry_ser {
	u64 total_runs;
	u64 total_exits;
	u64 stall_count;
	u64 last_exit_reason;
	u64 last_exit_rip;
	u64 stall_exit_reason;
	u64 stall_exit_rip;
} PACKED;
#if defined(FORM_kvm_vcpu_luo_v1_cb)
struct kvm_caretaker_cb_ser { u32 state; u32 pcpu_id; u32 vcpu_id; u32 reserved; } PACKED;
struct kvm_vcpu_ser {
	u32 vcpu_id;
	u32 reserved;
	u64 vm_token;
	HANDED_OVER(struct kvm_caretaker_cb_ser, cb);
	HANDED_OVER(void, arch_state);
} PACKED;
#else
struct kvm_caretaker_cb_ser {
	u32 state;
	u32 pcpu_id;
	u32 vcpu_id;
	u32 reserved;
	HANDED_OVER(struct kvm_caretaker_telemetry_ser, telemetry);
} PACKED;
struct kvm_vcpu_ser {
	u32 vcpu_id;
	u32 flags;
	u64 vm_token;
	HANDED_OVER(void, arch_state);
	HANDED_OVER(struct kvm_caretaker_cb_ser, cb);
} PACKED;
#endif

/* ------------------------------------------------------------------ PCI, VFIO */

#if defined(FORM_pci_v1_first) || defined(FORM_pci_v1_max)
struct pci_dev_ser { u16 domain; u16 bdf; } PACKED;
#elif defined(FORM_pci_v1_u64)
struct pci_dev_ser { u32 domain; u16 bdf; u16 reserved; } PACKED;
#elif defined(FORM_pci_v1_u32)
struct pci_dev_ser { u32 domain; u16 bdf; u16 padding; } PACKED;
#else
struct pci_dev_ser { u32 domain; u16 bdf; u16 refcount; } PACKED;
#endif

#if defined(FORM_pci_v1_first)
struct pci_ser { u64 nr_devices; struct pci_dev_ser devices[]; } PACKED;
#elif defined(FORM_pci_v1_max) || defined(FORM_pci_v1_u64) || defined(FORM_pci_v2_u64)
struct pci_ser { u64 max_nr_devices; u64 nr_devices; struct pci_dev_ser devices[]; } PACKED;
#elif defined(FORM_pci_v1_u32) || defined(FORM_pci_v2) || defined(FORM_pci_v3)
struct pci_ser { u32 max_nr_devices; u32 nr_devices; struct pci_dev_ser devices[]; } PACKED;
#elif defined(FORM_pci_v1)
struct pci_ser { u32 nr_devices; u64 devices; } PACKED;
#else
struct pci_ser { u32 version; u32 nr_devices; u64 devices; } PACKED;
#endif

struct vfio_iommufd_ser { u32 token; } PACKED;
#if defined(FORM_vfio_pci_v1_first)
struct vfio_pci_core_device_ser { u16 bdf; u16 domain; } PACKED;
#elif defined(FORM_vfio_pci_v1_reset)
struct vfio_pci_core_device_ser { u16 bdf; u16 domain; u8 reset_works; } PACKED;
#elif defined(FORM_vfio_pci_v1_reset_iommufd)
struct vfio_pci_core_device_ser { u16 bdf; u16 domain; u8 reset_works; struct vfio_iommufd_ser iommufd_ser; } PACKED;
#elif defined(FORM_vfio_pci_v2)
struct vfio_pci_core_device_ser { u32 domain; u16 bdf; u8 reset_works; } PACKED;
#elif defined(FORM_vfio_pci_v2_iommufd)
struct vfio_pci_core_device_ser { u32 domain; u16 bdf; u8 reset_works; struct vfio_iommufd_ser iommufd_ser; } PACKED;
#else
struct vfio_pci_core_device_ser { u32 domain; u16 bdf; } PACKED;
#endif

/* ------------------------------------------------------------------ IOMMU, iommufd, DMA */

struct iommu_domain;

#if defined(FORM_iommu_v1_first) || defined(FORM_iommu_v1)
#ifdef FORM_iommu_v1
#define RFC PACKED
#else
#define RFC NATURAL
#endif
enum iommu_lu_type { IOMMU_INVALID, IOMMU_INTEL };
struct iommu_obj_ser { u32 idx; u32 ref_count; u32 deleted:1; u32 incoming:1; } PACKED;
struct iommu_domain_ser {
	struct iommu_obj_ser obj;
	u64 top_table;
	u64 top_level;
#ifdef FORM_iommu_v1_first
	u64 attach_count;
#endif
	struct iommu_domain *restored_domain;
} PACKED;
struct device_domain_iommu_ser { u32 did; u64 domain_phys; u64 iommu_phys; } RFC;
struct device_ser {
	struct iommu_obj_ser obj;
	u64 token;
	u32 devid;
	u32 pci_domain;
	struct device_domain_iommu_ser domain_iommu_ser;
	enum iommu_lu_type type;
} PACKED;
struct iommu_intel_ser { u64 phys_addr; u64 root_table; } PACKED;
struct iommu_ser {
	struct iommu_obj_ser obj;
	u64 token;
	enum iommu_lu_type type;
	union { struct iommu_intel_ser intel; };
} RFC;
struct iommu_objs_ser { u64 next_objs; u64 nr_objs; } RFC;
struct iommu_lu_flb_ser {
	u64 iommus_phys;
	u64 nr_iommus;
	u64 iommu_domains_phys;
	u64 nr_domains;
	u64 devices_phys;
	u64 nr_devices;
} PACKED;
#endif

#if defined(FORM_iommu_liveupdate_v1) || defined(FORM_iommu_liveupdate)
struct iommu_hdr_ser { u32 ref_count; u32 flags; } PACKED;
struct iommu_array_hdr_ser { u64 next_array_phys; u64 nr_objects; } PACKED;
struct iommu_dev_map_ser { u64 attachment_id; u64 domain_phys; u64 iommu_phys; } PACKED;
struct iommu_intel_ser {
	u8 restored;
	u8 padding[7];
	u64 phys_addr;
	u64 root_table;
	u64 context_tables_bitmap[8];
} NATURAL;
#endif
#if defined(FORM_iommu_liveupdate_v1)
struct iommu_domain_ser {
	struct iommu_hdr_ser hdr;
	u64 top_table_phys;
	u64 top_level;
	u32 vasz;
	u32 sign_extend:1;
	struct iommu_domain *restored_domain;
} PACKED;
struct iommu_device_intel_ser { u64 pasid_table; u64 max_pasid; } PACKED;
struct iommu_device_ser {
	struct iommu_hdr_ser hdr;
	u32 devid;
	u32 pci_domain_nr;
	struct iommu_dev_map_ser domain_iommu_ser;
	union { struct iommu_device_intel_ser intel; };
} PACKED;
struct iommu_hw_ser { struct iommu_hdr_ser hdr; u64 token; u64 type; union { struct iommu_intel_ser intel; }; } PACKED;
struct iommu_flb_ser { u64 iommu_array_phys; u64 iommu_domain_array_phys; u64 device_array_phys; } PACKED;
#elif defined(FORM_iommu_liveupdate)
struct iommu_domain_ser {
	struct iommu_hdr_ser hdr;
	u64 top_table_phys;
	u64 top_level;
	u32 vasz;
	u8 sign_extend;
	u8 padding[3];
	struct iommu_domain *restored_domain;
} PACKED;
struct iommu_device_intel_ser { u8 restored; u8 padding[7]; u64 pasid_table; u64 max_pasid; } PACKED;
struct iommu_master_smmuv3_ser { u64 l1_cdtab_lu_state; u32 num_l2_cdtables; u32 padding; u64 l2_cdtab_lu_states_phys; } PACKED;
struct iommu_device_ser {
	struct iommu_hdr_ser hdr;
	u32 devid;
	u32 pci_domain_nr;
	u64 dma_owner_token;
	struct iommu_dev_map_ser domain_iommu_ser;
	union { struct iommu_device_intel_ser intel; struct iommu_master_smmuv3_ser smmuv3; };
} PACKED;
struct iommu_smmuv3_hw_ser { u64 phys_addr; u64 strtab_base_cfg; u64 l1_strtab_lu_state; u64 l2_strtab_lu_states_phys; } PACKED;
struct iommu_hw_ser {
	struct iommu_hdr_ser hdr;
	u64 token;
	u64 type;
	union { struct iommu_intel_ser intel; struct iommu_smmuv3_hw_ser smmuv3; };
} PACKED;
struct iommu_flb_ser { u64 version; u64 iommu_array_phys; u64 iommu_domain_array_phys; u64 device_array_phys; } PACKED;
#endif

struct folio;
#if defined(FORM_iommufd_v1_folio)
struct iommufd_lu { struct folio *folio_lu; } NATURAL;
#else
struct iommufd_hwpt_lu { u32 token; u64 domain_data; bool reclaimed; } PACKED;
struct iommufd_lu { unsigned int nr_hwpts; struct iommufd_hwpt_lu hwpts[]; } NATURAL;
#endif
struct iommufd_hwpt_ser { u64 domain_data; u64 token; u8 reclaimed; u8 padding[7]; } PACKED;
struct iommufd_ser { u64 nr_hwpts; struct iommufd_hwpt_ser hwpt_array[]; } PACKED;

#if defined(FORM_dma_alloc_direct)
struct dma_alloc_ser { u64 page_phys; u64 size; u64 attrs; u8 force_decrypted; u8 padding[7]; } PACKED;
#else
struct dma_alloc_ser { u64 iova; u64 nr_pages; bool is_folio; bool is_contiguous; u64 page_phys[]; } PACKED;
#endif

/* ------------------------------------------------------------------ pstore */

enum kmsg_dump_reason { KMSG_DUMP_UNDEF, KMSG_DUMP_PANIC, KMSG_DUMP_OOPS, KMSG_DUMP_EMERG, KMSG_DUMP_SHUTDOWN };
struct timespec64 { s64 tv_sec; long tv_nsec; } NATURAL;
#if defined(FORM_pstore_kho_v1)
struct pstore_kho_record {
	long size;
	struct timespec64 time;
	int count;
	enum kmsg_dump_reason reason;
	unsigned int part;
	bool compressed;
	char buf[];
} NATURAL;
#else
struct pstore_kho_record { s64 size; s64 time_sec; u32 time_nsec; s32 count; u32 reason; u32 part; u32 compressed; char buf[]; } NATURAL;
struct pstore_ser { u32 version; struct pstore_kho_record record; } NATURAL;
#endif

/* ------------------------------------------------------------------ devstate's own: docs/page-table-stream.md */

#if defined(FORM_page_table_stream)
struct ds_pages_header {
	u64 magic;
	u16 version, header_size;
	u8 levels, table_shift, page_shift, flags;
	char format[24];
	u64 top_table;
	u32 top_entries;
	u64 zero;
	u32 crc;
} PACKED;
struct ds_pages_chunk { u32 magic, number; u64 first_pa; u32 body_size; u16 pages, list_size; u32 body_crc, crc; } PACKED;
struct ds_pages_run { u8 kind, step; u64 base; } PACKED;
struct ds_pages_packed { u8 kind, step; u16 runs, gaps, lengths; } PACKED;
struct ds_pages_form { u64 mask, rest; } PACKED;
struct ds_pages_trailer { u32 magic, chunks; u64 pages, size, levels[8]; u32 chain, crc; } PACKED;
#endif

/* ------------------------------------------------------------------ devstate's own: docs/project-format.md */

#if defined(FORM_devstate_v1)
struct ds_section { u64 offset, size; u32 crc; } PACKED;
struct ds_memory { u64 pa, size; u32 crc; } PACKED;
#endif

#if defined(FORM_guest_memory_v1)
struct ds_guest_memory { char name[64]; u64 bytes, extents; u32 owners, flags; } PACKED;
struct ds_memory_owner { u32 kind, padding; char name[64]; u64 token; } PACKED;
struct ds_guest_extent { u64 gpa, pa, size; u32 node; u16 owner; u8 page_shift, flags; } PACKED;
#endif

#include "iommu_structs.h"
#include "kvm_structs.h"

#endif
