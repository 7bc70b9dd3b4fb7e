# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-fuzz: a libFuzzer target for all readers of a format, made of the table of ``c-proof``.

The first byte of an input chooses the struct, the rest are the record and the pages that its links may lead to.
"""

from __future__ import annotations

from devstate.gen.names import SPDX, first_comment, identifier, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.layout.model import Layout


def fuzzer(layouts: Sequence[Layout]) -> str:
    """The C file, with LLVMFuzzerTestOneInput()."""
    prefix, kind = identifier(layouts[0].name), "devstate_tagged" if layouts[0].encoding == "tagged" else "devstate"
    return joined(
        [
            [f"// SPDX-License-Identifier: {SPDX}", *first_comment(layouts[0], "a fuzz target for its readers")],
            [f'#include "{kind}_fuzz.h"'],
            [f"extern const struct {kind}_proof {prefix}_proofs[];"],
            [
                "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)",
                "{",
                f"\treturn {kind}_fuzz({prefix}_proofs, data, size);",
                "}",
            ],
        ]
    )
