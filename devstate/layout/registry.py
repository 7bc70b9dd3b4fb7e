# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The registry: every known format, asked for by compatible. devstate never names a schema, it asks here.

Shipped schemas come from ``devstate_schemas/baselines/compiled.msgpack``, which ``make gen`` writes, so that the running tool
never imports construct. Its form is ``{"version": 2, "schemas": {name: [summary, {page size: layout as msgpack}]}, "converters": [...]}``,
layouts for little-endian environments; a page size whose layout equals that of 4096 is left out.

A user's own schemas (``--schemas PATH``, or an entry point in the group ``devstate.schemas`` that names a module) are lowered on
first use and cached by content hash under ``$XDG_CACHE_HOME/devstate``.
"""

from __future__ import annotations

import os

from devstate.errors import DecodeError, UsageError
from devstate.frozen import frozen, replace
from devstate.layout.baseline import big_endian
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.layout.plain import layout_from_plain, to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from devstate.layout.converter import Step

COMPILED_VERSION = 2
COMPILED_MAX = 64 << 20
"""Bytes that a compiled file may have: a hundred times what is shipped, so that a wrong file is refused before it is parsed."""


@frozen
class Summary:
    """What the list of formats shows: one line for each schema. ``size`` is the root struct's bytes on 4K pages, None for a tree."""

    name: str
    compatible: str | None
    status: str
    since: str | None
    until: str | None
    size: int | None
    source: str
    doc: str
    found_by: str | None
    carrier: str
    structs: tuple[str, ...]


def summary_of(layout: Layout) -> Summary:
    """The line for one layout."""
    return Summary(
        layout.name, layout.compatible, layout.status, layout.since, layout.until,
        layout.struct().size if isinstance(layout.root, str) else None, layout.source, layout.doc, layout.found_by, layout.carrier,
        tuple(struct.name for struct in layout.structs),
    )  # fmt: skip


