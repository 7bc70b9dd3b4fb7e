# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO: sessions, the files in them, and the objects that live as long as files do (FLBs).

Contract (include/linux/kho/abi/luo.h): any change means a new string; a kernel that finds another string, a blob that is too
short or a corrupt chain panics in an early initcall. An unknown handler string of a file makes every open of /dev/liveupdate fail.

::

    luo-v1 (6.19..7.1), v2: devicetree                    luo-v3..v5 (7.2): the KHO blob is luo_ser itself
    / { compatible; liveupdate-number;                    | compatible char[8] | liveupdate_num | sessions_pa | flbs_pa |
        luo-session { luo-session-header --> area };                                                   |            |
        luo-flb { luo-flb-header --> page }; };   (7.0)                                                |            |
                                                                                                       v            v
    v1..v3: area of 16 pages {count, luo_session_ser[]}   v4, v5: kho_block chain of luo_session_ser   page {pgcnt, count, luo_flb_ser[]}
    v1..v4: luo_session_ser.files --> 2 pages of luo_file_ser[]       v5: kho_block chain of luo_file_ser
"""

from devstate.schema import (
    PAGE_SIZE,
    U64,
    About,
    BlockChain,
    Chars,
    Contiguous,
    Converter,
    Counted,
    FlexArray,
    Handle,
    Node,
    Phys,
    Reaction,
    Schema,
    Struct,
    prop,
    this,
)
from devstate_schemas.kho.block import BLOCKS_MAX, kho_block_header_ser

SESSION_PAGES = 16
FILE_PAGES = 2
"""Pages of the contiguous areas of luo-v1..v3 (sessions) and v1..v4 (files of a session)."""

luo_file_ser = Struct(
    "luo_file_ser",
    "compatible" / Chars(48) * "handler string, such as memfd-v2",
    "data" / Handle(by=this.compatible) * About("the handler's own handle, usually a physical address", phase="preserve"),
    "token" / U64 * "user's number of the file, unique in its session",
    packed=True,
    doc="one preserved file",
)


def _session(files: object) -> Struct:
    file_set = Struct(
        "luo_file_set_ser",
        "files" / Phys(files) * "0 when the session has no file",  # type: ignore[arg-type]  # a Target
        "count" / U64 * "files in all",
        packed=True,
    )
    return Struct(
        "luo_session_ser",
        "name" / Chars(64) * "name given by the user",
        "file_set_ser" / file_set,
        packed=True,
        doc="one session",
    )


_FILE_ARRAY = Contiguous(luo_file_ser, this.count, FILE_PAGES * PAGE_SIZE)
_FILE_CHAIN = BlockChain(luo_file_ser, this.count)
_session_with_array = _session(_FILE_ARRAY)
luo_session_ser = _session(_FILE_CHAIN)


def _session_area(session: Struct) -> Struct:
    return Struct(
        "luo_session_header_ser", "count" / U64 * "sessions in this area", "sessions" / FlexArray(session, this.count), packed=True
    )


luo_flb_ser = Struct(
    "luo_flb_ser",
    "name" / Chars(48) * "string of the object",
    "data" / Handle(by=this.name) * "the object's own handle",
    "count" / U64 * About("preserved files that depend on it", minimum=1),
    packed=True,
    doc="one file-lifecycle-bound object",
)

luo_flb_header_ser = Struct(
    "luo_flb_header_ser",
    "pgcnt" / U64 * About("pages of this area", unit="pages"),
    "count" / U64 * "objects in this area",
    "flbs" / FlexArray(luo_flb_ser, this.count),
    packed=True,
)

_FLBS = "flbs_pa" / Phys(Counted(luo_flb_header_ser, PAGE_SIZE)) * "the page exists even when there is no object"
_NUM = "liveupdate_num" / U64 * "live updates since the last cold boot"


def luo_ser(sessions: object, *first: object) -> Struct:
    """The top struct, for sessions that stand as the target says; ``first`` are the fields before the counter."""
    return Struct("luo_ser", *first, _NUM, "sessions_pa" / Phys(sessions) * "0 when there is no session", _FLBS, packed=True)  # type: ignore[arg-type]


_AREA = Counted(_session_area(_session_with_array), SESSION_PAGES * PAGE_SIZE)
_COMPATIBLE = "compatible" / Chars(8) * "the field is as long as the string needs, rounded up to 8: a longer string moves what follows"

_AREA_LIMITS = {"sessions": (SESSION_PAGES * PAGE_SIZE - 8) // 80, "files": FILE_PAGES * PAGE_SIZE // 64, "flbs": (PAGE_SIZE - 16) // 64}
_COMMON = {
    "status": "mainline",
    "found_by": "KHO subtree LUO",
    "on_mismatch": Reaction.PANIC,
    "owner": "LUO",
    "freed": "finish",
}

_session_node = Node(
    "luo-session",
    prop("luo-session-header", Phys(_AREA)),
    compatible="luo-session-v2",
    doc="the sessions",
)
_flb_node = Node("luo-flb", prop("luo-flb-header", Phys(Counted(luo_flb_header_ser, PAGE_SIZE))), compatible="luo-flb-v1", doc="the FLBs")


def _v1(*children: Node) -> Node:
    return Node("", prop("liveupdate-number", U64, "live updates since the last cold boot"), compatible="luo-v1", children=children)


SCHEMAS = [
    Schema(
        compatible="luo-v1",
        variant="6.19",
        doc="LUO devicetree without FLBs",
        source="include/linux/kho/abi/luo.h at cc4adab164b7",
        since="6.19",
        until="6.19",
        root=_v1(_session_node),
        carrier="fdt",
        limits=_AREA_LIMITS,
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="luo-v1",
        doc="LUO devicetree with a mandatory luo-flb node (cab056f2aae7 added it, the string stayed)",
        source="include/linux/kho/abi/luo.h at cab056f2aae7",
        since="7.0",
        until="7.1",
        root=_v1(_session_node, _flb_node),
        carrier="fdt",
        limits=_AREA_LIMITS,
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v2",
        replaces="luo-v1",
        doc="LUO devicetree that only leads to luo_ser. Only between commits of 7.2",
        source="include/linux/kho/abi/luo.h at d376e4b55c9a",
        since="7.2-rc1",
        until="7.2-rc1",
        root=Node(
            "",
            prop("luo-abi-header", Phys(luo_ser(Counted(_session_area(_session_with_array), SESSION_PAGES * PAGE_SIZE)))),
            compatible="luo-v2",
        ),
        carrier="fdt",
        limits=_AREA_LIMITS,
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v3",
        replaces="luo-v2",
        doc="luo_ser as the KHO blob itself. Only between commits of 7.2",
        source="include/linux/kho/abi/luo.h at cf071b3536df",
        since="7.2-rc1",
        until="7.2-rc1",
        root=luo_ser(_AREA, _COMPATIBLE),
        carrier="field:compatible",
        limits=_AREA_LIMITS,
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v4",
        replaces="luo-v3",
        doc="sessions in a chain of blocks. Only between commits of 7.2",
        source="include/linux/kho/abi/luo.h at 2a441a14c2c0",
        since="7.2-rc1",
        until="7.2-rc1",
        root=luo_ser(BlockChain(_session_with_array), _COMPATIBLE),
        carrier="field:compatible",
        also=(kho_block_header_ser,),
        limits={"blocks": BLOCKS_MAX, "files": FILE_PAGES * PAGE_SIZE // 64, "flbs": (PAGE_SIZE - 16) // 64},
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v5",
        replaces="luo-v4",
        doc="sessions and files in chains of blocks",
        source="include/linux/kho/abi/luo.h at 1d1153097f4d",
        since="7.2",
        root=luo_ser(BlockChain(luo_session_ser), _COMPATIBLE),
        carrier="field:compatible",
        also=(kho_block_header_ser,),
        limits={"blocks": BLOCKS_MAX, "flbs": (PAGE_SIZE - 16) // 64},
        **_COMMON,  # type: ignore[arg-type]
    ),
]

CONVERTERS = [
    Converter("luo-v1@6.19", "luo-v1", loses=("flbs",)),
    Converter("luo-v1", "luo-v2"),
    Converter("luo-v2", "luo-v3"),
    Converter("luo-v3", "luo-v4"),
    Converter("luo-v4", "luo-v5"),
]
