# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fuzz the generated readers of every format: ``python fuzz/generated.py [--seconds N]``.

Two programs, one for all structs and one for all devicetrees: the first byte of an input chooses the format, the rest goes to its own
target (devstate_fuzz.h, devstate_tree_fuzz.h). With clang they are guided by libFuzzer, from a corpus in build/fuzz/corpus; with gcc
alone they run on made-up inputs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "fuzz" / "c")]

from run import FLAGS, run_guided, run_made_up  # noqa: E402

from devstate.fdt.model import Fdt, Node  # noqa: E402
from devstate.fdt.writer import write  # noqa: E402
from devstate.gen.files import everything, folder, generate_all  # noqa: E402
from devstate.gen.tree_fuzz import all_trees  # noqa: E402
from devstate.gen.trees import declared_nodes, top  # noqa: E402
from devstate.layout.model import PAGE_SIZES, Environment, Layout, NodeLayout  # noqa: E402
from devstate.layout.registry import Registry  # noqa: E402

TARGET = """
#include "devstate_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = 0;

	while (devstate_proofs[count])
		count++;
	return size ? devstate_fuzz(devstate_proofs[data[0] % count], data + 1, size - 1) : 0;
}
"""


def sound(layout: Layout) -> bytes:
    """A devicetree that has everything which the layout declares, all numbers 0."""

    def node(declared: NodeLayout, name: str) -> Node:
        fixed = {"compatible": declared.compatible.encode() + b"\0"} if declared.compatible is not None else {}
        values = {field.name: bytes(field.size) for field in declared.properties if field.name != "*"}
        return Node(name, {**values, **fixed}, [node(child, child.name.replace("*", "any")) for child in declared.children])

    root = top(layout)
    assert root is not None
    return bytes(write(Fdt(node(root, ""))))


def seed_trees(corpus: Path, formats: list[list[Layout]]) -> None:
    """An input for each format from which others are made: a sound devicetree and no pages."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, layouts in enumerate(formats):
        (corpus / f"sound-{number}").write_bytes(bytes((number, 0, 255)) + sound(layouts[0]))


def build(out: Path, compiler: str, *, guided: bool, trees: bool = False) -> Path:
    """The program for structs or for devicetrees, in ``out``."""
    name = "generated_trees" if trees else "generated"
    sources = out / f"{name}.src"
    sources.mkdir(parents=True, exist_ok=True)
    registry, formats = Registry.shipped(), []
    for each in registry.summaries:
        layouts = [registry.layout(each, Environment(size)) for size in PAGE_SIZES]
        if declared_nodes(layouts[0]) if trees else layouts[0].structs and layouts[0].encoding == "packed":
            formats.append(layouts)
            for file, text in generate_all(layouts).items():
                (sources / file).write_text(text)
    if trees:
        seed_trees(out / "corpus" / name, formats)
    (sources / "all.c").write_text(all_trees(formats) if trees else everything(formats) + TARGET)
    sanitize = f"-fsanitize={'fuzzer,' if guided else ''}address,undefined"
    flags = ["-O0" if flag == "-O1" else flag for flag in FLAGS]  # the readers of all formats take a minute to optimize, one second not to
    include = [f"-I{folder()}", f"-I{sources}", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'fuzz' / 'c'}"]
    main = [] if guided else [str(ROOT / "fuzz" / "c" / "standalone.c")]
    subprocess.run([compiler, *flags, sanitize, *include, str(sources / "all.c"), *main, "-o", str(out / name)], check=True)
    return out / name


def main() -> int:
    """Build and run. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    clang = shutil.which("clang-14") or shutil.which("clang")
    bad = False
    for trees in (False, True):
        program = build(ROOT / "build" / "fuzz", clang or "gcc", guided=clang is not None, trees=trees)
        bad |= bool((run_guided if clang else run_made_up)(program, options.seconds))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
