# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Show the bytes of one record, or of an array of records, as JSON.

The file holds the record and nothing else; `devstate encode` makes the same bytes of the JSON again. FILE may be - for standard input.
With --part, FILE is a handover (or the blob of its subtree devstate), and what is shown is a part of that subtree, such as memory/vm0, by
the layout that is embedded in it; / shows all parts.
"""

from __future__ import annotations

from devstate.cli.inputs import add_environment, open_environment, open_registry
from devstate.errors import DecodeError, LimitError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.layout.model import Layout

INPUT_MAX = 1 << 30
"""Bytes of one input: no inline array of a published format comes near, and JSON of more is of no use to anybody."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_format_arguments(parser, required=False)
    parser.add_argument("--part", metavar="PATH", help="a part of the subtree devstate, by its embedded layout")
    parser.add_argument("--array", action="store_true", help="the file holds any number of records, one behind the other")
    parser.add_argument("file", metavar="FILE", help="the bytes; - is standard input")


def add_format_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare what chooses a layout: shared by decode and encode."""
    what = "format: a compatible, schema name or struct name"
    parser.add_argument("--as", dest="format", required=required, metavar="COMPATIBLE", help=what)
    parser.add_argument("--struct", metavar="NAME", help="a struct of the format other than its root")
    add_environment(parser)


def run(args: argparse.Namespace) -> int:
    """Print the JSON; 0. UsageError for an unknown format, DecodeError for bytes that it does not accept."""
    import json

    if (args.format is None) == (args.part is None):
        raise UsageError("decode what? --as FORMAT for a record, or --part PATH for a part of a handover's subtree devstate")
    if args.part is not None:
        from devstate.cli.decode_part import run_part

        return run_part(args)

    from devstate.codec.decode import decode, decode_array
    from devstate.codec.plan import plan_of
    from devstate.codec.text import to_json

    layout, struct = chosen(args)
    data = read_input(args.file)
    if layout.encoding == "tagged":
        from devstate.codec.tagged import decode_tagged
        from devstate.codec.tagged_text import tagged_to_json

        print(json.dumps(tagged_to_json(layout, decode_tagged(layout, data, source=args.file)), indent=2))
        return 0
    if args.array:
        size = plan_of(layout, struct).size
        if size == 0 or len(data) % size:
            expected = f"a multiple of {size} bytes"
            raise DecodeError("the last record is cut", source=args.file, expected=expected, found=f"{len(data)} bytes")
        records = decode_array(layout, struct, data, len(data) // size, source=args.file)
        print(json.dumps([to_json(layout, record) for record in records], indent=2))
    else:
        print(json.dumps(to_json(layout, decode(layout, data, struct, source=args.file, exact=True)), indent=2))
    return 0


def chosen(args: argparse.Namespace) -> tuple[Layout, str | None]:
    """The layout and struct that the arguments name. UsageError when there is none, SchemaError for schemas that cannot be loaded."""
    layout = open_registry(args.schemas).find(args.format, open_environment(args))
    by_struct = args.format not in (layout.name, layout.compatible) and any(each.name == args.format for each in layout.structs)
    return layout, args.struct or (args.format if by_struct else None)


def read_input(path: str) -> bytes:
    """The bytes of a file or, for -, of standard input. DecodeError when it cannot be read, LimitError above INPUT_MAX."""
    import sys

    try:
        if path == "-":
            data = sys.stdin.buffer.read(INPUT_MAX + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(INPUT_MAX + 1)
    except OSError as error:
        raise DecodeError(f"cannot be read: {error.strerror}", source=path) from error
    if len(data) > INPUT_MAX:
        raise LimitError("the input is too large", source=path, expected=f"at most {INPUT_MAX} bytes")
    return data
