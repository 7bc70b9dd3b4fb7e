# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What leads the next kernel to the root: the x86 setup_data node, or a devicetree with ``/chosen``; the writing twin of ``carrier``.

::

    setup_data    next u64 | type u32 = 10 | len u32 | kho_data { root, its size, scratch array, its size }
    devicetree    / { chosen { linux,kho-fdt = <address size>; linux,kho-scratch = <address size>; }; };    since 7.4 linux,kho-bootmem

Sources: arch/x86/include/uapi/asm/setup_data.h, drivers/of/kexec.c. Neither is preserved: kexec puts them where it puts the kernel.
"""

from __future__ import annotations

from devstate.codec.encode import encode
from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import SEQUENTIAL, write
from devstate.handover.carrier import SETUP_KEXEC_KHO
from devstate.handover.spec import SETUP_DATA
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.build_links import Links
    from devstate.layout.model import Layout

CHOSEN = "/chosen"
CELLS = (2).to_bytes(4, "big")


def build_entry(links: Links, fdt_pa: int, scratch: tuple[int, int]) -> int:
    """The entry that the spec asks for, in memory; its address. The root counts as one page, as the kernel says it."""
    values = (fdt_pa, links.page, *scratch)
    if links.spec.entry == SETUP_DATA:
        layout = _layout(links, f"setup_data type {SETUP_KEXEC_KHO}")
        fields = [each.name for each in layout.struct().fields]
        data = encode(layout, dict(zip(fields, values, strict=True)))
        return links.room.aside("entry", links.number(0) + links.number(SETUP_KEXEC_KHO, 4) + links.number(len(data), 4) + data)
    layout = _layout(links, CHOSEN)
    assert isinstance(layout.root, NodeLayout)  # as every form of it is
    pairs = (values[:2], values[2:])
    cells = [b"".join(value.to_bytes(8, "big") for value in pair) for pair in pairs]
    chosen = Node("chosen", dict(zip([prop.name for prop in layout.root.properties], cells, strict=True)))
    tree = Fdt(Node("", {"#address-cells": CELLS, "#size-cells": CELLS}, [chosen]))
    return links.room.aside("entry", write(tree, SEQUENTIAL))


def _layout(links: Links, found_by: str) -> Layout:
    """The newest form, or the one before 7.4 renamed scratch."""
    names = links.registry.found_by(found_by)
    return links.registry.layout(names[0] if links.spec.renamed else names[-1], links.environment)
