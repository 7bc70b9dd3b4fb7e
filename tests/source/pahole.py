# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What pahole, an independent reader of BTF, says about every struct of a file: the peer of ``devstate.source.btf``."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

Places = dict[str, tuple[int, int]]

OPENING = re.compile(r"^\t+(const |volatile )*(struct|union|enum) \{$")
PLACE = re.compile(r"^\t+(?P<declaration>.*?)\s*;?\s*/\*\s+(?P<offset>\d+)(?::\s*(?P<bit>\d+))?\s+(?P<size>\d+) \*/$")
NAME = re.compile(r"\(\*+\s*(?P<pointer>\w+)|(?P<name>\w+)(?P<dims>(\[\d*\])*)(:(?P<width>\d+))?( __attribute__\(\(.*\)\))?$")
NAMELESS = "(a tagged struct without a name)"


def structs(path: Path) -> dict[str, list[tuple[int, Places]]]:
    """Name -> size and {member path: (bit offset, bits)} of each struct or union of that name, nothing below members of a named type.

    Read from stdout alone: an old pahole warns on stderr about kinds that it does not know. It prints a tagged struct without a
    name (-fms-extensions) without its members: such a struct has the path ``NAMELESS``.
    """
    sizes = {name: int(size) for name, size, _ in (line.split("\t") for line in _run("--sizes", str(path)))}
    found: dict[str, list[tuple[int, Places]]] = {}
    name, levels = "", []
    for line in _run(str(path)):
        opening = re.match(r"^(?:struct|union) (\w+) \{$", line)
        if opening:
            name, levels = opening[1], [{}]
        elif levels and line.startswith("}"):
            found.setdefault(name, []).append((sizes[name], levels[0]))
            levels = []
        elif levels and OPENING.match(line):
            levels.append({})
        elif levels and PLACE.match(line):
            _member(PLACE.match(line), levels)
    return found


def _run(*arguments: str) -> list[str]:
    return subprocess.run(
        ["pahole", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout.splitlines()


def _member(place: re.Match[str], levels: list[Places]) -> None:
    declaration, inner = place["declaration"], {}
    if declaration.startswith("}"):
        inner = levels.pop()
        declaration = declaration[1:].strip()
        if declaration.startswith("*"):  # a pointer to the struct: its members are elsewhere
            inner = {}
    elif re.fullmatch(r"(struct|union) \w+", declaration):
        declaration = ""
        inner = {NAMELESS: (0, 0)}
    named = NAME.search(declaration)
    prefix = ""
    if named:
        path = named["pointer"] or named["name"]
        levels[-1][path] = (8 * int(place["offset"]) + int(place["bit"] or 0), int(named["width"] or 8 * int(place["size"])))
        prefix = path + ("[]." if named["dims"] else ".")
    levels[-1].update({prefix + path: where for path, where in inner.items()})
