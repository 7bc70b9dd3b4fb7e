# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Kernels and object files: what a compiler really laid out.

Debug information knows no versions. Without a version each struct that was asked for is a layout of its own whose carrier is unknown.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.finding import Location
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.source.btf import Btf
from devstate.source.btf_composite import btf_structs
from devstate.source.known import bare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.registry import Registry


def open_compiled(path: str, environment: Environment, *, type_name: str | None, registry: Registry) -> Declared:
    """What a file with BTF declares. Errors as Btf.open()."""
    try:
        btf = Btf.open(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    environment = Environment(environment.page_size, btf.byte_order)
    if type_name is not None:
        return Declared(path, "build", environment, (bare(type_name, type_name, btf_structs(btf, [type_name]), environment, path),))
    roots: dict[str, None] = {}
    for name in registry.summaries:
        root = registry.layout(name, environment).root
        if isinstance(root, str) and btf.find(root):
            roots[root] = None
    formats = tuple([bare(root, root, btf_structs(btf, [root]), environment, path) for root in roots])
    return Declared(path, "build", environment, formats, tuple((each.name, Location(path)) for each in formats))
