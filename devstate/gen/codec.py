# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-codec: for each struct a reader that judges bytes before they are trusted, and a writer that lets no padding out.

::

    FORMAT_check_STRUCT(data, size, fault)              is this one record, and may every value of it be used?
    FORMAT_check_array_STRUCT(entries, count, fault)    the same for many, at the speed of memory
    FORMAT_write_STRUCT(it, ..., to, room, fault)       judge, copy, zero what the compiler left between members
    FORMAT_walk_STRUCT_FIELD(it, memory, each, ...)     every entry that a link leads to, judged before it is given
    FORMAT_follow_STRUCT_FIELD(it, memory, fault, ret)  the one struct that a link leads to
    FORMAT_read_tree(blob, size, tree, each, ...)       the devicetree that a format is; see devstate.gen.trees

Nothing allocates, nothing recurses; memory is asked for through struct devstate_memory.
"""

from __future__ import annotations

from devstate.gen.judge import Judge
from devstate.gen.maps import has_maps
from devstate.gen.names import SPDX, comment, first_comment, for_each_page_size, identifier, index, joined, macro, parameters
from devstate.gen.trees import declared_nodes, tree_declarations, tree_definitions, tree_walks
from devstate.gen.types import counter, tail
from devstate.gen.walks import links
from devstate.layout.model import ArrayType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.layout.model import Layout, StructLayout

BATCH = 256
"""Records that are judged between two looks at the result: few enough that the exact second look at a bad batch costs nothing."""


def codec_header(layouts: Sequence[Layout]) -> str:
    """The prototypes."""
    layout = layouts[0]
    guard = f"{macro(layout.name)}_CODEC_H"
    blocks = [
        [f"/* SPDX-License-Identifier: {SPDX} */", *first_comment(layout, "readers and writers")],
        [f"#ifndef {guard}", f"#define {guard}"],
        [f'#include "{identifier(layout.name)}.h"', *(['#include "devstate_fdt.h"'] if declared_nodes(layout) else [])],
    ]
    for struct in layout.structs:
        for lines, head in (*_functions(layout, struct), *((link.doc, link.head) for link in links(layout, struct))):
            *above, last = head
            blocks.append([*comment(lines, kernel_doc=True), *above, f"{last};"])
    blocks.append(for_each_page_size(layouts, tree_declarations))
    return joined([*blocks, [f"#endif /* {guard} */"]])


def codec(layouts: Sequence[Layout]) -> str:
    """The functions."""
    layout = layouts[0]
    blocks = [
        [f"// SPDX-License-Identifier: {SPDX}", *first_comment(layout, "readers and writers")],
        [f'#include "{identifier(layout.name)}_codec.h"', *(['#include "devstate_map.h"'] if _has_maps(layout) else [])],
    ]
    for struct in layout.structs:
        blocks.append(for_each_page_size(layouts, lambda each, name=struct.name: _definitions(each, each.struct(name))))  # type: ignore[misc]
    blocks += [for_each_page_size(layouts, tree_definitions), for_each_page_size(layouts, tree_walks)]
    return joined(blocks)


def _has_maps(layout: Layout) -> bool:
    """Whether a link of a struct or of a node leads to a map of pages."""
    shapes = [struct.fields for struct in layout.structs] + [node.properties for node in declared_nodes(layout)]
    return any(has_maps(layout, fields) for fields in shapes)


def _functions(layout: Layout, struct: StructLayout) -> list[tuple[list[str], list[str]]]:
    """(kernel-doc, head) of the functions of a struct that are not about its links."""
    prefix, name = identifier(layout.name), struct.name
    check, many, write = (f"{prefix}_{verb}_{name}" for verb in ("check", "check_array", "write"))
    fault = "@fault: what is wrong, when something is; may be NULL"
    found = [
        (
            [
                f"{check}() - whether bytes are a struct {name} that can be trusted",
                "@data: the bytes, aligned as the struct is",
                "@size: how many there are" + ("" if struct.flexible else "; those behind the struct do not matter"),
                fault,
                "",
                "Return: 0, or a negative error number.",
            ],
            parameters(f"int {check}", ["const void *data", "u64 size", "struct devstate_fault *fault"]),
        )
    ]
    if not struct.flexible and struct.size:
        found.append(
            (
                [f"{many}() - the same for an array", "@entries: the records", "@count: how many", fault, "", "Return: the same."],
                parameters(f"int {many}", [f"const struct {name} *entries", "u64 count", "struct devstate_fault *fault"]),
            )
        )
    size = ["@size: its bytes, entries included"] if struct.flexible else []
    found.append(
        (
            [
                f"{write}() - write a record of which every value is allowed",
                "@it: the record",
                *size,
                "@to: where its bytes go",
                "@room: how many fit there",
                fault,
                "",
                "Return: 0, -ENOSPC, or what the check says.",
            ],
            parameters(
                f"int {write}",
                [f"const struct {name} *it", *(["u64 size"] if size else []), "void *to", "u64 room", "struct devstate_fault *fault"],
            ),
        )
    )
    return found


def _definitions(layout: Layout, struct: StructLayout) -> list[str]:
    heads = [head for _, head in _functions(layout, struct)]
    exact = Judge(layout, quick=False).struct(struct)
    blocks = []
    if exact:
        given = [f"const struct {struct.name} *it", *(["u64 count"] if _counts(exact) else []), "u64 at", "struct devstate_fault *fault"]
        name = f"static int {identifier(layout.name)}_judge_{struct.name}"
        blocks.append([*parameters(name, given), "{", *exact, "\treturn 0;", "}"])
    blocks.append([*heads[0], "{", *_check(layout, struct, exact), "}"])
    if not struct.flexible and struct.size:
        blocks.append([*heads[1], "{", *_check_array(layout, struct, judged=bool(exact)), "}"])
    blocks.append([*heads[-1], "{", *_write(layout, struct), "}"])
    blocks += [[*link.head, "{", *link.body, "}"] for link in links(layout, struct)]
    return joined(blocks).split("\n")


def _counts(exact: list[str]) -> bool:
    """Whether the entries of a flexible array are judged."""
    return any("< count;" in line for line in exact)


def _check(layout: Layout, struct: StructLayout, exact: list[str]) -> list[str]:
    prefix = identifier(layout.name)
    found = tail(layout, struct)
    if found is None:
        if not struct.size:
            return ["\t(void)data;", "\t(void)size;", "\t(void)fault;", "\treturn 0;"]
        lines = [f"\tif (size < sizeof(struct {struct.name}))"]
        lines += parameters("\t\treturn devstate_refuse", ["fault", "DEVSTATE_TRUNCATED", "0", "size", f'"{struct.name}"'], ";")
        judge = parameters(f"\treturn {prefix}_judge_{struct.name}", ["data", "0", "fault"], ";")
        return [*lines, *judge] if exact else ["\t(void)data;", *lines, "\treturn 0;"]
    path, offset, kind, _ = found
    said = counter(layout, struct)
    lines = [f"\tconst struct {struct.name} *it = data;"] if said or exact else []
    lines += ["\tu64 count;", "\tint error;", ""]
    lines += ["\t(void)data;"] if not said and not exact else []
    if offset:
        lines.append(f"\tif (size < {offset})")
        lines += parameters("\t\treturn devstate_refuse", ["fault", "DEVSTATE_TRUNCATED", "0", "size", f'"{struct.name}"'], ";")
    count = ["true", f"(s64){said}"] if said else ["false", "-1"]
    given = ["fault", str(offset), f"size - {offset}" if offset else "size", str(kind.stride), *count, f'"{path}"', "&count"]
    lines += parameters("\terror = devstate_entries", given, ";")
    if not exact:
        return [*lines, "\treturn error;"]
    lines += ["\tif (error)", "\t\treturn error;"]
    judge = ["it", *(["count"] if _counts(exact) else []), "0", "fault"]
    return [*lines, *parameters(f"\treturn {prefix}_judge_{struct.name}", judge, ";")]


def _check_array(layout: Layout, struct: StructLayout, *, judged: bool) -> list[str]:
    if not judged:
        return ["\t(void)entries;", "\t(void)count;", "\t(void)fault;", "\treturn 0;"]
    judge = f"{identifier(layout.name)}_judge_{struct.name}"
    inner = [f"\t\t{line}" for line in Judge(layout, quick=True).struct(struct)]
    return [
        f"\tfor (u64 done = 0; done < count; done += {BATCH}) {{",
        f"\t\tu64 end = count - done < {BATCH} ? count : done + {BATCH};",
        "\t\tint bad = 0;",
        "",
        "\t\tfor (u64 n = done; n < end; n++) {",
        f"\t\t\tconst struct {struct.name} *it = &entries[n];",
        "",
        *inner,
        "\t\t}",
        "\t\tfor (u64 n = done; bad && n < end; n++) {",
        *parameters(f"\t\t\tint error = {judge}", ["&entries[n]", "n * sizeof(*entries)", "fault"], ";"),
        "",
        "\t\t\tif (error)",
        "\t\t\t\treturn error;",
        "\t\t}",
        "\t}",
        "\treturn 0;",
    ]


def _write(layout: Layout, struct: StructLayout) -> list[str]:
    if not struct.flexible and not struct.size:
        return ["\t(void)it;", "\t(void)to;", "\t(void)room;", "\t(void)fault;", "\treturn 0;"]
    size = "size" if struct.flexible else "sizeof(*it)"
    check = f"{identifier(layout.name)}_check_{struct.name}"
    lines = [*parameters(f"\tint error = {check}", ["it", size, "fault"], ";"), ""]
    lines += ["\tif (error)", "\t\treturn error;", f"\tif (room < {size})", "\t\treturn -ENOSPC;", f"\tmemcpy(to, it, {size});"]
    cleared = _cleared(layout, struct, "", 1, 0)
    found = tail(layout, struct)
    if found is not None:
        _, offset, kind, _ = found
        inner = _cleared_type(layout, kind.element, f"{offset} + i * {kind.stride}", 2, 1)
        cleared += [f"\tfor (u64 i = 0; i < (size - {offset}) / {kind.stride}; i++) {{", *inner, "\t}"] if inner else []
    return [*lines, *cleared, "\treturn 0;"]


def _cleared(layout: Layout, struct: StructLayout, at: str, depth: int, loops: int) -> list[str]:
    """The statements that zero the gaps of a struct at ``at``."""
    lines = []
    for field in struct.fields:
        spot = f"{at} + {field.offset}" if at else str(field.offset)
        if field.gap:
            lines.append("\t" * depth + f"memset((u8 *)to + {spot}, 0, {field.size});")
        elif not (isinstance(field.type, ArrayType) and field.type.count is None):
            lines += _cleared_type(layout, field.type, spot, depth, loops)
    return lines


def _cleared_type(layout: Layout, kind: object, at: str, depth: int, loops: int) -> list[str]:
    if isinstance(kind, StructType):
        return _cleared(layout, layout.struct(kind.struct), at, depth, loops)
    if isinstance(kind, ArrayType) and kind.count:
        each = index(loops)
        inner = _cleared_type(layout, kind.element, f"{at} + {each} * {kind.stride}", depth + 1, loops + 1)
        indent = "\t" * depth
        return [f"{indent}for (u64 {each} = 0; {each} < {kind.count}; {each}++) {{", *inner, f"{indent}}}"] if inner else []
    return []
