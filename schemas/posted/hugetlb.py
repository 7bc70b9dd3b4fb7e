# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""hugetlb: memfds of huge pages, and how many huge pages of each size they hold.

Contract (include/linux/kho/abi/hugetlb.h): any change of a struct means a new number in its string. The FLB is read early at boot, so
that fewer huge pages are allocated afresh; the files are read when they are retrieved.

::

    hugetlb-v1 (FLB), 37 bytes:     | { nr_pages u64 | order u8 } x 4 | nr_hstates u8 @36 |
    huge-memfd-v1 (file), 41 bytes: | size | pos | nr_folios | folios: kho_vmalloc @24 | order u8 @40 |
                                                                   +--> { pfn:52 | reserved:12 | index }[nr_folios]

Branches before the posting have wider integers under ``hugetlb`` and ``hugetlb-v1``: work in progress, left out.
"""

from devstate.schema import U8, U64, About, Array, Bits, Reaction, Schema, Struct, this
from devstate_schemas.kho.kexec_handover import vmalloc_array

HSTATES = 4
"""HUGETLB_SER_MAX_HSTATES: sizes of huge pages that there is room for."""

_ORDER = About("page order of a huge page", maximum=63)

_hstate = Struct(
    "hugetlb_hstate_ser",
    "nr_pages" / U64 * "preserved huge pages of this size",
    "order" / U8 * _ORDER,
    packed=True,
    doc="one size of huge pages",
)

_folio = Struct(
    "hugemfd_folio_ser",
    "pfn" / Bits(U64, 52) * About("page frame number", hint="pfn"),
    "reserved" / Bits(U64, 12) * "no meaning yet",
    "index" / U64 * About("offset in the file", unit="pages"),
    packed=True,
    doc="one huge page of the file",
)

SCHEMAS = [
    Schema(
        compatible="hugetlb-v1",
        doc="preserved huge pages by size",
        source="include/linux/kho/abi/hugetlb.h as posted (December 2025)",
        status="posted",
        root=Struct(
            "hugetlb_ser",
            "hstates" / Array(HSTATES, _hstate),
            "nr_hstates" / U8 * About("sizes in use", maximum=HSTATES),
            packed=True,
        ),
        found_by="luo_flb_ser.data",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
        owner="hugetlb",
        freed="finish",
    ),
    Schema(
        compatible="huge-memfd-v1",
        doc="a memfd of huge pages",
        source="include/linux/kho/abi/hugetlb.h as posted (December 2025)",
        status="posted",
        root=Struct(
            "hugemfd_ser",
            "size" / U64 * About("size of the file", unit="bytes", hint="bytes"),
            "pos" / U64 * About("file position", unit="bytes"),
            "nr_folios" / U64 * "huge pages that the file has",
            "folios" / vmalloc_array(_folio, this.nr_folios),
            "order" / U8 * _ORDER,
            packed=True,
        ),
        found_by="luo_file_ser.data",
        carrier="string",
        on_mismatch=Reaction.OPEN_FAILS,
        owner="hugetlb memfd handler",
        freed="finish",
    ),
]
