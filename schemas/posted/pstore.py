# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""pstore: the last kernel log of the old kernel, for the new one to show.

Contract (include/linux/kho/abi/pstore.h): the reader compares ``version`` with 1 and drops the record otherwise. The earlier form was
a devicetree with its own string that led to the record.

::

    pstore-kho, the KHO blob: | version u32 | 4 bytes hole | record @8 |
    pstore_kho_record, 40:    | size s64 | time_sec s64 | time_nsec u32 @16 | count s32 | reason u32 | part u32 | compressed u32 | buf[] @36
                              sizeof is 40, so the text starts inside the tail padding

    pstore-kho-v1: / { compatible; pstore_kho_record = <u64>; }  -->
    pstore_kho_record, 40:    | size s64 | time {s64, s64} @8 | count s32 @24 | reason u32 | part u32 | compressed u8 @36 | buf[] @37
"""

from devstate.schema import S32, S64, U8, U32, About, Const, Enum, FlexArray, Node, Phys, Reaction, Schema, Struct, prop, this

_SIZE = "size" / S64 * About("bytes of buf, 0: no record", unit="bytes", minimum=0)
_COUNT = "count" / S32 * "which oops since boot"
_REASON = "reason" / Enum(U32, UNDEF=0, PANIC=1, OOPS=2, EMERG=3, SHUTDOWN=4) * "enum kmsg_dump_reason"
_PART = "part" / U32 * "which part of a log that was split"
_TEXT = "buf" / FlexArray(U8, this.size) * "the log, compressed or not"

_record = Struct(
    "pstore_kho_record",
    _SIZE,
    "time_sec" / S64 * About("when it was written", unit="s"),
    "time_nsec" / U32 * About("and the rest of it", unit="ns"),
    _COUNT,
    _REASON,
    _PART,
    "compressed" / U32 * "not 0: buf is compressed",
    _TEXT,
    doc="one kernel log",
)

# struct timespec64 of a 64-bit kernel, and bool: types of the kernel itself, which a record for another kernel should not have
_timespec = Struct("timespec64", "tv_sec" / S64 * About("seconds", unit="s"), "tv_nsec" / S64 * About("nanoseconds", unit="ns"))

_record_of_tree = Struct(
    "pstore_kho_record",
    _SIZE,
    "time" / _timespec * "when it was written",
    _COUNT,
    _REASON,
    _PART,
    "compressed" / U8 * About("bool: buf is compressed", maximum=1),
    _TEXT,
    doc="one kernel log",
)

_COMMON = {
    "status": "posted",
    "found_by": "KHO subtree pstore-kho",
    "on_mismatch": Reaction.ACCEPTED,
    "owner": "pstore",
    "freed": "restore",
}

SCHEMAS = [
    Schema(
        compatible="pstore-kho-v1",
        doc="devicetree that leads to the last kernel log",
        source="fs/pstore in a branch (2025)",
        root=Node("", prop("pstore_kho_record", Phys(_record_of_tree)), compatible="pstore-kho-v1"),
        carrier="fdt",
        **_COMMON,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
    ),
    Schema(
        name="pstore-kho",
        replaces="pstore-kho-v1",
        doc="the last kernel log",
        source="include/linux/kho/abi/pstore.h as posted",
        root=Struct("pstore_ser", "version" / Const(U32, 1), "record" / _record),
        carrier="field:version",
        version=("version", 1),
        **_COMMON,  # type: ignore[arg-type]
    ),
]
