# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From what a source declares to a manifest: each format by the name of the published schema with the same bytes, else with its layouts.

A header or a build never looks exactly like the schema that stands for it (a link is a union there, a field has another name): what counts
is that comparing the two finds nothing that is on the wire.
"""

from __future__ import annotations

from devstate.compat.change import UNKNOWN
from devstate.compat.compare import compare
from devstate.compat.manifest import Format, Manifest, format_of
from devstate.compat.predict import FILES
from devstate.compat.words import names_text
from devstate.errors import DevstateError
from devstate.finding import Reaction
from devstate.frozen import replace
from devstate.layout.baseline import fingerprint
from devstate.layout.plain import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout
    from devstate.layout.registry import Registry


def manifest_of(name: str, release: str | None, declared: list[Declared], registry: Registry) -> Manifest:
    """The manifest of a source that was read for several environments (page sizes). Layouts without any version are left out, and said."""
    by_name: dict[str, list[Layout]] = {}
    for each in declared:
        for layout in each.formats:
            by_name.setdefault(layout.name, []).append(layout)
    missing = list(dict.fromkeys(text for each in declared for text in each.missing))
    formats = [_format(layouts, registry) for layouts in by_name.values() if layouts[0].carrier != UNKNOWN]
    bare = [label for label, layouts in by_name.items() if layouts[0].carrier == UNKNOWN]
    if bare:
        missing.append(f"nobody knows the versions of {names_text(bare)}")
    if not any(each.place.startswith("kho_data") for each in formats):
        missing.append("no format of KHO's root was found in it")
    return Manifest(name, release, declared[0].kind, tuple(formats), tuple(missing))


def _format(layouts: list[Layout], registry: Registry) -> Format:
    first = layouts[0]
    names = registry.names(first.compatible) if first.compatible is not None else [first.name]
    for name in names:
        if name in registry.summaries and all(_same_bytes(registry.layout(name, each.environment), each) for each in layouts):
            return format_of(registry, name)
    return format_with_layouts(layouts)


def format_with_layouts(layouts: list[Layout]) -> Format:
    """A format that no schema stands for: it carries its own layouts, one for each page size that it was read for."""
    first = layouts[0]
    plain = [(each.environment.page_size, _plain(each)) for each in layouts]
    prints = tuple((size, fingerprint(each)) for size, each in plain)
    by_size = tuple((each.environment.page_size, each) for each in layouts)
    return Format(first.found_by or first.name, first.name, first.compatible, first.on_mismatch, prints, by_size)


def with_others(manifest: Manifest, declared: Declared) -> Manifest:
    """A build's manifest with the formats that have a version of their own and are laid out as no published schema says."""
    known = {each.compatible for each in manifest.formats}
    others = [each for each in declared.formats if each.compatible is not None and each.compatible not in known and each.found_by]
    found = {each.compatible for each in others}
    missing = tuple(each for each in manifest.missing if not any(f"the string {text} is there" in each for text in found))
    if any((each.found_by or "").startswith("kho_data") for each in others):
        missing = tuple(each for each in missing if not each.startswith("no format of KHO's root"))
    made = tuple(format_with_layouts([each]) for each in others)
    return replace(manifest, formats=(*manifest.formats, *made), missing=missing)


def with_handlers(manifest: Manifest, versions: tuple[str, ...] | None, registry: Registry) -> Manifest:
    """A build's manifest held to the versions of file handlers that the build lists itself; None when it lists none."""
    if versions is None:
        return manifest
    kept = tuple(each for each in manifest.formats if each.place != FILES or each.compatible in versions)
    known = {each.compatible for each in kept}
    formats, missing = list(kept), list(manifest.missing)
    for text in versions:
        names = registry.names(text) if text not in known else []
        if len(names) == 1:
            formats.append(format_of(registry, names[0]))
        elif text not in known:
            formats.append(Format(FILES, text, text, str(Reaction.OPEN_FAILS)))
            missing.append(f"the handler {text} is listed, and nobody knows its bytes")
    return replace(manifest, formats=tuple(formats), missing=tuple(missing))


def _plain(layout: Layout) -> dict[str, object]:
    plain: dict[str, object] = to_plain(layout)
    plain.pop("environment", None)
    return plain


def _same_bytes(known: Layout, layout: Layout) -> bool:
    """Whether comparing finds nothing on the wire."""
    try:
        found = compare(known, layout)
    except DevstateError:
        return False
    return not any(change.wire for change in found.changes) and known.version == layout.version
