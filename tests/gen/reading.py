# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated readers of devicetrees and maps at work: a program under ASan and UBSan, asked over a pipe.

::

    request   | format u32 | verb u32 | size u32 | data |         TREE: a blob.  MAP: root u64, seen u64, then pages { pa u64, bytes }
    answer    | size u32 | rule u32 | at u64 | path, NUL | what the callback was given |
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from devstate.codec.validate import Fault
from devstate.gen.files import generate
from devstate.gen.maps import map_measure
from devstate.gen.names import identifier, macro, member
from devstate.gen.trees import declared_nodes, is_whole, node_struct
from devstate.gen.walks import function_name
from devstate.handover.tree import TreeNode
from devstate.layout.model import Layout
from devstate.testing.prover import C_RULES, GUARDED, Build, compile_c, layouts_of

if TYPE_CHECKING:
    from devstate.layout.model import ByteOrder

TREE, MAP = 0, 1

Verdict = tuple[str, int, str]

HEAD = r"""
#include <stdio.h>
#include <stdlib.h>
static u8 *out;
static size_t used, room;

static void give(const void *from, size_t size)
{
	if (used + size > room) {
		room = 2 * (used + size);
		out = realloc(out, room);
		if (!out)
			abort();
	}
	if (size)
		memcpy(out + used, from, size);
	used += size;
}

static void value(int there, const void *from, u64 size)
{
	u64 said = there ? size : ~0ULL;

	give(&said, sizeof(said));
	if (there)
		give(from, size);
}

struct pages { u64 count; const u8 *bytes; int seen; u8 *met; };

static __maybe_unused const u8 *page(const struct pages *pages, u64 pa, u8 **met)
{
	for (u64 n = 0; n < pages->count; n++) {
		const u8 *each = pages->bytes + n * (8 + PAGE_SIZE);
		u64 start;

		memcpy(&start, each, 8);
		if (start == pa - pa % PAGE_SIZE) {
			*met = pages->met + n;
			return each + 8;
		}
	}
	return NULL;
}

static const void *at(void *context, u64 pa, u64 size)
{
	u8 *met;
	const u8 *found = page(context, pa, &met);

	return found && pa % PAGE_SIZE + size <= PAGE_SIZE ? found + pa % PAGE_SIZE : NULL;
}

static bool seen(void *context, u64 pa)
{
	u8 *met = NULL;

	page(context, pa, &met);
	return met && (*met)++;
}

static __maybe_unused int block(void *context, u64 pa, u32 order, u64 blocks)
{
	u64 run[3] = { pa, order, blocks };

	(void)context;
	give(run, sizeof(run));
	return 0;
}
"""

MAIN = r"""
int main(void)
{
	u32 head[3];

	while (fread(head, sizeof(head), 1, stdin) == 1) {
		struct devstate_fault fault = { .field = "" };
		u8 *data = malloc(head[2] ? head[2] : 1);
		u32 total;
		u64 place;

		if (!data || (head[2] && fread(data, head[2], 1, stdin) != 1))
			abort();
		used = 0;
		if (!head[1]) {
			if (!trees[head[0]](data, head[2], &fault))
				fault.rule = 0;
		} else {
			struct pages pages = { (head[2] - 16) / (8 + PAGE_SIZE), data + 16, data[8], calloc(1, head[2]) };
			struct devstate_memory memory = { at, &pages, data[8] ? seen : NULL };
			u64 root;

			memcpy(&root, data, 8);
			if (!maps[head[0]](root, &memory, &fault))
				fault.rule = 0;
			free(pages.met);
		}
		total = (u32)(used + 13 + strlen(fault.field));
		head[0] = (u32)fault.rule;
		place = fault.rule ? fault.at : 0;
		fwrite(&total, 4, 1, stdout);
		fwrite(&head[0], 4, 1, stdout);
		fwrite(&place, 8, 1, stdout);
		fwrite(fault.field, strlen(fault.field) + 1, 1, stdout);
		if (used)
			fwrite(out, used, 1, stdout);
		fflush(stdout);
		free(data);
	}
	free(out);
	return 0;
}
"""


def driver(layout: Layout, number: int) -> list[str]:
    """What calls the reader of one format."""
    prefix, nodes = identifier(layout.name), declared_nodes(layout)
    lines = [f"static int node_{number}(void *context, const struct {prefix}_tree *tree, int node)", "{", "\t(void)context;"]
    lines += ["\tgive((u8[]){ (u8)node }, 1);", "\tswitch (node) {"]
    for place, each in enumerate(nodes):
        name = member(each.name)
        lines += [f"\tcase {place}:", f"\t\tvalue(1, tree->{name}.name, strlen(tree->{name}.name));"]
        for field in node_struct(layout, each).fields:
            path = f"tree->{name}.{member(field.name)}"
            there = f"tree->{name}.has & {macro(layout.name, 'tree', each.name)}_HAS_{macro(field.name)}" if field.optional else "1"
            there = "1" if field.default is not None else there
            lines.append(
                f"\t\tvalue(!!({there}), &{path}, sizeof({path}));" if is_whole(layout, field)
                else f"\t\tvalue({path}.data != NULL, {path}.data, {path}.size);"
            )  # fmt: skip
        lines.append("\t\tbreak;")
    lines += ["\t}", "\treturn 0;", "}", ""]
    lines += [f"static int tree_{number}(const void *blob, u64 size, struct devstate_fault *fault)", "{", f"\tstruct {prefix}_tree tree;"]
    lines += [
        f"\tint first = {prefix}_read_tree(blob, size, &tree, NULL, NULL, NULL);",
        f"\tint status = {prefix}_read_tree(blob, size, &tree, node_{number}, NULL, fault);",
        "",
        "\tif (first != status)",
        "\t\tabort();",
        "\treturn status;",
        "}",
        "",
    ]
    for each in nodes:
        struct_ = node_struct(layout, each)
        for field in struct_.fields:
            if field.target is not None and map_measure(layout, field.target):
                lines += [
                    f"static int map_{number}(u64 root, const struct devstate_memory *memory, struct devstate_fault *fault)",
                    "{",
                    f"\tstruct {struct_.name} it = {{ .{member(field.name)}.pa = root }};",
                    "",
                    f"\treturn {function_name(layout, 'walk', struct_, field)}(&it, memory, block, NULL, fault);",
                    "}",
                ]
                return lines
    lines += [f"static int map_{number}(u64 root, const struct devstate_memory *memory, struct devstate_fault *fault)", "{"]
    return [*lines, "\t(void)root;", "\t(void)memory;", "\t(void)fault;", "\treturn 0;", "}"]


