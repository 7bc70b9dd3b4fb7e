# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-tree-fuzz: a libFuzzer target for the reader of a devicetree and for the walks along the links of its nodes.

The first byte of an input says whether it is a blob or the structure of one that is made with the names of the format, the second how
many 255ths of the rest that is; what follows are the pages that links may lead to, from PAGE_SIZE on.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import replace
from devstate.gen.names import SPDX, first_comment, identifier, joined, macro, member, parameters
from devstate.gen.trees import declared_nodes, is_whole, node_struct
from devstate.gen.types import element_type
from devstate.gen.walks import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.gen.trees import Declared
    from devstate.layout.model import Layout


def tree_fuzzer(layouts: Sequence[Layout]) -> str:
    """The C file, with LLVMFuzzerTestOneInput(). UsageError for a format that is no devicetree."""
    layout, prefix = layouts[0], identifier(layouts[0].name)
    nodes = declared_nodes(layout)
    if not nodes:
        raise UsageError(f"{layout.name} is no devicetree")
    cases = [line for each in nodes for line in _case(layout, each)]
    given = ["void *context", f"const struct {prefix}_tree *tree", "int node"]
    walk = [*parameters(f"static int {prefix}_fuzz_node", given), "{"]
    if cases:
        walk += ["\tstruct devstate_memory *memory = context;", "", "\tswitch (node) {", *cases, "\t}"]
    else:
        walk += ["\t(void)context;", "\t(void)tree;", "\t(void)node;"]
    given = ["blob", "size", "&tree", f"walk ? {prefix}_fuzz_node : NULL", "memory", "fault"]
    read = parameters(f"\treturn {prefix}_read_tree", given, ";")
    names = sorted({name for each in nodes for name in each.slots} | {"other"})
    given = ["const void *blob", "u64 size", "struct devstate_memory *memory", "bool walk", "struct devstate_fault *fault"]
    return joined(
        [
            [f"// SPDX-License-Identifier: {SPDX}", *first_comment(layout, "a fuzz target for the reader of its devicetree")],
            ['#include "devstate_tree_fuzz.h"', f'#include "{prefix}_codec.h"'],
            [*walk, "\treturn 0;", "}"],
            [*parameters(f"static int {prefix}_fuzz_tree", given), "{", f"\tstruct {prefix}_tree tree;", "", *read, "}"],
            [
                "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)",
                "{",
                "\tstatic const char names[] =",
                *(f'\t\t"{name}\\0"' for name in names[:-1]),
                f'\t\t"{names[-1]}";',
                "",
                *parameters("\treturn devstate_tree_fuzz", [f"{prefix}_fuzz_tree", "names", "sizeof(names)", "data", "size"], ";"),
                "}",
            ],
        ]
    )


def _case(layout: Layout, node: Declared) -> list[str]:
    """Along every link of a node."""
    struct, lines = node_struct(layout, node), []
    whole = tuple(field for field in struct.fields if is_whole(layout, field))
    for link in links(layout, replace(struct, fields=whole)):
        call = [f"&tree->{member(node.name)}", "memory"]
        if link.each:
            lines += parameters(f"\t\t{link.name}", [*call, "NULL", "NULL", "NULL"], ";")
            continue
        target = next(each.target for each in whole if each.target is not None and link.name.endswith(f"_{each.name}"))
        assert target is not None  # a link has one, and a follow leads to a struct
        lines += ["\t\t{", f"\t\t\tconst {element_type(target.element)} *found;", ""]
        lines += [*parameters(f"\t\t\t{link.name}", [*call, "NULL", "&found"], ";"), "\t\t}"]
    return [f"\tcase {macro(layout.name, 'tree', node.name)}:", *lines, "\t\tbreak;"] if lines else []


def all_trees(formats: Sequence[Sequence[Layout]]) -> str:
    """One C file with the codecs and targets of many formats: the first byte of an input chooses the format."""
    lines, names = ['#include "devstate_tree_fuzz.h"'], []
    for layouts in formats:
        prefix = identifier(layouts[0].name)
        structs = [struct.name for struct in layouts[0].structs]
        lines += [f"#define {struct} {prefix}__{struct}" for struct in structs]
        lines += [f'#include "{prefix}_codec.c"', f"int {prefix}_one(const uint8_t *, size_t);"]
        lines += [f"#define LLVMFuzzerTestOneInput {prefix}_one"]
        lines += [f'#include "{prefix}_tree_fuzzer.c"', "#undef LLVMFuzzerTestOneInput"]
        lines += [f"#undef {struct}\n#undef {macro(struct)}_DECLARED" for struct in structs]
        names.append(f"{prefix}_one")
    lines += ["static int (*const trees[])(const uint8_t *, size_t) = {", *(f"\t{name}," for name in names), "};"]
    lines += ["int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)", "{"]
    return "\n".join([*lines, f"\treturn size ? trees[data[0] % {len(names)}](data + 1, size - 1) : 0;", "}"]) + "\n"
