# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Feature flags: what a writer knows, demands and uses, in place of a version, for LUO and memfd (RFC of 2026-09-03).

Contract (include/linux/kho/abi/luo.h of the branch): structs only grow; a reader goes on when it knows every feature in ``req``. No
string stands in luo_ser any more, and a memfd's handler string is just ``memfd``.

::

    luo_feature_hdr, 128 bytes:  | supp u64 | req u64 | active u64 | reserved u64[13] |
    luo_ser, 152:                | features | liveupdate_num @128 | sessions_pa @136 | flbs_pa @144 |
    memfd_luo_ser, 176:          | features | pos @128 | size | seals u32 @144 | flags u32 | nr_folios @152 | folios: kho_vmalloc @160 |

Read in a branch; that the posted RFC has these very bytes is likely, not checked. What a reader does that lacks a required feature was
not read: it is taken to be what it does on a wrong version.
"""

from devstate.schema import U64, Array, BlockChain, Converter, Flags, Reaction, Schema, Struct, this
from devstate_schemas.kho.block import BLOCKS_MAX, kho_block_header_ser
from devstate_schemas.kho.luo import luo_ser, luo_session_ser
from devstate_schemas.kho.memfd import memfd_luo_ser


def _features(**bits: int) -> Struct:
    return Struct(
        "luo_feature_hdr",
        "supp" / Flags(U64, **bits) * "features that the writer knows",
        "req" / Flags(U64, **bits) * "features without which a reader must refuse",
        "active" / Flags(U64, **bits) * "features that this state uses",
        "reserved" / Array(13, U64) * "0",
        packed=True,
        doc="what the writer knows, demands and uses",
    )


SCHEMAS = [
    Schema(
        name="luo-features",
        replaces="luo-v5",
        doc="LUO behind feature flags",
        source="include/linux/kho/abi/luo.h at 29a751073843",
        status="posted",
        root=luo_ser(BlockChain(luo_session_ser), "features" / _features(NUMBER=0, SESSIONS=1, FLBS=2)),
        found_by="KHO subtree LUO",
        carrier="field:features",
        on_mismatch=Reaction.PANIC,
        owner="LUO",
        freed="finish",
        also=(kho_block_header_ser,),
        limits={"blocks": BLOCKS_MAX},
    ),
    Schema(
        compatible="memfd",
        replaces="memfd-v2",
        doc="a memfd behind feature flags",
        source="include/linux/kho/abi/memfd.h at c30cc99c09e5",
        status="posted",
        root=Struct("memfd_luo_ser", "features" / _features(SEALS=0, FOLIOS=1), *memfd_luo_ser.fields, packed=True),
        found_by="luo_file_ser.data",
        carrier="field:features",
        on_mismatch=Reaction.OPEN_FAILS,
        owner="memfd handler",
        freed="finish",
    ),
]

# What the string said must be known of the old form, so all that the state uses is demanded.
CONVERTERS = [
    Converter("luo-v5", "luo-features", up={"features": {"supp": 7, "req": 7, "active": 7, "reserved": [0] * 13}}, loses=("features",)),
    Converter(
        "memfd-v2",
        "memfd",
        up={"features": {"supp": 3, "req": (this.seals != 0) | 2, "active": (this.seals != 0) | 2, "reserved": [0] * 13}},
        loses=("features",),
    ),
]
