# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Registers of IOMMU units by name. A name may be written in any case, with - for _, with the vendor's prefix, or with _REG behind.

Only some decide how tables are read (USED); the others are shown as they were given.
"""

from __future__ import annotations

from devstate.errors import UsageError

KINDS = ("vtd", "amd", "smmuv3")

ROOT = {"vtd": "RTADDR", "amd": "DEVTAB", "smmuv3": "STRTAB_BASE"}
"""The register that has the address of the root table."""

USED = {
    "vtd": {
        "RTADDR": "root table; bits 11:10 say legacy (0), scalable (1) or blocked (3)",
        "IRTA": "interrupt table: its size, and whether APIC ids have 32 bits",
        "GSTS": "bits 31 and 25: whether requests and interrupts are remapped at all",
    },
    "amd": {
        "DEVTAB": "device table: its size in bits 8:0",
        "CONTROL": "bit 0: enabled; bit 17 (GAEn): 128-bit interrupt entries; bits 36:34: segments; bit 50 (XTEn): 32-bit APIC ids",
        "EFR": "bit 7: the unit can have 128-bit interrupt entries; decides where CONTROL is not given",
    },
    "smmuv3": {
        "STRTAB_BASE": "stream table",
        "STRTAB_BASE_CFG": "form, split and size of the stream table",
        "CR0": "bit 0: enabled",
        "IDR1": "bits 5:0 and 10:6: bits of a stream id, and of a substream id",
    },
}
"""The registers that are read, by kind of unit, and what for."""

KNOWN = {
    "vtd": ("VER", "CAP", "ECAP", "GCMD", "GSTS", "RTADDR", "CCMD", "FSTS", "IQH", "IQT", "IQA", "IRTA", "PQA", "base"),
    "amd": ("DEVTAB", "CMDBUF", "EVTLOG", "CONTROL", "EXCL_BASE", "EXCL_LIMIT", "EFR", "EFR2", "PPRLOG", "GALOG", "STATUS", "base"),
    "smmuv3": (
        "IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5", "IIDR", "AIDR", "CR0", "CR0ACK", "CR1", "CR2", "GBPA", "STRTAB_BASE",
        "STRTAB_BASE_CFG", "CMDQ_BASE", "EVTQ_BASE", "PRIQ_BASE", "base",
    ),
}  # fmt: skip
"""All names, by kind of unit."""

ALIASES = {
    "BASE": "base",
    "ROOT": "RTADDR", "RT": "RTADDR", "RTA": "RTADDR", "IRT": "IRTA", "STS": "GSTS",
    "DEV_TABLE": "DEVTAB", "DEVTABLE": "DEVTAB", "DEVTBL": "DEVTAB", "DEV_TAB_BAR": "DEVTAB", "DTB": "DEVTAB",
    "CTRL": "CONTROL", "CTL": "CONTROL", "EXT_FEATURES": "EFR", "EXT_FEATURE": "EFR", "EXT_FEATURES2": "EFR2",
    "CMD_BUF": "CMDBUF", "EVT_BUF": "EVTLOG", "EVT_LOG": "EVTLOG", "PPR_LOG": "PPRLOG", "GA_LOG": "GALOG",
    "STRTAB": "STRTAB_BASE", "STRTAB_CFG": "STRTAB_BASE_CFG", "CFG": "STRTAB_BASE_CFG",
}  # fmt: skip
"""Other names that kernels and people use."""

_PREFIXES = ("ARM_SMMU_", "SMMU_", "DMAR_", "MMIO_", "IOMMU_")


def register_name(kind: str, name: str) -> str:
    """The one name of a register of this kind of unit; a name that is not known is kept, in capitals. UsageError for an unknown kind."""
    if kind not in KINDS:
        raise UsageError(f"no unit is called {kind!r}; there are {', '.join(KINDS)}")
    plain = name.strip().upper().replace("-", "_")
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    for ending in ("_REG", "_OFFSET"):
        plain = plain.removesuffix(ending)
    found = ALIASES.get(plain, plain)
    return found if found in KNOWN[kind] else plain


def named(kind: str, given: dict[str, int]) -> dict[str, int]:
    """The same values by the one name of each register. UsageError for two values of one register, and for what has no 64 bits."""
    made: dict[str, int] = {}
    for name, value in given.items():
        plain = register_name(kind, name)
        if not 0 <= value < 1 << 64:
            raise UsageError(f"register {plain} has 64 bits, not {value:#x}")
        if made.setdefault(plain, value) != value:
            raise UsageError(f"register {plain} is given twice: {made[plain]:#x} and {value:#x}")
    return made
