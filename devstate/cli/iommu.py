# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Go from the root table of an IOMMU to its devices, domains, page tables and interrupt entries, in any memory image.

  devstate iommu INPUT --unit vtd    --root PA [RTADDR=V] [IRTA=V] [GSTS=V]
  devstate iommu INPUT --unit amd    --root PA [DEVTAB=V] [CONTROL=V] [EFR=V]
  devstate iommu INPUT --unit smmuv3 --root PA [STRTAB_BASE_CFG=V] [CR0=V]

Registers that decide how the tables are read; the values of all others may be given and are shown. What is taken for granted in place of
one that is not given is said.

  vtd      RTADDR           root table; bits 11:10: 0 legacy, 1 scalable, 3 all blocked     default: legacy or scalable, by the looks
           IRTA             interrupt table, its size, 32-bit APIC ids (bit 11)             default: no interrupt table is read
           GSTS             bits 31, 30, 25: requests are translated, there is a root,      default: all of them
                            interrupts are remapped
  amd      DEVTAB           device table; bits 8:0: its 4K pages less 1                     default: as far as it looks like one
           CONTROL          bit 17 (GAEn): interrupt entries of 128 bits, else of 32;       default: as EFR allows, else 128
                            bit 50 (XTEn): 32-bit APIC ids
           EFR              bit 7: entries of 128 bits are possible
  smmuv3   STRTAB_BASE      stream table
           STRTAB_BASE_CFG  bits 17:16: 0 linear, 1 two levels; 10:6: split; 5:0: id bits   default: by the looks, split 8, 16 bits
           CR0              bit 0: enabled                                                  default: it is
           IDR1             bits 5:0, 10:6: bits of a stream id, of a substream id          default: as many as tables say

Names may be written in small letters, with - for _, with a prefix (DMAR_, SMMU_, MMIO_) or with _REG behind; also known are ROOT and RT
(RTADDR), IRT (IRTA), DEV_TABLE and DTB (DEVTAB), CTRL (CONTROL), EXT_FEATURES (EFR), STRTAB (STRTAB_BASE), CFG (STRTAB_BASE_CFG).
Without --root, the address in RTADDR, DEVTAB or STRTAB_BASE is taken. docs/iommu.md has the JSON document and the findings.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number
from devstate.cli.pt_input import add_input, open_memory
from devstate.errors import NotInMemoryError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.finding import Finding
    from devstate.handover.iommu.model import Unit

KINDS = ("vtd", "amd", "smmuv3")

OPTIONS = (
    "rtaddr", "irta", "gsts", "cap", "ecap", "devtab", "control", "efr", "strtab-base", "strtab-base-cfg", "cr0", "idr0", "idr1", "idr5"
)  # fmt: skip
"""Registers that have an option of their own: --irta V is IRTA=V."""

SHOWN_MAX = 20
"""Findings below the text form: that there are is what counts there; --verify and --json have all."""

REGISTERS_MAX = 64 << 20
"""Bytes of a file of registers: a truth file with all its mappings has less than 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_input(parser, "INPUT")
    parser.add_argument("registers", metavar="NAME=VALUE", nargs="*", help="value of a register")
    parser.add_argument("--unit", choices=KINDS, required=True, help="kind of IOMMU")
    parser.add_argument("--root", metavar="PA", type=number, help="physical address of the root, device or stream table")
    parser.add_argument("--encryption-bit", metavar="N", type=number, help="bit of addresses that says: encrypted (AMD with SME: 47 or 51)")
    parser.add_argument("--segment", metavar="N", type=number, default=0, help="PCI segment of its devices (0)")
    group = parser.add_argument_group("registers")
    group.add_argument("--register", metavar="NAME=VALUE", action="append", default=[], help="value of a register; may be repeated")
    group.add_argument("--registers", metavar="FILE", dest="file", help='JSON: {"IRTA": "0x...", ...}, or this as "registers" of an object')
    for name in OPTIONS:
        group.add_argument(f"--{name}", metavar="V", type=number, help=f"{name.upper().replace('-', '_')}=V")
    group = parser.add_argument_group("what to show")
    group.add_argument("--json", action="store_true", help="one JSON document")
    group.add_argument("--no-mappings", action="store_true", help="without the extents of each domain, only their totals")
    group.add_argument("--parts", metavar="NAME", help="its records of preserved state, as parts of a spec for devstate build")
    group.add_argument("--device", metavar="BDF", type=source, help="show only where --iova of this device goes: 00:04.0, or a stream id")
    group.add_argument("--pasid", metavar="N", type=number, help="... with this PASID (without one)")
    group.add_argument("--iova", metavar="IOVA", type=number, help="... and this address; status 1 when it goes nowhere")
    group.add_argument("--verify", action="store_true", help="findings only, those of all page tables too; status 1 when there are any")


def run(arguments: argparse.Namespace) -> int:
    """Print the unit; 0. With --verify 1 when something is wrong, with --iova when it goes nowhere. UsageError, errors as open_memory()."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.finding import Severity
    from devstate.handover.iommu.read import read_unit
    from devstate.handover.iommu.verify import verify_unit

    if arguments.segment > 0xFFFF:
        raise UsageError(f"a PCI segment has 16 bits, not {arguments.segment:#x}")
    memory = open_memory(arguments, arguments.input)
    given = registers(arguments)
    unit = read_unit(memory, arguments.unit, arguments.root, given, segment=arguments.segment, encryption_bit=arguments.encryption_bit)
    if unit.mode != "off" and not memory.contains(unit.root, 8):
        raise NotInMemoryError("the root table is not in the capture", source=memory.source, pa=unit.root)
    if arguments.device is not None or arguments.iova is not None:
        return _translate(unit, arguments)
    if arguments.parts is not None:
        _parts(unit, arguments.parts)
        return OK
    found = verify_unit(unit, tables=arguments.verify)
    if arguments.verify:
        _findings(found, as_json=arguments.json)
        return FINDINGS if any(finding.severity > Severity.INFO for finding in found) else OK
    if arguments.json:
        from devstate.cli.iommu_document import document
        from devstate.report.json import write

        write(document(unit, found, mappings=not arguments.no_mappings), sys.stdout)
    else:
        from devstate.cli.iommu_text import lines
        from devstate.report.text import findings

        sys.stdout.writelines(f"{line}\n" for line in lines(unit))
        findings(found[:SHOWN_MAX], sys.stdout)
        if len(found) > SHOWN_MAX:
            print(f"and {len(found) - SHOWN_MAX} more findings; --verify lists them")
    return OK


