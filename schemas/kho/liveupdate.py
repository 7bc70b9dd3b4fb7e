# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""/dev/liveupdate: the ioctl arguments (include/uapi/linux/liveupdate.h).

ioctl type 0xBA, all ``_IO``; the first u32 of each struct is its size, so structs may grow: an older kernel refuses an unknown
non-zero tail with E2BIG.

::

    on the device:   CREATE_SESSION 0x00, RETRIEVE_SESSION 0x01        | size | fd | name[64] |
    on a session:    PRESERVE_FD 0x40, RETRIEVE_FD 0x41                | size | fd | token |
                     FINISH 0x42                                       | size | reserved |
                     GET_NAME 0x43 (7.2)                               | size | reserved | name[64] |
"""

from devstate.schema import S32, U32, U64, About, Chars, MustBeZero, Reaction, Schema, Struct

_SIZE = "size" / U32 * About("bytes of this struct, as the caller knows it", unit="bytes")
_FD_OUT = "fd" / S32 * "out: file descriptor of the session"
_NAME = "name" / Chars(64) * "session name, 1 to 63 characters"


def _ioctl(name: str, number: int, since: str, *fields: object) -> Schema:
    return Schema(
        name=name.replace("_", "-"),
        doc=f"argument of ioctl 0xBA {number:#04x}",
        source="include/uapi/linux/liveupdate.h",
        status="mainline",
        since=since,
        root=Struct(name, _SIZE, *fields),  # type: ignore[arg-type]  # fields
        carrier="field:size",
        on_mismatch=Reaction.ACCEPTED,
        owner="caller",
        freed="never",
        limits={"ioctl_type": 0xBA, "ioctl_number": number},
    )


SCHEMAS = [
    _ioctl("liveupdate_ioctl_create_session", 0x00, "6.19", _FD_OUT, _NAME),
    _ioctl("liveupdate_ioctl_retrieve_session", 0x01, "6.19", _FD_OUT, _NAME),
    _ioctl("liveupdate_session_preserve_fd", 0x40, "6.19", "fd" / S32 * "file to preserve", "token" / U64 * "number to find it by"),
    _ioctl("liveupdate_session_retrieve_fd", 0x41, "6.19", "fd" / S32 * "out: the retrieved file", "token" / U64 * "number it was given"),
    _ioctl("liveupdate_session_finish", 0x42, "6.19", "reserved" / MustBeZero(U32)),
    _ioctl("liveupdate_session_get_name", 0x43, "7.2", "reserved" / MustBeZero(U32), "name" / Chars(64) * "out: the session's name"),
]