class Reader:
    """The formats, built and running."""

    def __init__(
        self,
        where: Path,
        names: Sequence[str],
        page_size: int = 4096,
        flags: Sequence[str] = (),
        own: Sequence[list[Layout]] = (),
        build: Build = GUARDED,
    ) -> None:
        formats = {name: layouts_of(name, byte_order=build.byte_order) for name in names} | {layouts[0].name: layouts for layouts in own}
        self.layouts = {name: next(x for x in each if x.environment.page_size == page_size) for name, each in formats.items()}
        self.numbers = {name: number for number, name in enumerate(formats)}
        self.page_size = page_size
        self.order = "<" if build.byte_order == "little" else ">"
        lines = ['#include "devstate.h"', HEAD]
        for name, number in self.numbers.items():
            for kind in ("c-header", "c-codec-header", "c-codec"):
                file, text = generate(kind, formats[name])
                (where / file).write_text(text)
            shared = {each.name for each in self.layouts[name].structs}
            lines += [f"#define {each} {identifier(name)}__{each}" for each in sorted(shared)]
            lines += [f'#include "{file}"', *driver(self.layouts[name], number)]
            lines += [f"#undef {each}\n#undef {macro(each)}_DECLARED" for each in sorted(shared)]
        for verb, given in (("tree", "const void *, u64"), ("map", "u64, const struct devstate_memory *")):
            listed = ", ".join(f"{verb}_{number}" for number in self.numbers.values())
            lines.append(f"static int (*const {verb}s[])({given}, struct devstate_fault *) = {{ {listed} }};")
        (where / "reader.c").write_text("\n".join([*lines, MAIN]))
        arguments = (*build.flags, f"-DPAGE_SIZE={page_size}", *flags, "reader.c", "-o", "reader")
        said = compile_c(where, *arguments, compiler=build.compiler)
        assert "" == said
        self.process = subprocess.Popen([*(build.runner or ()), str(where / "reader")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, name: str, verb: int, data: bytes) -> tuple[Verdict, bytes]:
        """The verdict, and what the callback was given."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(struct.pack(f"{self.order}3I", self.numbers[name], verb, len(data)) + data)
        self.process.stdin.flush()
        size = int(*struct.unpack(f"{self.order}I", self.process.stdout.read(4).ljust(4, b"\0")))
        answer = self.process.stdout.read(size)
        assert size == len(answer) and size, "the generated C has died: see the sanitizer's report"
        rule, at = struct.unpack_from(f"{self.order}IQ", answer)
        path, _, given = answer[12:].partition(b"\0")
        return (C_RULES[rule], at, path.decode()), given

    def tree(self, name: str, blob: bytes) -> tuple[Verdict, bytes]:
        """Read a blob."""
        return self.ask(name, TREE, blob)

    def map(self, name: str, root: int, pages: dict[int, bytes], *, seen: bool = True) -> tuple[Verdict, list[tuple[int, int, int]]]:
        """Go over a map: the verdict, and (address, order, blocks) of each run."""
        data = struct.pack(f"{self.order}QB7x", root, seen)
        data += b"".join(struct.pack(f"{self.order}Q", pa) + page for pa, page in pages.items())
        verdict, given = self.ask(name, MAP, data)
        return verdict, [(pa, order, blocks) for pa, order, blocks in struct.iter_unpack(f"{self.order}3Q", given)]

    def close(self) -> int:
        """End it; the exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def flat(layout: Layout, nodes: list[TreeNode]) -> bytes:
    """What the callback of the C is given for these nodes."""
    order = layout.environment.byte_order
    paths = {each.path: (number, each) for number, each in enumerate(declared_nodes(layout))}
    made = b""
    for node in nodes:
        number, declared = paths[node.path]
        values = dict(node.values)
        made += bytes([number]) + _sized(node.name.encode("latin-1"), order)
        for field in declared.properties:
            found = values.get(field.name)
            if isinstance(found, int):
                found = found.to_bytes(field.size, order, signed=found < 0)
            made += struct.pack("<Q", (1 << 64) - 1) if found is None else _sized(found, order)
    return made


def _sized(data: bytes, order: ByteOrder) -> bytes:
    return len(data).to_bytes(8, order) + data


def verdict_of(fault: Fault | None) -> tuple[str, int]:
    """The rule and the place of a fault in Python."""
    return ("fine", 0) if fault is None else (fault.rule, fault.offset)
