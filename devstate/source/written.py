# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts that somebody wrote down: schemas, baselines, manifests. What is read here was written by devstate, or for it."""

from __future__ import annotations

import os

from devstate.errors import DecodeError, UsageError
from devstate.finding import Location
from devstate.frozen import replace
from devstate.layout.baseline import big_endian, fingerprint
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout
from devstate.layout.plain import layout_from_plain, to_plain
from devstate.layout.registry import Registry
from devstate.layout.sane import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE_MAX = 64 << 20
"""Bytes of a JSON file: a machine of QEMU has one, a baseline a thousandth of it."""

FILES_MAX = 4096
"""Baselines in one directory: two hundred drivers with twenty versions each, an order above what exists."""


def open_schemas(path: str, environment: Environment) -> Declared:
    """The schemas in a Python file or package. UsageError or SchemaError when they cannot be loaded."""
    from devstate.layout.compiling import add_user_schemas

    own = Registry()
    add_user_schemas(own, path)
    if not own.summaries:
        raise UsageError(f"{path}: no SCHEMAS in there")
    formats = tuple([own.layout(name, environment) for name in own.summaries])
    places = tuple((each.name, Location(path)) for each in formats)
    return Declared(path, "schemas", environment, formats, places, steps=tuple(own.steps))


def open_baselines(path: str, environment: Environment) -> Declared:
    """The baselines in a directory. UsageError when there is none, DecodeError for a damaged one."""
    names = sorted(name for name in os.listdir(path) if name.endswith(".json"))
    if len(names) > FILES_MAX:
        raise UsageError(f"{path}: more than {FILES_MAX} files")
    formats, places = [], []
    for name in names:
        file = os.path.join(path, name)
        plain = read_plain(file)
        if isinstance(plain, dict) and "layouts" in plain:
            layout = layout_of_baseline(plain, file, environment)
            formats.append(layout)
            places.append((layout.name, Location(file)))
    if not formats:
        raise UsageError(f"{path}: no baseline is in there")
    return Declared(path, "baselines", environment, tuple(formats), tuple(places))


def open_json(path: str, environment: Environment, registry: Registry) -> Declared:
    """A baseline, a manifest, or a machine of QEMU. DecodeError when the file is none of these."""
    plain = read_plain(path)
    if isinstance(plain, dict) and "layouts" in plain:
        layout = layout_of_baseline(plain, path, environment)
        return Declared(path, "baselines", environment, (layout,), ((layout.name, Location(path)),))
    if isinstance(plain, dict) and "manifest" in plain:
        return _of_manifest(plain, path, environment, registry)
    from devstate.source.machine import MACHINE, open_machine

    if isinstance(plain, dict) and MACHINE in plain:
        return open_machine(plain, path, environment)
    raise DecodeError("nothing with layouts", source=path, expected="a baseline, a manifest or a dump of QEMU", found=type(plain).__name__)


def layout_of_baseline(plain: Any, source: str, environment: Environment) -> Layout:
    """The layout for one environment in the plain form of a baseline."""
    try:
        found = [each["layout"] for each in plain["layouts"] if environment.page_size in each["page_sizes"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"not a baseline: {error}", source=source, expected="layouts with page_sizes") from error
    if not found:
        raise DecodeError("the baseline has no such page size", source=source, expected=environment.page_size, found="others")
    try:
        layout = replace(checked(layout_from_plain(found[0]), source), environment=Environment(environment.page_size))
    except DecodeError as error:
        raise error.at(source=source) from None
    return big_endian(layout) if environment.byte_order == "big" else layout


def _of_manifest(plain: Any, path: str, environment: Environment, registry: Registry) -> Declared:
    """The formats of a manifest that the registry knows with the same bytes; the others are missing evidence."""
    formats: list[Layout] = []
    missing = []
    try:
        missing += [str(each) for each in plain["missing"]]
        for each in plain["formats"]:
            name, prints = str(each["name"]), dict(each["fingerprints"])
            if name not in registry.summaries:
                missing.append(f"the format {name} is not known here")
                continue
            layout = registry.layout(name, environment)
            if prints.get(str(environment.page_size)) == print_of(layout):
                formats.append(layout)
            else:
                missing.append(f"the layout of {name} is not the one that is known here")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DecodeError(f"not a manifest: {error}", source=path, advice="`devstate manifest` writes one") from error
    return Declared(path, "manifest", environment, tuple(formats), tuple((each.name, Location(path)) for each in formats), tuple(missing))


def print_of(layout: Layout) -> str:
    """The fingerprint of one layout, as manifests have it: without its environment."""
    plain = to_plain(layout)
    plain.pop("environment", None)
    return fingerprint(plain)


def read_plain(path: str) -> Any:
    """The data in a JSON or msgpack file. UsageError when it cannot be read, DecodeError when it is neither."""
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > FILE_MAX:
        raise UsageError(f"{path}: larger than {FILE_MAX} bytes")
    try:
        if data[:1] in (b"{", b"[", b" ", b"\n"):
            import json

            return json.loads(data)
        import msgpack

        return msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise DecodeError(f"neither JSON nor msgpack: {error}", source=path, expected="layouts of some form") from error
