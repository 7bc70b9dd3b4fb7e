# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""LUO before the merge: from one version number to sessions, mostly under the string ``luo-v1`` that the merged form took over.

Contract: the readers of the RFCs panic on whatever they do not find or know. What stands on KHO's entry ``LUO``:

::

    rfc1 (20 March 2025, on KHO v5): node liveupdate_orchestrator of KHO's own tree { version = { major u32 = 1, minor u32 = 0 }; }

    luo-v1 rfc2 (15 May 2025):     / { compatible; state = <u8>;                  2 = frozen
                                       file-descriptors { compatible = "file-descriptors-v1"; 0xTOKEN { compatible; data = <u64>; }; };
                                       subsystems { compatible = "subsystems-v1"; NAME = <u64>; }; }
    luo-v1 rfc3 (August 2025):     / { compatible; state = <u8>;                  3 = frozen
                                       subsystems { compatible = "subsystems-v1"; NAME = <u64>; }; }
                                   files are a subsystem: file-descriptors = <u64> leads to a tree of its own,
                                   file-descriptors { compatible = "file-descriptors-v1"; 0xTOKEN { compatible; data = <u64>; }; }

    luo-v1 head (v5, v6):          / { compatible; liveupdate-number; luo-session { "luo-session-v1"; luo-session-head = <u64>; }; }
    luo-v1 head-flb:               the same with luo-flb { "luo-flb-v1"; luo-flb-head = <u64>; };
                                   --> | pgcnt | count | luo_session_ser[] |     | name[64] | files --> luo_file_ser[] | pgcnt | count |
                                   --> | pgcnt | count | luo_flb_ser[] |

    luo-v1 session-v1:             the merge's own first step: luo-session-header --> | count | { name[64] }[] |

