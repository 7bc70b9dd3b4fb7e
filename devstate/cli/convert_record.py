# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""convert on one record, or a JSON list of records: JSON to JSON, bytes to bytes. What is lost is said on standard error."""

from __future__ import annotations

import sys

from devstate.cli.convert import refusal
from devstate.cli.convert_target import form_called, form_for_record
from devstate.cli.decode import read_input
from devstate.cli.encode import parsed
from devstate.cli.inputs import open_environment, open_registry
from devstate.errors import EncodeError, UsageError
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from devstate.codec.convert import Converted
    from devstate.codec.record import Record
    from devstate.codec.tagged import Tagged
    from devstate.layout.model import Environment, Layout
    from devstate.layout.registry import Registry

OK, REFUSED = 0, 1


def run_record(args: argparse.Namespace) -> int:
    """Write the record in its new form; 1 when it cannot be carried, or when values are lost and --allow-loss is not given."""
    from devstate.codec.convert import convert_record
    from devstate.codec.decode import decode
    from devstate.codec.tagged import decode_tagged

    if len(args.to) != 1:
        raise UsageError("a record is of one format: name one --to")
    registry, environment = open_registry(args.schemas), open_environment(args)
    data = read_input(args.input)
    is_json = data.lstrip()[:1] in (b"{", b"[")
    shown: Any = parsed(data, args.input) if is_json else None
    source = form_called(registry, args.format) if args.format is not None else _guessed(registry, environment, shown, args.to[0])
    target, layout = form_for_record(registry, source, args.to[0]), registry.layout(source, environment)
    if not isinstance(layout.root, str):
        raise UsageError(f"{source} is a devicetree: convert the handover that holds it")
    if is_json:
        records = [_from_json(layout, each) for each in (shown if isinstance(shown, list) else [shown])]
    else:
        is_tagged = layout.encoding == "tagged"
        records = [decode_tagged(layout, data, source=args.input) if is_tagged else decode(layout, data, source=args.input, exact=True)]
    try:
        made = [convert_record(registry, source, target, record, environment) for record in records]
    except EncodeError as error:
        print(f"error: {printable(f'cannot be carried: {error}')}", file=sys.stderr)
        return REFUSED
    lost = [f"lost: {loss.path} {loss.value!r}: {step.target} does not keep it" for each in made for step, loss in each.losses]
    for line in lost:
        print(printable(line), file=sys.stderr)
    if lost and not args.allow_loss:
        print(refusal(len(lost)), file=sys.stderr)
        return REFUSED
    _write(args, made, is_json=is_json, is_list=isinstance(shown, list))
    return OK


def _guessed(registry: Registry, environment: Environment, shown: Any, wanted: str) -> str:
    """The format of a JSON record: the one that has its fields, among those that converters lead from to what is wanted."""
    from devstate.errors import LocatedError

    first = shown[0] if isinstance(shown, list) and shown else shown
    found = []
    for name in dict.fromkeys(step.source for step in registry.steps):
        layout = registry.layout(name, environment)
        try:
            target = form_for_record(registry, name, wanted)
            if not isinstance(layout.root, str) or registry.chain(name, target) is None:
                continue
            _from_json(layout, first)
        except (LocatedError, UsageError):
            continue
        found.append(name)
    if len(found) != 1:
        which = f"it may be {', '.join(found)}" if found else "none that converts to it has its fields"
        raise UsageError(f"the format of the record is not clear: {which}; --as FORMAT says it")
    return found[0]


def _from_json(layout: Layout, shown: Any) -> Record | Tagged:
    """The record behind its JSON form, of either encoding. EncodeError for one that is none of this format."""
    from devstate.codec.tagged import encode_tagged
    from devstate.codec.tagged_text import tagged_from_json
    from devstate.codec.text import from_json

    if layout.encoding != "tagged":
        return from_json(layout, shown)
    record = tagged_from_json(layout, shown)
    encode_tagged(layout, record)  # whether fields are missing
    return record


def _write(args: argparse.Namespace, made: list[Converted], *, is_json: bool, is_list: bool) -> None:
    import json

    from devstate.codec.tagged import Tagged
    from devstate.codec.tagged_text import tagged_to_json
    from devstate.codec.text import to_json

    if is_json:
        pairs = [(each.layout, each.record) for each in made]
        shown = [tagged_to_json(layout, each) if isinstance(each, Tagged) else to_json(layout, each) for layout, each in pairs]
        data = (json.dumps(shown if is_list else shown[0], indent=2) + "\n").encode()
    else:
        data = made[0].data
    if args.output is None or args.output == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        with open(args.output, "wb" if args.force else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(f"{args.output} is there already; --force overwrites it") from None
    except OSError as error:
        raise EncodeError(f"cannot be written: {error.strerror or error}", source=args.output) from None
