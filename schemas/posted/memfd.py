# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""memfd before the merge: three forms under the string ``memfd-v1`` that the merged form took over as well.

Contract (include/linux/liveupdate/abi/memfd.h): any change means a new number in the string, which none of these steps made.

::

    inline:     luo "data" --> / { compatible = "memfd-v1"; pos; size; folios = { foliodesc u64 | index u64 }[]; }   one devicetree a file
    fdt:        data --> / { pos; size; nr_folios; folios = <struct kho_vmalloc>; }  --> pages of { foliodesc | index }[nr_folios]
    foliodesc:  data --> | pos | size | nr_folios | folios: kho_vmalloc @24 |        --> pages of { foliodesc | index }[nr_folios]

    foliodesc = pfn << 12 | flags        while the merged form has the pfn in bits 0..51 and the flags above it

An RFC of September 2025 keeps the descriptors in a kho_array, shifted by 11: its devicetree was not read, left out.
"""

from devstate.schema import U64, About, FlexArray, Node, Reaction, Schema, Struct, prop, this
from devstate_schemas.kho.kexec_handover import vmalloc_array

_DESC = "foliodesc" / U64 * About("pfn << 12 | flags; flags: bit 0 dirty, bit 1 uptodate", hint="hex")
_INDEX = "index" / U64 * About("offset in the file", unit="pages")
_POS = About("file position", unit="bytes")
_SIZE = About("size of the file", unit="bytes", hint="bytes")

_inline_folio = Struct("memfd_luo_preserved_folio", _DESC, _INDEX, doc="one folio of the file")
_fdt_folio = Struct("memfd_luo_folio_ser", _DESC, _INDEX, doc="one folio of the file")
_packed_folio = Struct("memfd_luo_folio_ser", _DESC, _INDEX, packed=True, doc="one folio of the file")

_COMMON = {
    "compatible": "memfd-v1",
    "status": "posted",
    "on_mismatch": Reaction.OPEN_FAILS,
    "owner": "memfd handler",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        variant="inline",
        doc="a devicetree with one descriptor a folio in a property; files of up to 1 GiB",
        source="mm/memfd_luo.c of the LUO RFCs (2025)",
        root=Node(
            "",
            prop("pos", U64, _POS),
            prop("size", U64, _SIZE),
            prop("folios", FlexArray(_inline_folio), About("absent when the file is empty", optional=True)),
            compatible="memfd-v1",
        ),
        found_by="property data of a file's node (see luo.py)",
        carrier="fdt",
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        variant="fdt",
        doc="a devicetree that leads to the folios by kho_vmalloc; its root has no string of its own",
        source="include/linux/liveupdate/abi/memfd.h as posted (autumn 2025)",
        root=Node(
            "",
            prop("pos", U64, _POS),
            prop("size", U64, _SIZE),
            prop("nr_folios", U64, About("folios that the file has; absent when it is empty", optional=True)),
            prop("folios", vmalloc_array(_fdt_folio, this.nr_folios), About("absent when the file is empty", optional=True)),
        ),
        found_by="luo_file_ser.data",
        carrier="string",
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        variant="foliodesc",
        doc="the merged struct, with pfn and flags of a folio the other way round",
        source="include/linux/liveupdate/abi/memfd.h as posted (autumn 2025)",
        root=Struct(
            "memfd_luo_ser",
            "pos" / U64 * _POS,
            "size" / U64 * _SIZE,
            "nr_folios" / U64 * "folios that the file has",
            "folios" / vmalloc_array(_packed_folio, this.nr_folios),
            packed=True,
        ),
        found_by="luo_file_ser.data",
        carrier="string",
        **_COMMON,  # type: ignore[arg-type]
    ),
]
