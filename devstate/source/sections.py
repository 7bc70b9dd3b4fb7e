# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Versions that a build says of itself, in sections of its ELF file; integers in the order of the machine.

::

    .liveupdate_versions    magic 0x4c565550 u32@0   version 1 u32@4   char[48] @8, @56, ...   versions of file handlers, each with a NUL
    .devstate_manifest      magic 0x44565354 u32@0   version 1 u32@4   size u32@8   crc32c u32@12   a manifest as JSON @16

The first is the kernel's own, posted as an RFC ("liveupdate: list all file handler versions in vmlinux section", December 2025); the
second is what ``devstate manifest --c`` compiles to. Both may be in a vmlinux, a module or any object file.
"""

from __future__ import annotations

from struct import Struct

from devstate.errors import DecodeError, LimitError
from devstate.source.elf import has_section, section

VERSIONS, MANIFEST = ".liveupdate_versions", ".devstate_manifest"

VERSIONS_MAGIC = 0x4C565550
MANIFEST_MAGIC = 0x44565354
VERSION = 1
COMPATIBLE_SIZE = 48
"""LIVEUPDATE_HNDL_COMPAT_LENGTH."""

VERSIONS_MAX = 4096
"""Versions in the section: two hundred handlers with twenty versions each."""

MANIFEST_MAX = 16 << 20
"""Bytes of a manifest, as ``devstate manifest`` has it."""


def handler_versions(data: memoryview, source: str) -> tuple[str, ...] | None:
    """The versions that a build lists itself; None when it has no such section. DecodeError for a malformed one."""
    if not has_section(data, VERSIONS):
        return None
    content = section(data, VERSIONS)
    order = "<>"[data[5] - 1]
    if len(content) < 8 or (len(content) - 8) % COMPATIBLE_SIZE:
        wanted = f"8 bytes and {COMPATIBLE_SIZE} a version"
        raise DecodeError(f"{VERSIONS} is cut short", source=source, expected=wanted, found=len(content))
    magic, version = Struct(order + "II").unpack_from(content)
    if (magic, version) != (VERSIONS_MAGIC, VERSION):
        wanted = f"magic {VERSIONS_MAGIC:#x}, version {VERSION}"
        raise DecodeError(f"{VERSIONS} is unknown", source=source, expected=wanted, found=f"magic {magic:#x}, version {version}")
    count = (len(content) - 8) // COMPATIBLE_SIZE
    if count > VERSIONS_MAX:
        raise LimitError(f"{VERSIONS} is too long", source=source, expected=f"at most {VERSIONS_MAX} versions", found=count)
    found = []
    for at in range(8, len(content), COMPATIBLE_SIZE):
        text, nul, _ = bytes(content[at : at + COMPATIBLE_SIZE]).partition(b"\0")
        if not nul:
            raise DecodeError(f"a version in {VERSIONS} has no end", source=source, offset=at, expected="a NUL")
        if text:
            found.append(text.decode("ascii", "backslashreplace"))
    return tuple(found)


def manifest_bytes(data: memoryview, source: str) -> bytes | None:
    """The manifest that was compiled into a build; None when it has none. DecodeError when it is damaged."""
    if not has_section(data, MANIFEST):
        return None
    content = section(data, MANIFEST)
    head = Struct("<>"[data[5] - 1] + "4I")
    if len(content) < head.size:
        raise DecodeError(f"{MANIFEST} is cut short", source=source, expected=f"{head.size} bytes", found=len(content))
    magic, version, size, total = head.unpack_from(content)
    if (magic, version) != (MANIFEST_MAGIC, VERSION) or size > min(MANIFEST_MAX, len(content) - head.size):
        wanted = f"magic {MANIFEST_MAGIC:#x}, version {VERSION}, up to {len(content) - head.size} bytes"
        raise DecodeError(f"{MANIFEST} is malformed", source=source, expected=wanted, found=f"{magic:#x}, {version}, {size}")
    payload = bytes(content[head.size : head.size + size])
    import crc32c

    real = crc32c.crc32c(payload)
    if real != total:
        raise DecodeError(f"{MANIFEST} is damaged", source=source, expected=f"crc32c {total:#010x}", found=f"{real:#010x}")
    return payload
