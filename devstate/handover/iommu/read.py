# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Read one IOMMU unit: :func:`read_unit`."""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.handover.iommu import amd, amd_interrupts, smmu, vtd, vtd_interrupts
from devstate.handover.iommu.domains import read_domains
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.registers import KINDS, ROOT, named
from devstate.handover.iommu.tables import ADDRESS_BITS, Budget, TableReader
from devstate.layout.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.iommu.model import Details, Device, InterruptTable, Run
    from devstate.memory import PhysMemory

ROOT_MASK = {"vtd": ~0xFFF, "amd": (1 << 52) - 4096, "smmuv3": (1 << 52) - 64}
"""The bits of the register that are the address of the root table."""

TRANSLATION_ENABLED = {"vtd": ("GSTS", 1 << 31), "amd": ("CONTROL", 1), "smmuv3": ("CR0", 1)}
"""The bit without which the unit lets requests through untranslated."""


class _Parts:
    """What was read so far."""

    def __init__(self) -> None:
        self.mode = ""
        self.geometry: Details = ()
        self.devices: list[Device] = []
        self.runs: list[Run] = []
        self.interrupts: tuple[InterruptTable, ...] | None = None
        self.assumed: list[str] = []


def read_unit(
    memory: PhysMemory, kind: str, root: int | None = None, registers: dict[str, int] | None = None, *, segment: int = 0,
    encryption_bit: int | None = None, registry: Registry | None = None, budget: Budget | None = None, walks: bool = True,
) -> Unit:  # fmt: skip
    """The unit of ``kind`` (vtd, amd, smmuv3) whose root table is at ``root``, or where its register says.

    ``registers``: values by name (registers.py). ``encryption_bit``: of an AMD machine with active memory encryption. What is wrong in
    the tables never raises but is in ``findings``. ``budget``: of several units together. ``walks``: the page tables of the domains are
    walked. UsageError for a kind, a register or a bit that makes no sense, and when there is
    neither a root nor its register.
    """
    if kind not in KINDS:
        raise UsageError(f"no unit is called {kind!r}; there are {', '.join(KINDS)}")
    values = named(kind, registers or {})
    if encryption_bit is not None and (kind != "amd" or not 12 <= encryption_bit < ADDRESS_BITS):
        raise UsageError(f"an encryption bit is one of 12 to {ADDRESS_BITS - 1}, of AMD's addresses, not {encryption_bit} of {kind}")
    reader = TableReader(memory, registry or Registry.shipped(), encryption_bit, budget)
    root = reader.plain(_root(kind, root, values))
    parts = _Parts()
    _READ[kind](reader, root, values, parts)
    name, bit = TRANSLATION_ENABLED[kind]
    if not values.get(name, bit) & bit:
        parts.assumed.append(f"{name} says that translation is off: the tables are shown all the same")
    domains = read_domains(reader, parts.devices, walks=walks)
    tables = sorted(reader.tables.values(), key=lambda table: table.pa)
    return Unit(
        memory.source, kind, parts.mode, parts.geometry, root, segment, tuple(values.items()), tuple(parts.assumed), tuple(parts.devices),
        tuple(parts.runs), domains, parts.interrupts, tuple(tables), tuple(reader.findings),
    )  # fmt: skip


def _root(kind: str, root: int | None, registers: dict[str, int]) -> int:
    """The address of the root table. A root with low bits is the register's value: an address has none."""
    mask, name = ROOT_MASK[kind], ROOT[kind]
    if root is None:
        if name not in registers:
            raise UsageError(f"say where the root table is: --root, or register {name}")
        return registers[name] & mask
    if not 0 <= root < 1 << 64:
        raise UsageError(f"a root table is at an address of 64 bits, not at {root:#x}")
    if root & ~mask:
        if registers.setdefault(name, root) != root:
            raise UsageError(f"{root:#x} is no address of a root table, and not the value of {name} that is given either")
    elif name in registers and registers[name] & mask != root:
        raise UsageError(f"register {name} says that the root table is at {registers[name] & mask:#x}, not at {root:#x}")
    return root & mask


def _vtd(reader: TableReader, root: int, registers: dict[str, int], parts: _Parts) -> None:
    if not registers.get("GSTS", vtd.ROOT_SET) & vtd.ROOT_SET:
        parts.mode = "off"
        parts.assumed.append("GSTS says that the unit was never given a root table: none is read")
        parts.interrupts = vtd_interrupts.read_interrupts(reader, registers, parts.assumed)
        return
    parts.mode = vtd.mode_of(reader, root, registers, parts.assumed)
    found = reader.metered(vtd.read_devices(reader, root, parts.mode), "devices")
    parts.devices = sorted(found, key=lambda device: (device.source_id, device.pasid))
    parts.interrupts = vtd_interrupts.read_interrupts(reader, registers, parts.assumed)


def _amd(reader: TableReader, root: int, registers: dict[str, int], parts: _Parts) -> None:
    count = amd.entry_count(reader, root, registers, parts.assumed)
    segments = 1 << (registers.get("CONTROL", 0) >> amd.SEGMENTS & 7)
    if segments > 1:
        most = amd.SOURCES // segments
        parts.assumed.append(f"CONTROL says that the device table is in {segments} segments: only the first is read, of {most} entries")
        count = min(count, most)
    parts.geometry = (("device_table_bytes", count * amd.ENTRY_SIZE),)
    entries = reader.entries("amd-device-entry", root, count, amd.PATH)
    parts.devices = list(reader.metered(amd.read_devices(reader, entries), "devices"))
    parts.runs = amd.read_runs(entries)
    parts.interrupts = amd_interrupts.read_interrupts(reader, entries, registers, parts.assumed)
    formats = {device.format for device in parts.devices}
    parts.mode = "amd host tables v1" if "amd-v1" in formats else "amd guest tables v2" if "amd-v2" in formats else "amd device table"


def _smmuv3(reader: TableReader, root: int, registers: dict[str, int], parts: _Parts) -> None:
    form = smmu.form_of(reader, root, registers, parts.assumed)
    parts.geometry = (("strtab_log2size", form[1]),)
    parts.mode = f"stream table 2-level split {form[2]}" if form[0] == smmu.TWO_LEVELS else "stream table linear"
    substreams = bool(registers.get("IDR1", smmu.SSID_SIZE) & smmu.SSID_SIZE)
    for base, entries in smmu.stream_tables(reader, root, form):
        parts.devices += reader.metered(smmu.read_devices(reader, base, entries, substreams=substreams), "devices")
        parts.runs += smmu.read_runs(base, entries)


_READ = {"vtd": _vtd, "amd": _amd, "smmuv3": _smmuv3}
