# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Build the handover that SPEC describes: memory as a kernel would hand it over, for tests and training.

SPEC is TOML or JSON: a kernel release (or the forms), sessions with files, FLBs, regions, own subtrees, page size, byte order, pinned
addresses; docs/build.md says all of it. - is standard input. IMAGE is an ELF core that every other verb reads; .zst compresses it.
"""

from __future__ import annotations

from devstate.cli.inputs import open_registry
from devstate.errors import EncodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.build import Built


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("spec", metavar="SPEC", help="TOML or JSON file; - is standard input")
    parser.add_argument("-o", "--output", metavar="IMAGE", required=True, help="where the core goes")
    parser.add_argument("--force", action="store_true", help="overwrite IMAGE if it is there")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")


def run(args: argparse.Namespace) -> int:
    """Write the core; 0. DecodeError for what is no spec, EncodeError, with line and rule, for what cannot be built."""
    import os

    from devstate.cli.decode import read_input
    from devstate.handover.build import build
    from devstate.handover.spec_text import read_spec
    from devstate.memory.arena import Arena

    registry = open_registry(args.schemas)
    folder = "." if args.spec == "-" else os.path.dirname(args.spec)
    given = read_spec(read_input(args.spec), args.spec, registry, folder=folder)
    spec = given.spec
    try:
        arena = Arena(*given.arena, page_size=spec.page_size, byteorder=spec.byte_order)
        built = build(spec, arena, given.registry)
    except EncodeError as error:
        raise given.located(error) from None
    save(built, args.output, spec.forms.release, force=args.force)
    return 0


def save(built: Built, path: str, release: str | None, *, force: bool) -> None:
    """Write the core. UsageError when the file is there and not ``force``, EncodeError when it cannot be written."""
    try:
        with open(path, "wb" if force else "xb") as file:
            built.arena.save(file, built.note(release), compress=path.endswith(".zst"))
    except FileExistsError:
        raise UsageError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror or error}", source=path) from None