The u64 under ``data`` is big-endian zero when it is first written and native from then on. Inside the merge a step before session-v1 has
only ``liveupdate-number``; a posting has ``luo_file_ser.data`` as ``serialized_data`` under ``luo-v5``, same bytes: both left out.
"""

from devstate.schema import (
    PAGE_SIZE,
    U8,
    U32,
    U64,
    About,
    Chars,
    Const,
    Contiguous,
    Counted,
    Enum,
    FlexArray,
    Handle,
    Node,
    Phys,
    Property,
    Reaction,
    Schema,
    Struct,
    prop,
    this,
)
from devstate_schemas.kho.luo import SESSION_PAGES, luo_file_ser, luo_flb_ser

_PGCNT = About("pages of this area", unit="pages")
_NAME = "name" / Chars(64) * "name given by the user"


# rfc1, rfc2, rfc3

_version = Struct("luo_kho_version_prop", "major" / Const(U32, 1), "minor" / U32 * "the reader's own or an older one")

_file = Node(
    "*",
    prop("data", Handle(by=this.compatible), "the handler's own handle"),
    optional=True,
    doc="one file, named by its token in hex; compatible is the handler's string",
)
_files = Node("file-descriptors", compatible="file-descriptors-v1", children=(_file,), doc="the preserved files")
_subsystems = Node(
    "subsystems",
    prop("*", Handle(by="$name"), About("the subsystem's own handle, named by the subsystem", optional=True)),
    compatible="subsystems-v1",
    doc="the subsystems",
)


def _rfc(states: dict[str, int], *children: Node) -> Node:
    state = prop("state", Enum(U8, **states), "the reader takes frozen only; the writing kernel keeps it current")
    return Node("", state, compatible="luo-v1", children=children)


# v5 to v7

luo_session_ser = Struct(
    "luo_session_ser",
    _NAME,
    "files" / Phys(Contiguous(luo_file_ser, this.count)) * "0 when the session has no file",
    "pgcnt" / U64 * About("pages of the files' area", unit="pages"),
    "count" / U64 * "files in all",
    packed=True,
    doc="one session",
)


def _head(name: str, entries: str, entry: Struct, doc: str) -> Struct:
    return Struct(name, "pgcnt" / U64 * _PGCNT, "count" / U64 * doc, entries / FlexArray(entry, this.count), packed=True)


# pgcnt says how large an area is; its first page is there for certain
_sessions = Counted(_head("luo_session_head_ser", "sessions", luo_session_ser, "sessions in this area"), PAGE_SIZE)
_flbs = Counted(_head("luo_flb_head_ser", "flbs", luo_flb_ser, "objects in this area"), PAGE_SIZE)

_session_node = Node("luo-session", prop("luo-session-head", Phys(_sessions)), compatible="luo-session-v1", doc="the sessions")
_flb_node = Node("luo-flb", prop("luo-flb-head", Phys(_flbs)), compatible="luo-flb-v1", doc="the FLBs")


# the merge's first step

_session_v1 = Struct("luo_session_ser", _NAME, packed=True, doc="one session: files came one step later")
_header_v1 = Struct(
    "luo_session_header_ser", "count" / U64 * "sessions in this area", "sessions" / FlexArray(_session_v1, this.count), packed=True
)


def _numbered(*children: Node) -> Node:
    number: Property = prop("liveupdate-number", U64, "live updates since the last cold boot")
    return Node("", number, compatible="luo-v1", children=children)


_COMMON = {
    "status": "posted",
    "found_by": "KHO subtree LUO",
    "carrier": "fdt",
    "on_mismatch": Reaction.PANIC,
    "owner": "LUO",
    "freed": "finish",
}

SCHEMAS = [
    Schema(
        name="luo-rfc1",
        doc="a version in KHO's own tree; nothing else of LUO",
        source="drivers/misc/liveupdate.c of RFC v1 (20 March 2025)",
        root=Node("liveupdate_orchestrator", prop("version", _version, "another major, or a larger minor, panics")),
        status="posted",
        found_by="node liveupdate_orchestrator of KHO's tree (KHO v5)",
        carrier="field:version",
        on_mismatch=Reaction.PANIC,
        owner="LUO",
        freed="never",
    ),
    Schema(
        compatible="luo-v1",
        variant="rfc2",
        doc="state, files and subsystems in one tree of 2 MiB",
        source="drivers/misc/liveupdate of RFC v2 (15 May 2025)",
        root=_rfc({"NORMAL": 0, "PREPARED": 1, "FROZEN": 2, "UPDATED": 3}, _files, _subsystems),
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        compatible="luo-v1",
        variant="rfc3",
        doc="state and subsystems; the files are a subsystem with a tree of its own",
        source="kernel/liveupdate of v3 (August 2025)",
        root=_rfc({"UNDEFINED": 0, "NORMAL": 1, "PREPARED": 2, "FROZEN": 3, "UPDATED": 4}, _subsystems),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="file-descriptors-v1",
        doc="the tree of preserved files, whose root node is called file-descriptors",
        source="kernel/liveupdate/luo_files.c of v3 (August 2025)",
        root=_files,
        status="posted",
        found_by="property file-descriptors of /subsystems",
        carrier="fdt",
        on_mismatch=Reaction.PANIC,
        owner="LUO",
        freed="finish",
    ),
    Schema(
        compatible="luo-v1",
        variant="head",
        doc="sessions in an area that says its own size",
        source="include/linux/liveupdate/abi/luo.h as posted (v5, v6, autumn 2025)",
        root=_numbered(_session_node),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v1",
        variant="head-flb",
        doc="the same with FLBs",
        source="include/linux/liveupdate/abi/luo.h as posted (autumn 2025)",
        root=_numbered(_session_node, _flb_node),
        **_COMMON,  # type: ignore[arg-type]
    ),
    Schema(
        compatible="luo-v1",
        variant="session-v1",
        doc="sessions without files. Only between commits of 6.19",
        source="include/linux/kho/abi/luo.h at 0153094d03df",
        root=_numbered(
            Node(
                "luo-session",
                prop("luo-session-header", Phys(Counted(_header_v1, SESSION_PAGES * PAGE_SIZE))),
                compatible="luo-session-v1",
                doc="the sessions",
            )
        ),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
