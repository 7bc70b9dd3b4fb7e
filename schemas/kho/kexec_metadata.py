# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kexec-metadata: where this machine comes from (7.1 on).

Contract (include/linux/kho/abi/kexec_metadata.h): the reader checks blob >= 4 bytes, version == 1, blob >= 73 bytes, in this
order; each failure is a warning and the record is ignored.

::

    | version u32 @0 | previous_release char[65] @4 | kexec_count u32 @69 (unaligned) |      73 bytes
"""

from devstate.schema import U32, Chars, Const, Reaction, Schema, Struct

kho_kexec_metadata = Struct(
    "kho_kexec_metadata",
    "version" / Const(U32, 1) * "the only thing that may never move",
    "previous_release" / Chars(65) * "uname -r of the kernel that wrote this, __NEW_UTS_LEN + 1 bytes",
    "kexec_count" / U32 * "live updates since the last cold boot",
    packed=True,
)

SCHEMAS = [
    Schema(
        name="kexec-metadata",
        doc="release of the previous kernel and number of kexecs",
        source="include/linux/kho/abi/kexec_metadata.h",
        status="mainline",
        since="7.1",
        root=kho_kexec_metadata,
        found_by="KHO subtree kexec-metadata",
        carrier="field:version",
        version=("version", 1),
        on_mismatch=Reaction.ACCEPTED,
        owner="KHO",
        freed="never",
    )
]
