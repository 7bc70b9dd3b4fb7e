# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An external diff driver for git: what a change of a file does to layouts, and then the change of its text.

git calls it with PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE (and two more words for a renamed file), once for each file.
Set it up with `git config diff.devstate.command "devstate compat git-diff"` and `*.h diff=devstate` in .gitattributes; `git diff`,
`git show --ext-diff` and `git log -p --ext-diff` then show it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.layout.declared import Declared

WORDS = ("path", "old_file", "old_hex", "old_mode", "new_file", "new_hex", "new_mode", "new_path", "header")

TEXT_MAX = 1 << 20
"""Bytes of a file whose text is compared line by line; of a longer one only the layouts are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb; git gives one word for a file with conflicts, seven, or nine."""
    parser.add_argument("path", metavar="PATH", help="the file's path in the repository")
    for word in WORDS[1:]:
        parser.add_argument(word, metavar=word.upper().replace("_", "-"), nargs="?", help="see above")


def run(arguments: argparse.Namespace) -> int:
    """Write the report; always 0, as git takes anything else for a failure of the driver."""
    from devstate.cli.command import OK
    from devstate.report.printable import printable

    path = arguments.new_path or arguments.path
    if arguments.new_mode is None:
        sys.stdout.write(printable(f"* devstate: {path} has conflicts") + "\n")
        return OK
    for line in _layout_lines(path, arguments.old_file, arguments.new_file):
        sys.stdout.write(printable(line) + "\n")
    sys.stdout.write("".join(_text_lines(arguments.path, path, arguments.old_file, arguments.new_file)))
    return OK


def _layout_lines(path: str, old_file: str, new_file: str) -> Iterator[str]:
    """What the change does to layouts."""
    import io

    from devstate.cli.compat import document
    from devstate.compat.examine import examine
    from devstate.errors import DevstateError
    from devstate.finding import Severity
    from devstate.report import compat

    files = {"old": old_file, "new": new_file}
    for word, file in files.items():
        if file == os.devnull:
            yield f"devstate: {path}: there is no {word} side"
            return
    sides: list[list[Declared]] = []
    for word, file in files.items():
        try:
            sides.append(_declared(file, path))
        except DevstateError as error:
            yield f"devstate: {path}: no layouts in the {word} side: {error}"
            return
    stream = io.StringIO()
    try:
        compat.text(document(examine(list(zip(*sides, strict=True))), Severity.ERROR), stream)
    except DevstateError as error:
        yield f"devstate: {path}: {error}"
        return
    yield from (f"devstate: {line}" for line in stream.getvalue().replace(new_file, path).replace(old_file, path).splitlines())


def _declared(file: str, path: str) -> list[Declared]:
    """What one side declares on all page sizes. What its headers include is taken from the working tree: git hands over single files."""
    from devstate.cli.inputs import open_registry
    from devstate.layout.model import PAGE_SIZES, Environment
    from devstate.source.opening import open_layouts

    around = os.path.dirname(path)
    include = tuple(each for each in (around.partition("include")[0] + "include", around or ".") if os.path.isdir(each))
    return [open_layouts(file, Environment(size), registry=open_registry([]), include=include) for size in PAGE_SIZES]


def _text_lines(old_path: str, new_path: str, old_file: str, new_file: str) -> list[str]:
    """The change of the text, as `diff -u` writes it."""
    import difflib

    if any(os.path.getsize(file) > TEXT_MAX for file in (old_file, new_file)):
        return []
    texts = []
    for file in (old_file, new_file):
        with open(file, encoding="utf-8", errors="backslashreplace") as stream:
            texts.append(stream.read().splitlines(keepends=True))
    names = [os.devnull if file == os.devnull else name for file, name in ((old_file, f"a/{old_path}"), (new_file, f"b/{new_path}"))]
    lines = difflib.unified_diff(texts[0], texts[1], names[0], names[1])
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