class Registry:
    """Formats by name, compatible and struct. Layouts are unpacked when they are first asked for."""

    def __init__(self) -> None:
        self._installed = False
        self._packed: dict[str, dict[int, bytes]] = {}
        self._layouts: dict[tuple[str, Environment], Layout] = {}
        self._names: dict[str, list[str]] = {}
        self.summaries: dict[str, Summary] = {}
        self.steps: list[Step] = []

    @classmethod
    def shipped(cls) -> Registry:
        """The formats that devstate ships; the same object each time. DecodeError when the compiled file is missing or damaged."""
        global _SHIPPED
        if _SHIPPED is None:
            import devstate_schemas

            path = os.path.join(os.path.dirname(devstate_schemas.__file__ or ""), "baselines", "compiled.msgpack")
            _SHIPPED = cls()
            try:
                with open(path, "rb") as file:
                    _SHIPPED.add_compiled(file.read(COMPILED_MAX + 1), path)
            except OSError as error:
                _SHIPPED = None
                raise DecodeError(f"cannot read the compiled schemas: {error.strerror}", source=path, advice="run `make gen`") from error
        return _SHIPPED

    def copy(self) -> Registry:
        """A registry with the same formats, to which others can be added."""
        made = Registry()
        made._packed, made.summaries, made.steps = self._packed.copy(), self.summaries.copy(), self.steps.copy()
        return made

    def add_compiled(self, data: bytes, source: str) -> None:
        """Take in the formats of a compiled file; a name that is known already is replaced."""
        import msgpack

        try:
            if len(data) > COMPILED_MAX:
                raise ValueError(f"larger than {COMPILED_MAX} bytes")
            plain = msgpack.unpackb(data, strict_map_key=False)
            if plain["version"] != COMPILED_VERSION:
                raise ValueError(f"version {plain['version']!r}")
            for name, (summary, layouts) in plain["schemas"].items():
                self.summaries[name] = Summary(**(summary | {"structs": tuple(summary["structs"])}))
                self._packed[name] = dict(layouts)
            self._names.clear()
            self._take_converters(plain["converters"])
        except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
            raise DecodeError(
                f"not a compiled schema file: {error}", source=source, expected=f"version {COMPILED_VERSION}", advice="run `make gen`"
            ) from error

    def add_layouts(self, layouts: Mapping[int, Layout]) -> None:
        """Take in one format from its layouts by page size, little endian; sizes that are not given are laid out as the first one."""
        import msgpack

        first = next(iter(layouts.values()))
        packed = {size: msgpack.packb(to_plain(layout)) for size, layout in layouts.items()}
        self._packed[first.name] = {PAGE_SIZES[0]: next(iter(packed.values()))} | packed
        self.summaries[first.name] = summary_of(first)
        self._names.clear()

    def _take_converters(self, plain: Any) -> None:
        """Take in converters; one between the same two schemas is replaced."""
        if plain:
            from devstate.layout.converter import steps_from_plain

            taken = steps_from_plain(plain)
            pairs = {frozenset((step.source, step.target)) for step in taken}
            self.steps = [step for step in self.steps if frozenset((step.source, step.target)) not in pairs] + taken

    def chain(self, source: str, target: str) -> tuple[Step, ...] | None:
        """The converters that lead from one schema to another, by name: none when they are the same, None when they do not."""
        from devstate.layout.converter import chain

        return chain(self.steps, source, target)

    def names(self, compatible: str) -> list[str]:
        """Names of the schemas with this compatible, the variant without a mark first; empty when it is unknown."""
        found = self._names.get(compatible)
        if found is None:
            of_it = [name for name, summary in self.summaries.items() if summary.compatible == compatible]
            found = sorted(of_it, key=lambda name: (name != compatible, name))
            if found:
                self._names[compatible] = found
            elif self._take_installed():
                return self.names(compatible)
        return found

    def _take_installed(self) -> bool:
        """Take in the schemas of installed packages, once, when something is met that is not known. Whether there were any."""
        if self._installed:
            return False
        self._installed = True
        from devstate.layout.compiling import add_entry_points

        return add_entry_points(self)

    def found_by(self, where: str) -> list[str]:
        """Names of the schemas whose ``found_by`` is ``where``, such as ``KHO subtree LUO``; newest first."""
        found = [name for name, summary in self.summaries.items() if summary.found_by == where]
        return sorted(found, key=lambda name: (self.summaries[name].until is not None, self.summaries[name].status != "mainline"))

    def layout(self, name: str, environment: Environment) -> Layout:
        """The layout of the schema called ``name`` (not a compatible: see :meth:`find`). UsageError when there is none."""
        key = (name, environment)
        if key not in self._layouts:
            import msgpack

            if name not in self._packed:
                raise UsageError(f"no schema is called {name!r}; `devstate schemas` lists them")
            pages = self._packed[name]
            try:
                plain: Any = msgpack.unpackb(pages.get(environment.page_size) or pages[4096], strict_map_key=False)
            except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
                raise DecodeError(f"the compiled layout of {name} is damaged: {error}", advice="run `make gen`") from error
            layout = replace(layout_from_plain(plain), environment=Environment(environment.page_size))
            self._layouts[key] = big_endian(layout) if environment.byte_order == "big" else layout
        return self._layouts[key]

    def find(self, what: str, environment: Environment) -> Layout:
        """The layout for a schema name, a compatible, or the name of a struct in some schema (mainline and newest first).

        UsageError when nothing or, for a compatible, no single form is meant.
        """
        if what in self.summaries:
            return self.layout(what, environment)
        variants = self.names(what)
        if len(variants) > 1:
            raise UsageError(f"{what!r} stands for several forms: {', '.join(variants)}; name one of them")
        holders = variants or sorted(
            (name for name, summary in self.summaries.items() if what in summary.structs),
            key=lambda name: (self.summaries[name].status != "mainline", self.summaries[name].until is not None, name),
        )
        if not holders:
            raise UsageError(f"no schema, compatible or struct is called {what!r}; `devstate schemas` lists them")
        return self.layout(holders[0], environment)


_SHIPPED: Registry | None = None