def source(text: str) -> int:
    """A source id: ``00:04.0``, ``0000:00:04.0``, or a number. ValueError otherwise. A segment counts as bits above the low 16."""
    head, dot, function = text.rpartition(".")
    if not dot:
        return number(text)
    segment, bus, device = [int(part, 16) for part in ("0:" + head).split(":")[-3:]]
    value = int(function, 16)
    if value > 7 or device > 31 or bus > 255 or min(segment, bus, device, value) < 0:
        raise ValueError("not a bus, device and function")
    return segment << 16 | bus << 8 | device << 3 | value


def _translate(unit: Unit, arguments: argparse.Namespace) -> int:
    """Print where one address of one device goes; 1 when it goes nowhere."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.handover.iommu.model import bdf
    from devstate.handover.iommu.translate import translate, translation_of

    if arguments.device is None or arguments.iova is None:
        raise UsageError("--device and --iova go together")
    source_id = arguments.device - (arguments.segment << 16) if arguments.device >> 16 else arguments.device
    if source_id < 0:
        raise UsageError(f"the unit is of segment {arguments.segment:#x}")
    kind, _ = translation_of(unit, source_id, arguments.pasid)
    hit = translate(unit, source_id, arguments.iova, arguments.pasid)
    name = bdf(source_id, unit.segment)
    if arguments.json:
        from devstate.report.json import write

        row = None if hit is None else [f"{hit.iova:#x}", f"{hit.pa:#x}", hit.size, hit.access]
        head = {"device": name, "pasid": arguments.pasid or 0, "iova": f"{arguments.iova:#x}"}
        write(head | {"translation": kind, "mapping": row}, sys.stdout)
    elif hit is None:
        print(f"{name} {arguments.iova:#x} {'blocked' if kind == 'blocked' else 'not mapped'}")
    else:
        print(f"{name} {arguments.iova:#x} -> {hit.pa:#x} {hit.access} {hit.size:#x} bytes to the end of the leaf, {kind}")
    return FINDINGS if hit is None else OK


def _parts(unit: Unit, name: str) -> None:
    """Print the records of the unit as parts of a spec."""
    import re

    from devstate.cli.iommu_parts import parts
    from devstate.report.json import write

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9,._+-]{0,30}", name):
        raise UsageError(f"the name of an object is that of a devicetree node, such as dmar0, not {name!r}")
    write({"parts": parts(unit, name)}, sys.stdout)


def _findings(found: tuple[Finding, ...], *, as_json: bool) -> None:
    if as_json:
        from devstate.report.json import finding_row, write

        write({"findings": [finding_row(finding) for finding in found]}, sys.stdout)
    else:
        from devstate.report.text import findings

        findings(found, sys.stdout)


def registers(arguments: argparse.Namespace) -> dict[str, int]:
    """All values that were given, a file's first. UsageError for what is no NAME=VALUE, and for two values of one register."""
    from devstate.handover.iommu.registers import named

    given = list(_of_file(arguments.file).items()) if arguments.file is not None else []
    for word in (*arguments.registers, *arguments.register):
        name, equals, text = word.partition("=")
        try:
            value = number(text) if equals else None
        except ValueError:
            value = None
        if value is None or not name:
            raise UsageError(f"a register is given as NAME=VALUE, such as IRTA=0x1e0000f, not as {word!r}")
        given.append((name, value))
    options = ((name, getattr(arguments, name.replace("-", "_"))) for name in OPTIONS)
    given += [(name, value) for name, value in options if value is not None]
    made: dict[str, int] = {}
    for name, value in given:
        made |= named(arguments.unit, {**made, name: value})
    return made


def _of_file(path: str) -> dict[str, int]:
    """The registers in a JSON file. UsageError for any other content."""
    import json

    with open(path, "rb") as file:
        data = file.read(REGISTERS_MAX + 1)
    try:
        if len(data) > REGISTERS_MAX:
            raise ValueError(f"more than {REGISTERS_MAX} bytes")
        document = json.loads(data)
        values = document.get("registers", document)
        return {name: value if isinstance(value, int) else number(value) for name, value in values.items()}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: no file of registers: {error}") from error
