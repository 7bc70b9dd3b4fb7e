# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Start a driver's package: a schema, the C that is generated from it, tests, a fuzz target, a baseline, and a page on what to fill in.

  devstate new driver acme-nic        in the new directory acme-nic; `make check` passes there at once
  devstate new driver acme-nic --encoding tagged      its state is a tagged map (docs/tagged.md), not packed records

KIND is driver. NAME is lower-case letters, digits and dashes; the first format is NAME-v1.
"""

from __future__ import annotations

import os

from devstate.errors import EncodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

KINDS = ("driver",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("kind", metavar="KIND", help="what to start: driver")
    parser.add_argument("name", metavar="NAME", help="its name")
    parser.add_argument("--encoding", default="packed", metavar="ENCODING", help="of the first format: packed or tagged")
    parser.add_argument("-o", "--output", metavar="DIR", help="the new directory (default: NAME)")


def run(arguments: argparse.Namespace) -> int:
    """Write the package; 0. UsageError for a wrong name, and for a directory that has something in it."""
    from devstate.gen.scaffold import package_of, scaffold

    if arguments.kind not in KINDS:
        raise UsageError(f"{arguments.kind!r} is nothing to start; there is {', '.join(KINDS)}")
    files = scaffold(arguments.name, arguments.encoding)
    folder = arguments.output or arguments.name
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UsageError(f"{folder}: is there already; name a new directory with -o")
    try:
        for path, text in files.items():
            whole = os.path.join(folder, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w", encoding="utf-8") as file:
                file.write(text)
            print(whole)
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror}", source=error.filename) from error
    return generated(folder, os.path.join(folder, package_of(arguments.name)), f"{arguments.name}-v1")


def generated(folder: str, schemas: str, name: str) -> int:
    """What `make gen` would write there."""
    from devstate.cli import command

    for verb, words in {
        "gen": ["all", name, "--schemas", schemas, "-o", os.path.join(folder, "generated")],
        "baseline": ["update", schemas],
    }.items():
        module = command.load(verb)
        status: int = module.run(command.parse(verb, module, words))
        if status:
            return status
    return 0
