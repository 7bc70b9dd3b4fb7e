# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A PCI function that a guest has: what the guest sees of it (config space), where it is (BARs), how it interrupts (MSI-X).

Contract: the guest goes on with the device while the host kernel is exchanged, so nothing of this may be written to the device again. The
new kernel compares it with what the device says and gives up the function, not the guest, when they differ.

::

    example_function_state | segment, bdf | ... | config[256] | bars[6] | vectors --> example_vector[nr_vectors]

v2 has the PASID that the function's DMA carries, and says which reset was agreed on with the guest.
"""

from devstate.schema import (
    U16,
    U32,
    U64,
    About,
    Array,
    Contiguous,
    Converter,
    Enum,
    Flags,
    MustBeZero,
    Phys,
    Raw,
    Reaction,
    Schema,
    Struct,
    Token,
    this,
)

VECTORS_MAX = 2048
"""MSI-X vectors that a function may have (PCI Local Bus 3.0, 6.8.2)."""

example_bar = Struct(
    "example_bar",
    "address" / U64 * About("in the host's physical addresses; 0: not in use", hint="pa"),
    "size" / U64 * About("a power of two", unit="bytes", hint="bytes"),
    "flags" / Flags(U32, IO=0, PREFETCHABLE=3, WIDE=2) * "as in the register",
    "mapped" / U32 * About("whether the guest has it mapped", maximum=1),
    packed=True,
    doc="one base address register",
)

example_vector = Struct(
    "example_vector",
    "address" / U64 * About("of the message", hint="hex"),
    "data" / U32 * About("of the message", hint="hex"),
    "control" / Flags(U32, MASKED=0) * "vector control",
    "gsi" / U32 * "route of the guest that it is injected by",
    "pending" / U32 * About("whether it waited while it was masked", maximum=1),
    packed=True,
    doc="one interrupt",
)


def _state(*more: object) -> Struct:
    return Struct(
        "example_function_state",
        "segment" / U16 * "PCI segment",
        "bdf" / U16 * About("bus, device and function", hint="bdf"),
        "flags" / Flags(U32, BUS_MASTER=0, MEMORY=1, MSIX=2) * "what is switched on",
        "iommufd" / Token("iommufd-v1") * "the file of its address space",
        "nr_vectors" / U32 * About("in use", maximum=VECTORS_MAX),
        "zero" / MustBeZero(U32),
        "vectors" / Phys(Contiguous(example_vector, this.nr_vectors, VECTORS_MAX * 24)) * "by number",
        "bars" / Array(6, example_bar) * "by number",
        "config" / Raw(256) * "config space as the guest reads it",
        *more,
        packed=True,
        doc="one function",
    )


_COMMON = {
    "status": "project",
    "source": "examples/drivers/passthrough.py",
    "found_by": "devices/driver-N",
    "carrier": "string",
    "on_mismatch": Reaction.RETRIEVE_FAILS,
    "owner": "example passthrough driver",
    "freed": "finish",
    "limits": {"vectors": VECTORS_MAX},
}

SCHEMAS = [
    Schema(compatible="example-function-v1", doc="a function of a guest", root=_state(), **_COMMON),  # type: ignore[arg-type]
    Schema(
        compatible="example-function-v2",
        replaces="example-function-v1",
        doc="a function of a guest, with PASID and reset",
        root=_state(
            "pasid" / U32 * About("0: its DMA has none", maximum=(1 << 20) - 1),
            "reset" / Enum(U32, NONE=0, FUNCTION=1, BUS=2) * "what a reset of the guest's does",
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [Converter("example-function-v1", "example-function-v2", up={"pasid": 0, "reset": 1}, loses=("pasid", "reset"))]
