# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The ioctls of ``/dev/liveupdate``, as one table: the client writes by it, the double reads by it.

::

    nr    on       struct, its first u32 is its size                                           bytes
    0x00  device   CREATE_SESSION       size u32, fd s32 (out), name u8[64]                       72
    0x01  device   RETRIEVE_SESSION     size u32, fd s32 (out), name u8[64]                       72
    0x40  session  SESSION_PRESERVE_FD  size u32, fd s32, token u64                               16
    0x41  session  SESSION_RETRIEVE_FD  size u32, fd s32 (out), token u64                         16
    0x42  session  SESSION_FINISH       size u32, reserved u32                                     8
    0x43  session  SESSION_GET_NAME     size u32, reserved u32, name u8[64] (out), since 7.2      72

Type 0xBA, direction none. A struct that is larger than the kernel's must be zero behind it (E2BIG), one that is smaller is EINVAL, as
is a number that a descriptor of its kind does not have, whatever the type; a known number with another type or direction is ENOTTY.
Source: include/uapi/linux/liveupdate.h, 6.19 to 7.3.
"""

from __future__ import annotations

from devstate.frozen import frozen

PATH = "/dev/liveupdate"
TYPE = 0xBA
NAME_SIZE = 64


@frozen
class Ioctl:
    """``form`` is the struct in the notation of ``struct``, native order; ``on`` says on which descriptor."""

    name: str
    nr: int
    on: str
    form: str
    size: int

    @property
    def request(self) -> int:
        """The number as ioctl(2) takes it."""
        return TYPE << 8 | self.nr


CREATE_SESSION = Ioctl("CREATE_SESSION", 0x00, "device", "=Ii64s", 72)
RETRIEVE_SESSION = Ioctl("RETRIEVE_SESSION", 0x01, "device", "=Ii64s", 72)
PRESERVE_FD = Ioctl("SESSION_PRESERVE_FD", 0x40, "session", "=IiQ", 16)
RETRIEVE_FD = Ioctl("SESSION_RETRIEVE_FD", 0x41, "session", "=IiQ", 16)
FINISH = Ioctl("SESSION_FINISH", 0x42, "session", "=II", 8)
GET_NAME = Ioctl("SESSION_GET_NAME", 0x43, "session", "=II64s", 72)

ALL = (CREATE_SESSION, RETRIEVE_SESSION, PRESERVE_FD, RETRIEVE_FD, FINISH, GET_NAME)
