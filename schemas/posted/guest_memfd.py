# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""guest_memfd: the memory of a guest, bound to its VM's file by token.

Contract (include/linux/kho/abi/kvm.h): any change of a struct means a new number in the string.

::

    | size | flags | nr_folios | vm_token @24 | folios: kho_vmalloc @32 |      48 bytes
                                     |                 +--> { pfn:52 | flags:12 | index }[nr_folios]
                                     +--> the file of this session with this token, a kvm_vm_luo_v1
"""

from devstate.schema import U64, About, Bits, Flags, Reaction, Schema, Struct, Token, this
from devstate_schemas.kho.kexec_handover import vmalloc_array

_folio = Struct(
    "guest_memfd_luo_folio_ser",
    "pfn" / Bits(U64, 52) * About("page frame number", hint="pfn"),
    "flags" / Bits(U64, 12, UPTODATE=0),
    "index" / U64 * About("offset in the file", unit="pages"),
    packed=True,
    doc="one folio of the file",
)

SCHEMAS = [
    Schema(
        compatible="guest_memfd_luo_v1",
        doc="a guest_memfd",
        source="include/linux/kho/abi/kvm.h, RFC of 2026-06-05 and later",
        status="posted",
        root=Struct(
            "guest_memfd_luo_ser",
            "size" / U64 * About("size of the file", unit="bytes", hint="bytes"),
            "flags" / Flags(U64, MMAP=0, INIT_SHARED=1),
            "nr_folios" / U64 * "folios that the file has",
            "vm_token" / Token("kvm_vm_luo_v1") * "the VM that this memory belongs to",
            "folios" / vmalloc_array(_folio, this.nr_folios),
            packed=True,
        ),
        found_by="luo_file_ser.data",
        carrier="string",
        on_mismatch=Reaction.OPEN_FAILS,
        owner="guest_memfd handler",
        freed="finish",
    )
]
