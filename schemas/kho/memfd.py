# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""memfd: the content and properties of one memfd.

Contract (include/linux/kho/abi/memfd.h): any change means a new ``memfd-vN``, which is the handler string in luo_file_ser; a
kernel without that handler refuses the whole session set (every open of /dev/liveupdate fails).

::

    luo_file_ser.data --> memfd_luo_ser | pos | size | seals, flags (v2) | nr_folios | folios: kho_vmalloc |
                                                                                        |
                      pages of memfd_luo_folio_ser[nr_folios] <--list of page addresses-+
"""

from devstate.schema import U32, U64, About, Bits, Converter, Flags, MustBeZero, Reaction, Schema, Struct, this
from devstate_schemas.kho.kexec_handover import vmalloc_array

memfd_luo_folio_ser = Struct(
    "memfd_luo_folio_ser",
    "pfn" / Bits(U64, 52) * About("page frame number of the folio; 0 is a hole", hint="pfn"),
    "flags" / Bits(U64, 12, DIRTY=0, UPTODATE=1),
    "index" / U64 * About("offset in the file", unit="pages"),
    packed=True,
    doc="one folio of the file",
)

_POS = "pos" / U64 * About("file position", unit="bytes", phase="freeze")
_SIZE = "size" / U64 * About("size of the file", unit="bytes", hint="bytes", phase="preserve")
_COUNT = "nr_folios" / U64 * "folios that the file has"
_FOLIOS = "folios" / vmalloc_array(memfd_luo_folio_ser, this.nr_folios)

memfd_luo_ser = Struct(
    "memfd_luo_ser",
    _POS,
    _SIZE,
    "seals" / Flags(U32, SEAL=0, SHRINK=1, GROW=2, WRITE=3, FUTURE_WRITE=4, EXEC=5) * "F_SEAL_* of the file; others are refused",
    "flags" / MustBeZero(U32),
    _COUNT,
    _FOLIOS,
    packed=True,
)

_COMMON = {
    "status": "mainline",
    "found_by": "luo_file_ser.data",
    "carrier": "string",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "memfd handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        compatible="memfd-v1",
        doc="a memfd without seals",
        source="include/linux/kho/abi/memfd.h at 32cb2729c956",
        since="6.19",
        until="7.0",
        root=Struct("memfd_luo_ser", _POS, _SIZE, _COUNT, _FOLIOS, packed=True),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="memfd-v2",
        replaces="memfd-v1",
        doc="a memfd with its seals",
        source="include/linux/kho/abi/memfd.h at 8a552d68a86e",
        since="7.1",
        root=memfd_luo_ser,
        **_COMMON,  # type: ignore[arg-type]
    ),
]

# Kernels with memfd-v1 make the file anew without MFD_ALLOW_SEALING: it comes back with the seal that every such file has, SEAL (1).
CONVERTERS = [Converter("memfd-v1", "memfd-v2", up={"seals": 1}, loses=("seals",))]
