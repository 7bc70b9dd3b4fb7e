# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where the fields of IOMMU entries are, by a second source: the masks and shifts that the kernel's drivers use."""

from __future__ import annotations

import pytest

from devstate.layout.model import Environment
from devstate.layout.registry import Registry

KERNEL = {
    # drivers/iommu/amd/amd_iommu_types.h: DEV_ENTRY_*, DTE_FLAG_*, DTE_GCR3_SHIFT_*, DTE_IRQ_*
    "amd-device-entry": {
        "valid": (0, 0, 1), "translation_valid": (0, 1, 1), "host_touched": (0, 7, 2), "mode": (0, 9, 3), "page_requests": (0, 52, 1),
        "guest_io": (0, 54, 1), "guest_valid": (0, 55, 1), "guest_levels": (0, 56, 2), "gcr3_low": (0, 58, 3), "read": (0, 61, 1),
        "write": (0, 62, 1), "domain_id": (1, 0, 16), "gcr3_middle": (1, 16, 16), "device_tlb": (1, 32, 1), "fault_never": (1, 34, 1),
        "exclusion": (1, 39, 1), "system_management": (1, 40, 2), "gcr3_high": (1, 43, 21), "interrupt_valid": (2, 0, 1),
        "interrupt_length": (2, 1, 4), "interrupt_table": (2, 6, 46), "guest_paging": (2, 54, 2), "init_pass": (2, 56, 1),
        "external_pass": (2, 57, 1), "nmi_pass": (2, 58, 1), "interrupt_control": (2, 60, 2), "lint0_pass": (2, 62, 1),
        "lint1_pass": (2, 63, 1),
    },
    # union irte_ga_lo, irte_ga_hi
    "amd-remapped-irte": {
        "valid": (0, 0, 1), "fault_suppress": (0, 1, 1), "delivery": (0, 2, 3), "request_eoi": (0, 5, 1), "logical": (0, 6, 1),
        "guest_mode": (0, 7, 1), "destination_low": (0, 8, 24), "tag": (0, 32, 32), "vector": (1, 0, 8), "page": (1, 12, 40),
        "destination_high": (1, 56, 8),
    },
    "amd-guest-irte": {"log": (0, 2, 1), "running": (0, 6, 1), "guest_mode": (0, 7, 1), "vector": (1, 0, 8), "page": (1, 12, 40)},
    # drivers/iommu/intel/pasid.h: pasid_set_*
    "vtd-pasid-entry": {
        "present": (0, 0, 1), "fault_disable": (0, 1, 1), "address_width": (0, 2, 3), "translation": (0, 6, 3),
        "second_stage_touched": (0, 9, 1), "second_stage": (0, 12, 52), "domain_id": (1, 0, 16), "walk_snoop": (1, 23, 1),
        "page_snoop": (1, 24, 1), "supervisor": (2, 0, 1), "first_stage_mode": (2, 2, 2), "write_protect": (2, 4, 1),
        "extended_accessed": (2, 7, 1), "first_stage": (2, 12, 52),
    },
    # is_pasid_enabled(), get_pasid_dir_size()
    "vtd-scalable-context-entry": {"pasid_enable": (0, 3, 1), "directory_size": (0, 9, 3)},
    # drivers/iommu/intel/iommu.h: context_set_*
    "vtd-context-entry": {
        "present": (0, 0, 1), "fault_disable": (0, 1, 1), "translation": (0, 2, 2), "second_stage": (0, 12, 52), "address_width": (1, 0, 3),
        "domain_id": (1, 8, 16),
    },
    # struct irte in include/linux/dmar.h
    "vtd-remapped-irte": {
        "logical": (0, 2, 1), "redirection_hint": (0, 3, 1), "level": (0, 4, 1), "delivery": (0, 5, 3), "posted": (0, 15, 1),
        "vector": (0, 16, 8), "destination": (0, 32, 32), "source_id": (1, 0, 16), "source_qualifier": (1, 16, 2),
        "source_validation": (1, 18, 2),
    },
    "vtd-posted-irte": {"urgent": (0, 14, 1), "vector": (0, 16, 8), "descriptor_low": (0, 38, 26), "descriptor_high": (1, 32, 32)},
    # struct pi_desc in arch/x86/include/asm/posted_intr.h
    "vtd-posted-descriptor": {
        "outstanding": (4, 0, 1), "suppress": (4, 1, 1), "notification_vector": (4, 16, 8), "destination": (4, 32, 32),
    },
    # drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h: STRTAB_L1_DESC_*, STRTAB_STE_*, CTXDESC_*
    "smmu-stream-level1": {"span": (0, 0, 5), "table": (0, 6, 46)},
    "smmu-stream-entry": {
        "valid": (0, 0, 1), "config": (0, 1, 3), "context_format": (0, 4, 2), "context": (0, 6, 46), "context_max": (0, 59, 5),
        "default_substream": (1, 0, 2), "context_cache_inner": (1, 2, 2), "context_cache_outer": (1, 4, 2),
        "context_shareability": (1, 6, 2),
        "merge_events": (1, 19, 1), "stage2_force_write_back": (1, 25, 1), "stage1_no_stall": (1, 27, 1), "ats": (1, 28, 2),
        "world": (1, 30, 2), "shareability": (1, 44, 2), "vmid": (2, 0, 16), "stage2_t0sz": (2, 32, 6), "stage2_sl0": (2, 38, 2),
        "stage2_ir0": (2, 40, 2), "stage2_or0": (2, 42, 2), "stage2_sh0": (2, 44, 2), "stage2_tg": (2, 46, 2), "stage2_ps": (2, 48, 3),
        "stage2_aa64": (2, 51, 1), "stage2_endian": (2, 52, 1), "stage2_protect_walk": (2, 54, 1), "stage2_stall": (2, 57, 1),
        "stage2_record": (2, 58, 1), "stage2_ttb": (3, 4, 48),
    },
    "smmu-context-level1": {"valid": (0, 0, 1), "table": (0, 12, 40)},
    "smmu-context-descriptor": {
        "t0sz": (0, 0, 6), "tg0": (0, 6, 2), "ir0": (0, 8, 2), "or0": (0, 10, 2), "sh0": (0, 12, 2), "epd0": (0, 14, 1),
        "endian": (0, 15, 1),
        "epd1": (0, 30, 1), "valid": (0, 31, 1), "ips": (0, 32, 3), "top_byte0": (0, 38, 1), "aa64": (0, 41, 1), "dirty": (0, 42, 1),
        "accessed": (0, 43, 1), "stall": (0, 44, 1), "record": (0, 45, 1), "abort": (0, 46, 1), "own_asid": (0, 47, 1), "asid": (0, 48, 16),
        "ttb0": (1, 4, 48),
    },
    # arch/arm64/kvm/vgic/vgic-its.c: KVM_ITS_*
    "gic-its-device": {"size": (0, 0, 5), "translations": (0, 5, 44), "next": (0, 49, 14), "valid": (0, 63, 1)},
    "gic-its-level1": {"table": (0, 16, 36), "valid": (0, 63, 1)},
    "gic-its-collection": {"collection": (0, 0, 16), "redistributor": (0, 16, 36), "valid": (0, 63, 1)},
    "gic-its-translation": {"collection": (0, 0, 16), "lpi": (0, 16, 32), "next": (0, 48, 16)},
}  # fmt: skip
"""(word, lowest bit, bits) of fields, as macros, accessors and bit-fields of the kernel have them."""


@pytest.mark.parametrize("name", KERNEL)
def test_fields_are_where_the_kernel_has_them(name: str) -> None:
    """Word, shift and width of each."""
    struct = Registry.shipped().layout(name, Environment()).struct()
    fields = {field.name: field for field in struct.fields}
    assert KERNEL[name] == {key: (fields[key].offset // 8, fields[key].shift, fields[key].width) for key in KERNEL[name]}


def test_every_reserved_field_must_be_zero() -> None:
    """And is named after the bit of the entry that it begins at, so that specification and schema can be laid beside each other."""
    registry = Registry.shipped()
    for name in KERNEL:
        for field in registry.layout(name, Environment()).struct().fields:
            if field.name.startswith("reserved"):
                assert 0 in (field.maximum, field.must), f"{name}.{field.name}"
                assert f"reserved{field.offset * 8 + (field.shift or 0)}" == field.name
