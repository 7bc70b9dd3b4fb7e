# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write a handover, or one record, in the form of another kernel version, and say what that loses.

INPUT is a handover image, or a record: the JSON that decode prints, or bytes with --as. --to is a kernel release (7.0) or the name of a
format (luo-v4), as often as there are formats to choose. A value that the other form has no place for is named, and nothing is
written without --allow-loss; what cannot be carried at all is refused. Without -o an image is only judged, and a record goes to standard
output. docs/convert.md says what is carried how, and how to declare converters of your own.
"""

from __future__ import annotations

from devstate.cli.inputs import add_inputs, open_registry
from devstate.errors import DecodeError, EncodeError, UsageError
from devstate.frozen import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.handover.convert import Conversion
    from devstate.handover.model import Handover
    from devstate.layout.registry import Registry

OK, REFUSED = 0, 1

HEAD = 64
"""Bytes in which a JSON text begins."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "INPUT")
    parser.add_argument("--to", metavar="VERSION", action="append", default=[], help="a kernel release or the name of a format; repeatable")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes: a core (.zst compresses it), or the record")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument("--allow-loss", action="store_true", help="write it although values are lost")
    parser.add_argument("--as", "--schema", dest="format", metavar="FORMAT", help="INPUT is one record of this format, not a handover")
    parser.add_argument("--json", action="store_true", help="say what is done as one JSON document (an image only)")


def run(args: argparse.Namespace) -> int:
    """0 when nothing is lost, or losing is allowed; 1 when it is refused. UsageError, DecodeError for what cannot be asked or read."""
    if not args.to:
        raise UsageError("convert to what? --to takes a kernel release or the name of a format")
    if args.format is not None or (args.base is None and _is_json(args.input)):
        from devstate.cli.convert_record import run_record

        return run_record(args)
    return _image(args)


def _is_json(path: str) -> bool:
    """Whether a file begins as JSON does; no image does."""
    import sys

    if path == "-":
        head = sys.stdin.buffer.peek(HEAD)[:HEAD] if hasattr(sys.stdin.buffer, "peek") else b""
        return bytes(head).lstrip()[:1] in (b"{", b"[")
    try:
        with open(path, "rb") as file:
            return file.read(HEAD).lstrip()[:1] in (b"{", b"[")
    except OSError:
        return False  # a directory, or nothing: opening the input says so


def _image(args: argparse.Namespace) -> int:
    import sys

    from devstate.cli.build import save
    from devstate.cli.convert_target import targets
    from devstate.cli.inputs import open_given
    from devstate.handover.convert import carry_out, convert

    registry = open_registry(args.schemas)
    handover = open_given(args, args.input, registry)
    if handover.memory is None:
        raise UsageError(f"{handover.source}: only a handover in memory can be converted")
    if handover.problems:
        problem = handover.problems[0]
        raise DecodeError(f"a damaged handover is not converted: {problem.message}", source=handover.source, pa=problem.pa)
    forms, own = targets(handover, args.to)
    try:
        conversion = convert(handover, forms, own)
        built = carry_out(conversion)
    except EncodeError as error:
        from devstate.report.printable import printable

        print(f"error: {printable(f'cannot be carried: {error}')}", file=sys.stderr)
        return REFUSED
    conversion = replace(conversion, notes=(*conversion.notes, *_errors(handover)))
    refused = bool(conversion.dropped) and not args.allow_loss
    written = args.output if not refused else None
    if written is not None:
        save(built, written, conversion.spec.forms.release, force=args.force)
    _say(args, registry, conversion, refused=refused, written=written)
    return REFUSED if refused else OK


def _errors(handover: Handover) -> list[str]:
    """That what is converted was not sound before."""
    from devstate.check.run import check
    from devstate.finding import Severity

    count = sum(finding.severity is Severity.ERROR for finding in check(handover).findings)
    return [f"`devstate check` finds {count} {'error' if count == 1 else 'errors'} in it, and converting mends none"] if count else []


def _say(args: argparse.Namespace, registry: Registry, conversion: Conversion, *, refused: bool, written: str | None) -> None:
    """What was done, as text or JSON."""
    import sys

    from devstate.report.printable import printable

    paths = _paths(conversion)
    if args.json:
        from devstate.report.json import write

        losses = [{"path": each.path, "what": each.what, "value": each.value, "why": each.why} for each in conversion.dropped]
        document = {"formats": paths, "losses": losses, "notes": list(conversion.notes), "refused": refused, "output": written}
        write(document, sys.stdout)
        return
    lines = [" -> ".join(path) if len(path) > 1 else f"{path[0]}, as it is" for path in paths]
    lines += [f"lost: {each.path}: {each.what} {each.value}: {each.why}" for each in conversion.dropped]
    lines += [f"note: {each}" for each in conversion.notes]
    if refused:
        lines.append(refusal(len(conversion.dropped)))
    else:
        lines.append("it can be converted: -o FILE writes it" if written is None else f"written: {written}")
    print("\n".join(map(printable, lines)))


def refusal(count: int) -> str:
    """Why nothing is written."""
    return f"refused: {count} {'value' if count == 1 else 'values'} would be lost; --allow-loss converts it all the same"


def _paths(conversion: Conversion) -> list[list[str]]:
    """The versions that each part goes through."""
    was, now = conversion.given, conversion.spec.forms
    pairs = zip((was.kho, was.luo, was.memfd), (now.kho, now.luo, now.memfd), strict=True)
    paths = [[one] for one, other in pairs if one and other] + [[one] for one in conversion.own]
    for path in paths:
        for step in conversion.steps:
            if step.source == path[-1]:
                path.append(step.target)
    return paths
