# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How the running kernel was told of the handover that it took in, as far as sysfs and procfs still show it.

::

    x86           /sys/kernel/boot_params/setup_data/N/{type, data}     type "0xa", data is struct kho_data
    devicetree    /sys/firmware/devicetree/base (or where it is linked to, /proc/device-tree), below chosen/
                      linux,kho-fdt                                 <address size> in the root's #address-cells and #size-cells,
                      linux,kho-scratch, since 7.4 linux,kho-bootmem    32-bit big-endian; the reader takes no other length

Sources: arch/x86/kernel/ksysfs.c, arch/x86/include/uapi/asm/setup_data.h, drivers/of/fdt.c, drivers/of/kexec.c.
"""

from __future__ import annotations

import os

from devstate.codec.decode import decode
from devstate.errors import DecodeError
from devstate.frozen import frozen
from devstate.layout.model import PAGE_SIZES, Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from devstate.layout.registry import Registry

SETUP_KEXEC_KHO = 10
"""Type of the setup_data node."""

SETUP_DATA_MAX = 1024
"""Nodes of the setup_data list that are looked at: firmware and boot loaders add a handful."""

FILE_MAX = 4096
"""Bytes of one file that are read: the longest that is wanted has 32."""

SCRATCH_PROPERTIES = ("linux,kho-bootmem", "linux,kho-scratch")


@frozen
class Carrier:
    """What the kernel was given: the root FDT and the scratch array, (address, bytes) each. ``path`` is where that was read.

    ``scratch_pa`` is None where only the root is named: a kernel up to 7.3 and one from 7.4 on do not know each other's property.
    """

    path: str
    fdt_pa: int
    fdt_size: int
    scratch_pa: int | None
    scratch_size: int | None


def read_carrier(sys: str, proc: str, registry: Registry, byte_order: Literal["little", "big"]) -> Carrier | None:
    """The carrier under the directories that stand for /sys and /proc; None when there is none, or none that can be read."""
    trees = (os.path.join(sys, "firmware/devicetree/base"), os.path.join(proc, "device-tree"))
    found = _setup_data(os.path.join(sys, "kernel/boot_params/setup_data"), registry, byte_order)
    return found or _chosen(trees[0]) or _chosen(trees[1])


def _setup_data(directory: str, registry: Registry, byte_order: Literal["little", "big"]) -> Carrier | None:
    try:
        nodes = sorted(os.listdir(directory))[:SETUP_DATA_MAX]
    except OSError:
        return None
    names = registry.found_by(f"setup_data type {SETUP_KEXEC_KHO}")
    for node in nodes if names else ():
        path = os.path.join(directory, node)
        if _number(read_file(os.path.join(path, "type"))) != SETUP_KEXEC_KHO:
            continue
        layout = registry.layout(names[0], Environment(PAGE_SIZES[0], byte_order))
        try:
            record = decode(layout, memoryview(read_file(os.path.join(path, "data")) or b""), source=path)
        except DecodeError:
            continue
        return Carrier(path, *record[:4])
    return None


def _chosen(tree: str) -> Carrier | None:
    cells = [_be(read_file(os.path.join(tree, f"#{what}-cells"))) for what in ("address", "size")]
    if not all(1 <= count <= 2 for count in cells):
        return None
    path = os.path.join(tree, "chosen/linux,kho-fdt")
    root = _pair(read_file(path), cells)
    if root is None:
        return None
    scratch = next((pair for name in SCRATCH_PROPERTIES if (pair := _pair(read_file(os.path.join(tree, "chosen", name)), cells))), None)
    return Carrier(path, *root, *(scratch or (None, None)))


def _pair(data: bytes | None, cells: list[int]) -> tuple[int, int] | None:
    """(address, size) of a property; None when it is absent or has another length, as the kernel sees it."""
    if data is None or len(data) != sum(cells) * 4:
        return None
    return _be(data[: cells[0] * 4]), _be(data[cells[0] * 4 :])


def _be(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "big")


def _number(text: bytes | None) -> int | None:
    try:
        return int((text or b"").strip()[:20], 0)
    except ValueError:
        return None


def read_file(path: str, limit: int = FILE_MAX) -> bytes | None:
    """At most ``limit`` bytes of a file; None when it cannot be read. Never waits for a pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        pieces, left = [], limit
        while left and (piece := os.read(fd, left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(fd)
