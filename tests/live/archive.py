# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An initramfs: files in an archive of the form that the kernel unpacks (cpio, "newc", Documentation/driver-api/early-userspace)."""

from __future__ import annotations

MAGIC, END = "070701", "TRAILER!!!"
EXECUTABLE = 0o100755


def entry(name: str, data: bytes, mode: int, number: int) -> bytes:
    """One file: 13 numbers of eight hexadecimal digits, the name, the bytes; both filled up to four bytes."""
    path = name.encode() + b"\0"
    numbers = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = MAGIC.encode() + "".join(f"{each:08x}" for each in numbers).encode() + path
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(files: dict[str, bytes]) -> bytes:
    """All of them, executable, in the root directory."""
    entries = [entry(name, data, EXECUTABLE, number) for number, (name, data) in enumerate(files.items(), 1)]
    return b"".join([*entries, entry(END, b"", 0, 0)])
