# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The reference implementations, asked through narrow functions: pylibfdt (libfdt itself) and dtc.

A test that needs one which is not installed is skipped, except in CI, where that would hide what was not tested.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from devstate.fdt import Fdt, Node

try:
    import libfdt
except ImportError:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip("pylibfdt is not installed", allow_module_level=True)


def accepts(blob: bytes) -> bool:
    """Whether libfdt's fdt_check_full accepts the blob. Nothing else of libfdt may see a blob for which this is false."""
    return bool(blob) and libfdt.fdt_check_full(bytearray(blob), len(blob)) == 0


def sequential(fdt: Fdt) -> bytes:
    """What libfdt's sequential writer makes of the tree. The buffer is large from the start: growing it has a NOSPACE bug."""
    writer = libfdt.FdtSw(1 << 20)
    for address, size in fdt.reserve_map:
        writer.add_reservemap_entry(address, size)
    writer.finish_reservemap()
    stack: list[Node | None] = [fdt.root]
    while stack:
        node = stack.pop()
        if node is None:
            writer.end_node()
            continue
        writer.begin_node(node.name)
        for name, value in node.properties.items():
            writer.property(name, value)
        stack.append(None)
        stack.extend(reversed(node.children))
    made = writer.as_fdt().as_bytearray()
    libfdt.fdt_set_boot_cpuid_phys(made, fdt.boot_cpu)
    return bytes(made[: libfdt.fdt_totalsize(made)])


def in_place(fdt: Fdt) -> bytes:
    """What the kernel's way to KHO's root makes of the tree: a sequential root, then subtrees added in place, oldest (last) first."""
    blob = bytearray(sequential(Fdt(Node("", fdt.root.properties), fdt.reserve_map, fdt.boot_cpu)))
    assert libfdt.fdt_pack(blob) == 0
    blob = blob[: libfdt.fdt_totalsize(blob)]
    stack = [("/", child) for child in fdt.root.children]
    while stack:
        parent, node = stack.pop()
        grown = bytearray(len(blob) + 64 + 2 * len(node.name) + sum(64 + 2 * len(k) + len(v) for k, v in node.properties.items()))
        assert libfdt.fdt_open_into(blob, grown, len(grown)) == 0
        at = libfdt.fdt_add_subnode(grown, libfdt.fdt_path_offset(grown, parent), node.name)
        assert at >= 0
        for name, value in reversed(list(node.properties.items())):
            assert libfdt.fdt_setprop(grown, at, name, value, len(value)) == 0
        assert libfdt.fdt_pack(grown) == 0
        blob = grown[: libfdt.fdt_totalsize(grown)]
        stack.extend((f"{parent.rstrip('/')}/{node.name}", child) for child in node.children)
    return bytes(blob)


def sorted_by_dtc(blob: bytes) -> bytes | None:
    """What ``dtc -s`` makes of the blob, None when it refuses."""
    dtc = shutil.which("dtc")
    if dtc is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have dtc")
        pytest.skip("dtc is not installed")
    done = subprocess.run([dtc, "-q", "-q", "-I", "dtb", "-O", "dtb", "-s"], input=blob, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def properties(blob: bytes) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """Every node's path and properties as pylibfdt walks them. Only for a blob that it accepts."""
    assert accepts(blob)
    tree = libfdt.Fdt(blob)
    found = []
    names: list[str] = []
    node, depth = 0, 0
    while node >= 0 and depth >= 0:
        names[depth:] = [tree.get_name(node)]
        items = []
        at = tree.first_property_offset(node, libfdt.QUIET_NOTFOUND)
        while at >= 0:
            item = tree.get_property_by_offset(at)
            items.append((item.name, bytes(item)))
            at = tree.next_property_offset(at, libfdt.QUIET_NOTFOUND)
        found.append(("/" + "/".join(names[1:]), items))
        node, depth = tree.next_node(node, depth, (libfdt.NOTFOUND,))
    return found
