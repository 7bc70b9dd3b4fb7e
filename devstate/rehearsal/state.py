# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What participants leave for the next kernel, as the blob of a KHO subtree of its own.

::

    0   magic "DSREHRS1"      8 bytes
    8   size u32 of the body, crc32c u32 of it
    16  body: a msgpack map, participant -> what it left

A subtree's blob has whole pages; what is behind the body is zero.
"""

from __future__ import annotations

import crc32c
import msgpack

from devstate.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "devstate-rehearsal"
"""Name of the subtree."""

MAGIC = b"DSREHRS1"
HEAD = 16
BODY_MAX = 16 << 20
"""Bytes of a body: some kilobytes for each of the devices that a rehearsal can have."""


def pack_state(state: dict[str, Any]) -> bytes:
    """The blob."""
    body: bytes = msgpack.packb(state)
    return MAGIC + len(body).to_bytes(4, "little") + crc32c.crc32c(body).to_bytes(4, "little") + body


def unpack_state(blob: memoryview | bytes, source: str) -> dict[str, Any]:
    """What was left. DecodeError for a blob that is not whole."""
    data = bytes(blob)
    size = int.from_bytes(data[8:12], "little")
    body = data[HEAD : HEAD + size]
    if data[:8] != MAGIC:
        raise DecodeError("no state of a rehearsal", source=source, expected=MAGIC.decode(), found=data[:8].hex(" "))
    if size > BODY_MAX or len(body) < size:
        raise DecodeError("the state ends too early", source=source, offset=8, expected=f"{size} bytes", found=f"{len(data) - HEAD}")
    if crc32c.crc32c(body) != int.from_bytes(data[12:16], "little"):
        raise DecodeError("the checksum of the state does not fit", source=source, offset=12)
    try:
        state = msgpack.unpackb(body, strict_map_key=False)  # devices are known by their numbers
    except (ValueError, msgpack.UnpackException) as error:
        raise DecodeError(f"the state is no msgpack: {error}", source=source, offset=HEAD) from error
    if not isinstance(state, dict):
        raise DecodeError("the state is no map", source=source, offset=HEAD)
    return state
