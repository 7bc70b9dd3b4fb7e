# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""All that is generated from a schema, by kind and by file name; and the files that generated C includes, which are the same for all."""

from __future__ import annotations

import os
from collections import Counter

from devstate.errors import UsageError
from devstate.gen.codec import codec, codec_header
from devstate.gen.fuzz import fuzzer
from devstate.gen.header import header
from devstate.gen.markdown import markdown
from devstate.gen.names import declared_macro, identifier
from devstate.gen.proof import proof
from devstate.gen.strategy import strategy
from devstate.gen.tagged import tagged_codec, tagged_codec_header
from devstate.gen.tagged_proof import tagged_proof
from devstate.gen.tree_fuzz import tree_fuzzer
from devstate.gen.trees import declared_nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from devstate.layout.model import Layout

KINDS: dict[str, tuple[str, Callable[[Sequence[Layout]], str]]] = {
    "c-header": ("{}.h", header),
    "c-codec-header": ("{}_codec.h", codec_header),
    "c-codec": ("{}_codec.c", codec),
    "c-proof": ("{}_proof.c", proof),
    "c-fuzz": ("{}_fuzzer.c", fuzzer),
    "c-tree-fuzz": ("{}_tree_fuzzer.c", tree_fuzzer),
    "markdown": ("{}.md", markdown),
    "strategy": ("{}_strategy.py", lambda layouts: strategy(layouts[0])),
}
"""What can be generated: its file's name, with the format's, and the function."""

TAGGED: dict[str, Callable[[Sequence[Layout]], str]] = {
    "c-codec-header": tagged_codec_header,
    "c-codec": tagged_codec,
    "c-proof": tagged_proof,
}
"""What has another form for tagged maps."""

SUPPORT = (
    "devstate.h", "devstate_map.h", "devstate_fdt.h", "devstate_tagged.h", "devstate_tagged_read.h", "devstate_tagged_write.h",
    "devstate_proof.h", "devstate_tagged_proof.h", "devstate_fuzz.h", "devstate_tree_fuzz.h", "devstate_tagged_fuzz.h",
    "prove.c", "prove_tagged.c",
)  # fmt: skip
"""Files beside this module: the shim for all generated C, and what proofs and fuzz targets are built with."""


def generate(kind: str, layouts: Sequence[Layout]) -> tuple[str, str]:
    """(file name, text) of one kind, for the layouts of a schema. UsageError for a kind that there is not."""
    if kind not in KINDS:
        raise UsageError(f"nothing of the kind {kind!r} is generated; there are {', '.join(KINDS)}")
    name, make = KINDS[kind]
    if layouts[0].encoding == "tagged":
        make = TAGGED.get(kind, make)
    return name.format(identifier(layouts[0].name)), make(layouts)


def generate_all(layouts: Sequence[Layout]) -> dict[str, str]:
    """Every file of a schema by name; proofs are about structs, where there are any."""
    left_out = set() if layouts[0].structs else {"c-proof", "c-fuzz", "strategy"}
    left_out |= set() if declared_nodes(layouts[0]) else {"c-tree-fuzz"}
    return dict(generate(kind, layouts) for kind in KINDS if kind not in left_out)


def support(name: str) -> str:
    """The path of a file of SUPPORT."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


def folder() -> str:
    """The directory to pass to a compiler with -I."""
    return os.path.dirname(support("devstate.h"))


def everything(formats: Sequence[Sequence[Layout]]) -> str:
    """One C file that includes the codecs and proofs of many formats of one encoding, and lists them in ``devstate_proofs`` or
    ``devstate_tagged_proofs``: one compiler run for all.

    Structs whose name several formats share are each included under a name of their own; no other name is touched.
    """
    times = Counter(struct.name for layouts in formats for struct in layouts[0].structs)
    kind = "devstate_tagged" if formats and formats[0][0].encoding == "tagged" else "devstate"
    lines = ['#include "devstate.h"', f'#include "{kind}_proof.h"']
    names = []
    for layouts in formats:
        prefix = identifier(layouts[0].name)
        structs = [struct.name for struct in layouts[0].structs if times[struct.name] > 1]
        lines += [f"#define {struct} {prefix}__{struct}" for struct in structs]
        lines += [f'#include "{prefix}_codec.c"', f'#include "{prefix}_proof.c"']
        lines += [f"#undef {struct}\n#undef {declared_macro(struct)}" for struct in structs]
        names.append(f"{prefix}_proofs")
    lines += [f"extern const struct {kind}_proof *const {kind}_proofs[];"]
    lines += [f"const struct {kind}_proof *const {kind}_proofs[] = {{ {', '.join([*names, 'NULL'])} }};"]
    return "\n".join(lines) + "\n"
