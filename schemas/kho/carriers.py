# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Carriers: how the next kernel learns where KHO's root is. No compatible string covers them.

::

    x86: setup_data, type SETUP_KEXEC_KHO (10)     struct kho_data | fdt_addr @0 | fdt_size @8 | scratch_addr @16 | scratch_size @24 |
    devicetree machines: /chosen     linux,kho-fdt = <address size>; linux,kho-scratch = <address size>;     (big-endian cells)

7.4 renames scratch to boot memory: the fields become ``bootmem_addr/size`` at the same offsets, the property ``linux,kho-bootmem``.
A 7.3 reader does not find the new property and boots, without a message, as if nothing was handed over.
"""

from devstate.schema import U64, About, Converter, Node, Reaction, Schema, Struct, U64be, prop, this

_ADDRESS = About("physical address", hint="pa")
_BYTES = About("bytes", unit="bytes", hint="bytes")

_area = Struct("kho_cells", "address" / U64be * _ADDRESS, "size" / U64be * _BYTES, packed=True, doc="two cells each for address and size")


def _kho_data(area: str) -> Struct:
    return Struct(
        "kho_data",
        "fdt_addr" / U64 * About("root devicetree", hint="pa"),
        "fdt_size" / U64 * About("always one page", unit="bytes", hint="bytes"),
        f"{area}_addr" / U64 * About("array of struct kho_scratch", hint="pa"),
        f"{area}_size" / U64 * About("bytes of the array", unit="bytes", hint="bytes"),
        packed=True,
    )


_COMMON = {"status": "mainline", "carrier": "umbrella", "on_mismatch": Reaction.IGNORED, "owner": "kexec", "freed": "never"}

SCHEMAS = [
    Schema(
        name="kho-data",
        doc="x86 setup_data payload that leads to the root",
        source="arch/x86/include/uapi/asm/setup_data.h",
        since="6.16",
        until="7.3",
        root=_kho_data("scratch"),
        found_by="setup_data type 10",
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        name="kho-data",
        variant="7.4",
        doc="x86 setup_data payload, with scratch renamed to boot memory; same bytes",
        source="arch/x86/include/uapi/asm/setup_data.h at 85d3615cea17",
        since="7.4",
        root=_kho_data("bootmem"),
        found_by="setup_data type 10",
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        name="chosen",
        found_by="/chosen",
        doc="/chosen properties of devicetree machines",
        source="drivers/of/kexec.c, drivers/of/fdt.c",
        since="6.16",
        until="7.3",
        root=Node("chosen", prop("linux,kho-fdt", _area), prop("linux,kho-scratch", _area)),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        name="chosen",
        found_by="/chosen",
        variant="7.4",
        doc="/chosen properties, with scratch renamed to boot memory",
        source="drivers/of/kexec.c at 1f18d7401651",
        since="7.4",
        root=Node("chosen", prop("linux,kho-fdt", _area), prop("linux,kho-bootmem", _area)),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [
    Converter(
        "kho-data",
        "kho-data@7.4",
        up={"bootmem_addr": this.scratch_addr, "bootmem_size": this.scratch_size},
        down={"scratch_addr": this.bootmem_addr, "scratch_size": this.bootmem_size},
    ),
    Converter("chosen", "chosen@7.4"),
]
