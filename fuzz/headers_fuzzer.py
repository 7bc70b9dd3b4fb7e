# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any text as a C header: sound layouts, or an error of ours with a place, within the compiler's limits."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from layouts_fuzzer import C, hold

from devstate.errors import DevstateError
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.source.opening import open_layouts

KERNEL = """/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ABI_CARD_H
#define _ABI_CARD_H
#include <linux/types.h>
#include <asm/page.h>
#define CARD_COMPATIBLE "card-v1"
#define CARD_ENTRIES (PAGE_SIZE / sizeof(struct card_entry_ser))
#define CARD_ENTRY_BUSY BIT(0)
/**
 * struct card_entry_ser - one entry
 * @pa: where it is
 * If this structure is modified, CARD_COMPATIBLE must be updated.
 */
struct card_entry_ser { u64 pa : 52, flags : 12; __be32 id; } __packed;
enum card_consts { CARD_DEPTH = DIV_ROUND_UP(64 - PAGE_SHIFT, 9) };
struct card_ser { char compatible[ALIGN(sizeof(CARD_COMPATIBLE), 8)]; union { u64 a; u32 b; }; u32 nr; DECLARE_BITMAP(map, 128);
struct card_entry_ser entries[] __counted_by(nr); } __packed;
#endif
"""


def one_input(data: bytes) -> None:
    """The property: no other exception, and what is laid out is sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input.h")
        with open(path, "wb") as file:
            file.write(data)
        try:
            found = open_layouts(path, Environment(), registry=Registry.shipped())
        except DevstateError as error:
            assert str(error)
            return
    hold(found)


def seeds() -> Iterator[bytes]:
    """A header in the kernel's style, and plain C."""
    yield KERNEL.encode()
    yield C.encode()


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
