# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write the bytes of the record, or of the list of records, that JSON describes: the reverse of `devstate decode`.

FILE may be - for standard input; bytes go to standard output unless -o names a file.
"""

from __future__ import annotations

from devstate.cli.decode import add_format_arguments, chosen, read_input
from devstate.errors import DecodeError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_format_arguments(parser)
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="where the bytes go (default: standard output)")
    parser.add_argument("file", metavar="FILE", help="the JSON, in the form that decode prints; - is standard input")


def run(args: argparse.Namespace) -> int:
    """Write the bytes; 0. DecodeError for what is no JSON, EncodeError for what is no record of the format."""
    import sys

    from devstate.codec.encode import encode
    from devstate.codec.text import from_json

    layout, struct = chosen(args)
    shown = parsed(read_input(args.file), args.file)
    records = shown if isinstance(shown, list) else [shown]
    if layout.encoding == "tagged":
        from devstate.codec.tagged import encode_tagged
        from devstate.codec.tagged_text import tagged_from_json

        data = encode_tagged(layout, tagged_from_json(layout, shown))
    else:
        data = b"".join([encode(layout, from_json(layout, each, struct), struct) for each in records])
    if args.output == "-":
        sys.stdout.buffer.write(data)
        return 0
    try:
        with open(args.output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror}", source=args.output) from error
    return 0


def parsed(text: bytes, source: str) -> Any:
    """The JSON value of ``text``. DecodeError for anything else, and for an object that has one name twice."""
    import json

    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DecodeError(f"not JSON: {reason}", source=source) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has one name twice")
    return made
