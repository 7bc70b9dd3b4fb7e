# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write docs/formats.md: how the bytes of every known format go, drawn from the schema files.

    python tools/formats.py            write the page
    python tools/formats.py --check    write nothing; exit 1 when the committed page is not what the schema files say

Each schema file becomes a chapter: its text and drawing, and a table of the forms that it declares. The introduction stands in
docs/formats.head.md, written by hand.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

from devstate.finding import Reaction
from devstate.layout.lower import lower
from devstate.layout.model import ArrayType, Layout, NodeLayout, StructType
from devstate.schema import Schema

DOCS = Path(__file__).resolve().parent.parent / "docs"

PARTS = {
    "kho": ("Released kernels", "carriers kexec_handover block kexec_metadata memblock luo memfd liveupdate"),
    "posted": ("Posted series and branches", "kexec_handover kho_xarray composite features luo memfd tmpfs hugetlb guest_memfd kvm"),
    "project": ("devstate's own", ""),
}
"""Packages of schemas with their headings; files that stand here come first, in this order."""


def modules(part: str) -> list[ModuleType]:
    """The schema files of a part, in the order of the page."""
    package = importlib.import_module(f"devstate_schemas.{part}")
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    first = [name for name in PARTS[part][1].split() if name in names]
    found = [importlib.import_module(f"{package.__name__}.{name}") for name in [*first, *sorted(set(names) - set(first))]]
    return [module for module in found if getattr(module, "SCHEMAS", None)]


def markdown(text: str) -> str:
    """A docstring as Markdown: drawings in fences, names in single backticks."""
    lines: list[str] = []
    drawing = False
    for line in text.splitlines():
        if line.rstrip().endswith("::"):
            lines += [*([line.rstrip()[:-1]] if line.strip() != "::" else []), "", "```text"]
            drawing = True
        elif drawing and line and not line.startswith(" "):
            while not lines[-1]:
                lines.pop()
            lines += ["```", "", line]
            drawing = False
        elif not (drawing and lines[-1] == "```text" and not line):
            lines.append(line.removeprefix("    ") if drawing else line)
    if drawing:
        lines += ["```"]
    prose = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return re.sub(r"``([^`\n]+)``", r"`\1`", prose)


def size(layout: Layout) -> str:
    """Bytes of a form's root struct on 4K pages, and of each entry of a flexible array behind it."""
    if isinstance(layout.root, NodeLayout):
        return "devicetree"
    struct = layout.struct()
    kind = struct.fields[-1].type
    while isinstance(kind, StructType):
        kind = layout.struct(kind.struct).fields[-1].type
    return f"{struct.size} + {kind.stride} each" if struct.flexible and isinstance(kind, ArrayType) else str(struct.size)


def kernels(schema: Schema) -> str:
    """The releases that write a form, or its status."""
    if schema.since is None:
        return schema.status
    if schema.until is None:
        return f"{schema.since} on"
    return schema.since if schema.since == schema.until else f"{schema.since} to {schema.until}"


def row(schema: Schema) -> str:
    """One form in the table of its chapter."""
    reaction = Reaction(schema.on_mismatch)
    cells = (f"`{schema.name}`", kernels(schema), size(lower(schema)), schema.found_by or "", str(reaction), schema.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def chapter(module: ModuleType) -> str:
    """One schema file."""
    summary, _, rest = (module.__doc__ or "").partition("\n")
    title, colon, first = summary.partition(": ")
    lines = [f"### {title if colon else summary.split(',')[0].rstrip('.')}", ""]
    lines += [markdown(f"{first[:1].upper()}{first[1:]}" if colon else summary), markdown(rest).rstrip(), ""]
    lines += ["| form | kernels | bytes | found by | unknown to the reader | what |", "|---|---|---|---|---|---|"]
    lines += [row(schema) for schema in module.SCHEMAS]
    path = "/".join(module.__name__.split(".")[1:])
    return "\n".join([*lines, "", f"Declared in `schemas/{path}.py`.", ""])


def page() -> str:
    """The whole page."""
    parts = [(DOCS / "formats.head.md").read_text()]
    for part, (heading, _) in PARTS.items():
        package = importlib.import_module(f"devstate_schemas.{part}")
        chapters = [chapter(module) for module in modules(part)]
        if chapters:
            parts += [f"## {heading}\n", markdown(f"{package.__doc__}\n"), *chapters]
    return "\n".join(parts)


def main() -> int:
    """See the module's text. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when the page differs")
    args = parser.parse_args()
    path, text = DOCS / "formats.md", page()
    if args.check:
        same = path.exists() and path.read_text() == text
        if not same:
            print(f"{path}: out of date; run `make docs`", file=sys.stderr)
        return 0 if same else 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
