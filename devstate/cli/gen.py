# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generate what a driver author needs from a format: C header, C codec, its proof and fuzz target, a page, hypothesis strategies.

  devstate gen c-header memfd-v2                   to standard output
  devstate gen all acme-nic-v1 --schemas PKG -o DIR     every file, under its own name, and the shim that the C includes
  devstate gen all acme-nic-v1 --schemas PKG -o DIR --check     write nothing; exit 1 when a file is not what the schema says

KIND is c-header, c-codec-header, c-codec, c-proof, c-fuzz, c-tree-fuzz (of a devicetree), markdown, strategy or all. FORMAT is a name, a
compatible or the name of a struct; the C is for every page size unless --page-size names one.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import add_environment, open_environment, open_registry
from devstate.errors import EncodeError, UsageError
from devstate.layout.model import PAGE_SIZES, Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.layout.model import Layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("kind", metavar="KIND", help="what to generate")
    parser.add_argument("format", metavar="FORMAT", help="from which format")
    parser.add_argument("-o", "--output", metavar="DIR", help="write the files there; standard output otherwise")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file of DIR is not what it should be")
    add_environment(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write or compare; 0, or 1 for --check when something differs. UsageError for an unknown kind or format."""
    from devstate.gen.files import KINDS, generate, generate_all

    layouts = chosen(arguments)
    if arguments.kind != "all" and arguments.kind not in KINDS:
        raise UsageError(f"nothing of the kind {arguments.kind!r} is generated; there are {', '.join([*KINDS, 'all'])}")
    files = generate_all(layouts) if arguments.kind == "all" else dict([generate(arguments.kind, layouts)])
    if arguments.output is None:
        if arguments.kind == "all" or arguments.check:
            raise UsageError("say with -o DIR where the files are")
        sys.stdout.write(files.popitem()[1])
        return 0
    if any(name.endswith((".c", ".h")) for name in files):
        files |= shim(files)
    return compared(arguments.output, files) if arguments.check else written(arguments.output, files)


def chosen(arguments: argparse.Namespace) -> list[Layout]:
    """The layouts of the format, for the page size that was asked for or for all of them."""
    registry = open_registry(arguments.schemas)
    environment = open_environment(arguments)
    name = registry.find(arguments.format, environment).name
    sizes = PAGE_SIZES if arguments.page_size is None else (environment.page_size,)
    return [registry.layout(name, Environment(size, environment.byte_order)) for size in sizes]


def shim(files: dict[str, str]) -> dict[str, str]:
    """The headers that generated files include, and those that these include, by name; beside a fuzz target, what serves a proof."""
    from devstate.gen.files import SUPPORT, support

    found: dict[str, str] = {}
    pending = [*files.values()]
    while pending:
        text = pending.pop()
        for name in SUPPORT:
            if name in found or f'#include "{name}"' not in text:
                continue
            with open(support(name), encoding="utf-8") as file:
                found[name] = file.read()
            pending.append(found[name])
    for name, proof in (("prove.c", "devstate_proof.h"), ("prove_tagged.c", "devstate_tagged_proof.h")):
        if len(files) > 1 and proof in found:
            with open(support(name), encoding="utf-8") as file:
                found[name] = file.read()
    return found


def written(folder: str, files: dict[str, str]) -> int:
    """Write the files that are not there already as they should be."""
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in files.items():
            path = os.path.join(folder, name)
            if _read(path) != text:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                print(path)
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror}", source=error.filename) from error
    return 0


def compared(folder: str, files: dict[str, str]) -> int:
    """Name what differs on standard output; whether anything does."""
    differing = [name for name, text in files.items() if _read(os.path.join(folder, name)) != text]
    for name in differing:
        state = "out of date" if os.path.exists(os.path.join(folder, name)) else "missing"
        print(f"{os.path.join(folder, name)}: {state}; run devstate gen without --check")
    return int(bool(differing))


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
