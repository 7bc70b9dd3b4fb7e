# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""CRC-32C of data in the cache (1 MiB) and in memory (256 MiB), against the crc32c package and zlib's (other) CRC-32."""

from __future__ import annotations

import os
import zlib

import crc32c

from bench.row import Row, at_least
from bench.timing import interleave
from devstate.pagetable import native

MIB = 1 << 20


def run() -> list[Row]:
    """Gigabytes a second, and how many times the package's speed."""
    rows = []
    for label, size, repeat in (("1 MiB in the cache", MIB, 64), ("256 MiB in memory", 256 * MIB, 1)):
        data = os.urandom(MIB) * (size // MIB)
        seconds = interleave(
            {
                "ours": lambda data=data, repeat=repeat: [native.crc32c(data) for _ in range(repeat)],
                "package": lambda data=data, repeat=repeat: [crc32c.crc32c(data) for _ in range(repeat)],
                "zlib": lambda data=data: zlib.crc32(data),
            }
        )
        rows.append(at_least(f"crc32c, {label}", size * repeat / seconds["ours"] / 1e9, "GB/s"))
        rows.append(at_least(f"crc32c, {label}, to the package", seconds["package"] / seconds["ours"], "x"))
        rows.append(at_least(f"crc32c, {label}, to zlib.crc32", seconds["zlib"] * repeat / seconds["ours"], "x"))
    return rows
