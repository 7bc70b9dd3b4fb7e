# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Composite strings: a format names the versions of the data structures that it is built from (RFC of 2026-06-05).

Contract (include/linux/kho/abi/compat.h): ``base;part;part``, parts in alphabetical order; the whole string must be equal. A part that
changes changes the string of everything that uses it, and of nothing else. As a member of luo_ser the string is as long as it needs
to be, rounded up to 8 bytes, so a longer string moves what follows.

::

    kho-v4;radix-v1;vmalloc-v1     bytes of kho-v4
    luo-v5;block-v1                luo-v5 with a longer string: | compatible char[16] | liveupdate_num @16 | sessions_pa | flbs_pa |
    memfd-v2;vmalloc-v1            bytes of memfd-v2
"""

from devstate.schema import BlockChain, Chars, Converter, Phys, Radix, Reaction, Schema
from devstate_schemas.kho.block import BLOCKS_MAX, kho_block_header_ser
from devstate_schemas.kho.kexec_handover import (
    BLOB,
    BLOB_SIZE,
    kho_radix_leaf,
    kho_radix_node,
    kho_root,
    kho_scratch,
    kho_vmalloc,
    kho_vmalloc_chunk,
)
from devstate_schemas.kho.luo import luo_ser, luo_session_ser
from devstate_schemas.kho.memfd import memfd_luo_ser

_KHO = "kho-v4;radix-v1;vmalloc-v1"

SCHEMAS = [
    Schema(
        compatible=_KHO,
        replaces="kho-v4",
        doc="KHO root whose string names its radix tree and its vmalloc lists; bytes of kho-v4",
        source="include/linux/kho/abi/{kexec_handover,radix_tree,vmalloc}.h of the RFC of 2026-06-05",
        status="posted",
        root=kho_root(_KHO, Phys(Radix()), BLOB, BLOB_SIZE),
        found_by="kho_data.fdt_addr (x86) or /chosen linux,kho-fdt",
        carrier="fdt",
        on_mismatch=Reaction.IGNORED,
        owner="KHO",
        freed="never",
        also=(kho_scratch, kho_vmalloc, kho_vmalloc_chunk, kho_radix_node, kho_radix_leaf),
    ),
    Schema(
        compatible="luo-v5;block-v1",
        replaces="luo-v5",
        doc="LUO whose string names its blocks, and is 8 bytes longer for it",
        source="include/linux/kho/abi/{luo,block}.h of the RFC of 2026-06-05",
        status="posted",
        root=luo_ser(BlockChain(luo_session_ser), "compatible" / Chars(16)),
        found_by="KHO subtree LUO",
        carrier="field:compatible",
        on_mismatch=Reaction.PANIC,
        owner="LUO",
        freed="finish",
        also=(kho_block_header_ser,),
        limits={"blocks": BLOCKS_MAX},
    ),
    Schema(
        compatible="memfd-v2;vmalloc-v1",
        replaces="memfd-v2",
        doc="memfd whose string names its vmalloc list; bytes of memfd-v2",
        source="include/linux/kho/abi/{memfd,vmalloc}.h of the RFC of 2026-06-05",
        status="posted",
        root=memfd_luo_ser,
        found_by="luo_file_ser.data",
        carrier="string",
        on_mismatch=Reaction.OPEN_FAILS,
        owner="memfd handler",
        freed="finish",
    ),
]

CONVERTERS = [
    Converter("kho-v4", _KHO),
    Converter("luo-v5", "luo-v5;block-v1"),
    Converter("memfd-v2", "memfd-v2;vmalloc-v1"),
]
