# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From schema modules to the compiled form that the registry reads: finding, lowering, packing. Runs construct, so never at start-up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from devstate.errors import DevstateError, SchemaError, UsageError
from devstate.layout.convertible import check_converter
from devstate.layout.lower import lower
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.layout.plain import to_plain
from devstate.layout.registry import COMPILED_VERSION, Registry
from devstate.schema import Converter, Schema

ENTRY_POINTS = "devstate.schemas"


def schemas_of(package: ModuleType) -> Iterator[Schema]:
    """The schemas in the ``SCHEMAS`` lists of a module and, for a package, of the modules below it, in order of their names.

    SchemaError when a list holds anything else.
    """
    import importlib
    import pkgutil

    schemas = getattr(package, "SCHEMAS", ())
    if not isinstance(schemas, list | tuple) or not all(isinstance(each, Schema) for each in schemas):
        raise SchemaError("SCHEMAS is no list of schemas", path=package.__name__)
    yield from schemas
    for info in pkgutil.iter_modules(getattr(package, "__path__", ()), package.__name__ + "."):
        yield from schemas_of(importlib.import_module(info.name))


def converters_of(package: ModuleType) -> Iterator[Converter]:
    """The converters in the ``CONVERTERS`` lists of a module and of the modules below it. SchemaError when a list holds anything else."""
    import importlib
    import pkgutil

    converters = getattr(package, "CONVERTERS", ())
    if not isinstance(converters, list | tuple) or not all(isinstance(each, Converter) for each in converters):
        raise SchemaError("CONVERTERS is no list of converters", path=package.__name__)
    yield from converters
    for info in pkgutil.iter_modules(getattr(package, "__path__", ()), package.__name__ + "."):
        yield from converters_of(importlib.import_module(info.name))


def compile_schemas(schemas: Iterable[Schema], converters: Iterable[Converter] = ()) -> bytes:
    """The compiled file for ``schemas`` and the converters between them, or from and to shipped ones. SchemaError for two schemas of one
    name, and for what cannot be lowered.
    """
    import msgpack

    schemas = list(schemas)
    entries: dict[str, Any] = {}
    for schema in schemas:
        if schema.name in entries:
            raise SchemaError("two schemas have this name", path=schema.name)
        layouts = {size: msgpack.packb(to_plain(lower(schema, Environment(size)))) for size in PAGE_SIZES}
        plain = {size: _without_environment(schema, size) for size in PAGE_SIZES}
        kept = {size: layouts[size] for size in PAGE_SIZES if size == PAGE_SIZES[0] or plain[size] != plain[PAGE_SIZES[0]]}
        entries[schema.name] = [_summary(lower(schema)), kept]
    made = [_converter(each, {schema.name: schema for schema in schemas}) for each in converters]
    packed: bytes = msgpack.packb({"version": COMPILED_VERSION, "schemas": entries, "converters": made})
    return packed


def _converter(converter: Converter, schemas: dict[str, Schema]) -> dict[str, Any]:
    def layout(name: str) -> Layout:
        if name in schemas:
            return lower(schemas[name])
        if name in Registry.shipped().summaries:
            return Registry.shipped().layout(name, Environment())
        raise SchemaError(f"no schema is called {name!r}", path=f"{converter.old} to {converter.new}")

    plain = {"old": converter.old, "new": converter.new, "up": converter.up, "down": converter.down, "loses": list(converter.loses)}
    check_converter(plain, layout(converter.old), layout(converter.new))
    return plain


def _without_environment(schema: Schema, page_size: int) -> Any:
    plain = to_plain(lower(schema, Environment(page_size)))
    plain.pop("environment", None)
    return plain


def _summary(layout: Layout) -> dict[str, Any]:
    return {
        "name": layout.name,
        "compatible": layout.compatible,
        "status": layout.status,
        "since": layout.since,
        "until": layout.until,
        "size": layout.struct().size if isinstance(layout.root, str) else None,
        "source": layout.source,
        "doc": layout.doc,
        "found_by": layout.found_by,
        "carrier": layout.carrier,
        "structs": [struct.name for struct in layout.structs],
    }


def add_user_schemas(registry: Registry, path: str) -> None:
    """Lower the schemas in the Python file or package directory ``path`` into ``registry``, through the cache.

    UsageError when nothing is there; SchemaError when a schema is wrong.
    """
    import hashlib

    files = sorted(_python_files(path))
    if not files:
        raise UsageError(f"{path}: no Python file with schemas; --schemas takes a file or a package directory")
    digest = hashlib.sha256(f"{COMPILED_VERSION}".encode())
    for name in files:
        with open(name, "rb") as file:
            digest.update(file.read())
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cached = os.path.join(base, "devstate", f"{digest.hexdigest()}.msgpack")
    if os.path.exists(cached):
        with open(cached, "rb") as file:
            registry.add_compiled(file.read(), cached)
        return
    try:
        compiled = _compiled(_load(path))
    except DevstateError:
        raise
    except (Exception, SystemExit) as error:  # a user's file may fail in any way; it is their error to read, not our traceback
        raise UsageError(f"{path}: cannot be loaded: {type(error).__name__}: {error}") from error
    registry.add_compiled(compiled, path)
    _keep(cached, compiled)


def add_entry_points(registry: Registry) -> bool:
    """Lower the schemas of installed packages that name a module in the entry point group ``devstate.schemas``. Whether there are any.

    UsageError, with the package's name, when its module cannot be loaded; SchemaError when a schema is wrong.
    """
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINTS)
    for entry in found:
        try:
            module = entry.load()
        except SchemaError:
            raise
        except Exception as error:  # another package's module may fail in any way: it is named, and its error is the user's to read
            raise UsageError(f"entry point {entry.name!r} ({entry.value}) of {ENTRY_POINTS} cannot be loaded: {error}") from error
        registry.add_compiled(_compiled(module), f"entry point {entry.name}")
    return bool(found)


def _compiled(module: ModuleType) -> bytes:
    return compile_schemas(schemas_of(module), converters_of(module))


def _python_files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))


def _load(path: str) -> ModuleType:
    """Import a file or package. Without bytecode: Python takes a file that changed within a second, and kept its size, for the old one."""
    import importlib.util
    import sys

    name = os.path.splitext(os.path.basename(os.path.abspath(path)))[0]
    init = os.path.join(path, "__init__.py") if os.path.isdir(path) else path
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[path] if os.path.isdir(path) else None)
    if spec is None or spec.loader is None or not os.path.exists(init):
        raise UsageError(f"{path}: not a Python module; a directory needs an __init__.py")
    module = importlib.util.module_from_spec(spec)
    if os.path.isdir(path):  # its modules import each other by this name; a file has none, and may be called json.py
        sys.modules[name] = module
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with open(init, "rb") as file:
            exec(compile(file.read(), init, "exec"), module.__dict__)
    finally:
        sys.dont_write_bytecode = writes
    return module


def _keep(path: str, data: bytes) -> None:
    """Write the cache entry in one step; a cache that cannot be written is no error."""
    import contextlib

    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f"{path}.{os.getpid()}"
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, path)
