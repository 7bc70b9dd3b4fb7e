# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kho_xarray: a map from keys to u64 values, kept in pages that stay where they are.

Contract: none yet (include/linux/kho/abi/xarray.h says that its documentation is to be written); a branch only.

::

    kho_xarray.root --> node page: PAGE_SIZE / 8 addresses --> ... --> leaf page: PAGE_SIZE / 8 values
    a key has 54 bits, each level takes log2(PAGE_SIZE / 8) of them: 6 levels on 4K pages, 5 on 16K and 64K
"""

from devstate.schema import PAGE_SIZE, U64, About, Array, Phys, Schema, Struct, Tree

KEY_WIDTH = 54
"""KHO_XARRAY_KEY_WDITH, as the header spells it."""

_node = Struct("kho_xarray_node", "table" / Array(PAGE_SIZE // 8, U64) * About("nodes or leaves one level down, 0 absent", hint="pa"))
_leaf = Struct("kho_xarray_leaf", "values" / Array(PAGE_SIZE // 8, U64) * "values; 0 is absent")

SCHEMAS = [
    Schema(
        name="kho-xarray",
        doc="a map from 54-bit keys to u64 values",
        source="include/linux/kho/abi/xarray.h in a branch (2026)",
        status="posted",
        root=Struct("kho_xarray", "root" / Phys(Tree(key_width=KEY_WIDTH)) * "top node"),
        carrier="umbrella",
        owner="the client of the map",
        freed="restore",
        also=(_node, _leaf),
    )
]
