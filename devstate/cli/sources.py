# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From a word on the command line to what it declares: baselines, schemas, a release, one format; headers, builds and objects by source.

A word that names a file or directory is that; ``git:REF[:PATH]`` is read out of the repository; anything else is a release such as 7.3,
``shipped``, or a format's name or compatible.
"""

from __future__ import annotations

import os

from devstate.errors import DecodeError, UsageError
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.registry import Registry

SHIPPED = "shipped"
"""The word for everything that devstate knows."""

FILE_MAX = 64 << 20
"""Bytes of a baseline or compiled file: a hundred times what is shipped."""


def open_source(word: str, environment: Environment, registry: Registry, type_name: str | None = None) -> Declared:
    """What ``word`` declares in ``environment``. UsageError when it is nothing that is known, DecodeError for a damaged file."""
    if word.startswith("git:") or os.path.exists(word):
        return _open_path(word, environment, registry, type_name)
    if word == SHIPPED:
        return Declared(word, "baselines", environment, tuple(registry.layout(name, environment) for name in registry.summaries))
    from devstate.layout.release import parse_release, writes

    release = parse_release(word)
    if release is not None and "/" not in word:
        names = [name for name, summary in registry.summaries.items() if writes(summary, release)]
        if not names:
            raise UsageError(f"no format of kernel {release} is known; Kexec HandOver begins with 6.16")
        return Declared(word, "schemas", environment, tuple(registry.layout(name, environment) for name in names))
    if "/" in word or word.endswith((".json", ".py", ".h", ".o", ".msgpack")):
        raise UsageError(f"{word}: no such file")
    try:
        return Declared(word, "schemas", environment, (registry.find(word, environment),))
    except UsageError as error:
        raise UsageError(f"{word!r} is no file, no release, and {error}") from None


def _open_path(path: str, environment: Environment, registry: Registry, type_name: str | None) -> Declared:
    """A file or directory: of JSON baselines, compiled schemas or Python schemas."""
    from devstate.layout.registry import Registry

    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    if path.endswith(".json"):
        return _declared(path, environment, [_baseline(path, environment)])
    if any(name.endswith(".json") for name in names):
        found = [_baseline(os.path.join(path, name), environment) for name in names if name.endswith(".json")]
        return _declared(path, environment, found)
    own = Registry()
    if path.endswith(".msgpack"):
        with open(path, "rb") as file:
            own.add_compiled(file.read(FILE_MAX + 1), path)
        kind = "baselines"
    elif path.endswith(".py") or "__init__.py" in names:
        from devstate.layout.compiling import add_user_schemas

        add_user_schemas(own, path)
        kind = "schemas"
    else:
        raise UsageError(f"{path}: neither baselines nor schemas")
    return Declared(path, kind, environment, tuple(own.layout(name, environment) for name in own.summaries))


def _declared(path: str, environment: Environment, formats: list[Layout]) -> Declared:
    return Declared(path, "baselines", environment, tuple(formats))


def _baseline(path: str, environment: Environment) -> Layout:
    """The layout of a baseline file for an environment. DecodeError when it has none."""
    import json

    from devstate.frozen import replace
    from devstate.layout.baseline import big_endian
    from devstate.layout.plain import layout_from_plain

    try:
        with open(path, "rb") as file:
            plain = json.loads(file.read(FILE_MAX))
        group = next(each for each in plain["layouts"] if environment.page_size in each["page_sizes"])["layout"]
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise DecodeError("not a baseline", source=path, expected="{name, fingerprint, layouts}", advice=f"{error}") from error
    layout = replace(layout_from_plain(group), environment=Environment(environment.page_size))
    return big_endian(layout) if environment.byte_order == "big" else layout
