# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Manifests: which formats a kernel build writes and reads, place by place.

A manifest is plain data: JSON and msgpack have the same form, ``{"manifest": 1, "name", "release", "origin", "missing": [...],
"formats": [{"place", "name", "compatible", "mismatch", "fingerprints": {page size: hex}, "layouts": {page size: layout}?}]}``.
Upstream accepts exactly what it writes, so one list stands for both. ``missing`` says what could not be found out: evidence that is
not there is never a pass.
"""

from __future__ import annotations

from devstate.errors import DecodeError, UsageError
from devstate.finding import Reaction
from devstate.frozen import frozen
from devstate.layout.baseline import fingerprint
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.plain import layout_from_plain, to_plain
from devstate.layout.release import parse_release, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from devstate.layout.model import Layout
    from devstate.layout.registry import Registry

VERSION = 1
FORMATS_MAX = 4096
"""Formats of one build: two hundred drivers with twenty versions each, an order above what exists."""


@frozen
class Format:
    """One format that a build writes and reads. ``place`` is where a reader finds it, ``name`` the schema's, ``mismatch`` the reaction
    of a kernel that does not know it. ``fingerprints`` are (page size, fingerprint of the layout), empty when nobody knows the bytes.
    ``layouts`` are (page size, layout) of a format that no published schema stands for.
    """

    place: str
    name: str
    compatible: str | None
    mismatch: str
    fingerprints: tuple[tuple[int, str], ...] = ()
    layouts: tuple[tuple[int, Layout], ...] = ()


@frozen
class Manifest:
    """What one kernel build writes and reads. ``origin`` says where that was learned."""

    name: str
    release: str | None
    origin: str
    formats: tuple[Format, ...]
    missing: tuple[str, ...] = ()

    def at(self, place: str) -> tuple[Format, ...]:
        """The formats of one place."""
        return tuple(each for each in self.formats if each.place == place)

    def places(self) -> list[str]:
        """The places that this build has a format for, in order."""
        return list(dict.fromkeys(each.place for each in self.formats))


def format_of(registry: Registry, name: str) -> Format:
    """The manifest's entry for a schema of the registry."""
    summary = registry.summaries[name]
    prints = []
    for page_size in PAGE_SIZES:
        plain = to_plain(registry.layout(name, Environment(page_size)))
        plain.pop("environment", None)
        prints.append((page_size, fingerprint(plain)))
    mismatch = registry.layout(name, Environment()).on_mismatch
    return Format(summary.found_by or name, name, summary.compatible, mismatch, tuple(prints))


def release_manifest(registry: Registry, release: str) -> Manifest:
    """What kernels of a release write and read, by the shipped schemas. UsageError for a text that is no release, or one without KHO."""
    parsed = parse_release(release)
    if parsed is None:
        raise UsageError(f"{release!r} is no kernel release; expected two numbers, such as 7.3 or 7.1-rc5")
    names = [name for name, summary in registry.summaries.items() if summary.found_by and writes(summary, parsed)]
    if not names:
        raise UsageError(f"no format of kernel {parsed} is known; Kexec HandOver begins with 6.16")
    return Manifest(str(parsed), str(parsed), "schemas", tuple(format_of(registry, name) for name in names))


def build_manifest(registry: Registry, name: str, release: str | None, names: Iterable[str], missing: tuple[str, ...]) -> Manifest:
    """The manifest of a build in which the schemas ``names`` were found. A build that has no root format is said to miss evidence."""
    formats = tuple(format_of(registry, each) for each in names if registry.summaries[each].found_by)
    places = {each.place for each in formats}
    if not any(place.startswith("kho_data") for place in places):
        missing = (*missing, "no format of KHO's root was found in it")
    return Manifest(name, release, "vmlinux", formats, missing)


def to_dict(manifest: Manifest) -> dict[str, Any]:
    """The plain form of a manifest."""
    return {
        "manifest": VERSION,
        "name": manifest.name,
        "release": manifest.release,
        "origin": manifest.origin,
        "missing": list(manifest.missing),
        "formats": [
            {
                "place": each.place,
                "name": each.name,
                "compatible": each.compatible,
                "mismatch": each.mismatch,
                "fingerprints": {str(size): digest for size, digest in each.fingerprints},
                **({"layouts": {str(size): to_plain(layout) for size, layout in each.layouts}} if each.layouts else {}),
            }
            for each in manifest.formats
        ],
    }


def from_dict(plain: Any, source: str) -> Manifest:
    """The manifest in plain data. DecodeError, with what was expected, for anything else."""
    try:
        if plain["manifest"] != VERSION or len(plain["formats"]) > FORMATS_MAX:
            raise ValueError(f"version {plain['manifest']!r} with {len(plain['formats'])} formats")
        formats = tuple(_format(each) for each in plain["formats"])
        release = plain["release"]
        return Manifest(
            str(plain["name"]), release if release is None else str(release), str(plain["origin"]), formats, _texts(plain["missing"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wanted = f"version {VERSION}, up to {FORMATS_MAX} formats"
        raise DecodeError(f"not a manifest: {error}", source=source, expected=wanted, advice="`devstate manifest` writes one") from error


def _format(plain: Any) -> Format:
    if plain["mismatch"] not in {str(reaction) for reaction in Reaction}:
        raise ValueError(f"unknown reaction {plain['mismatch']!r}")
    prints = tuple((int(size), str(digest)) for size, digest in plain["fingerprints"].items())
    compatible = plain["compatible"]
    layouts = tuple((int(size), layout_from_plain(each)) for size, each in plain.get("layouts", {}).items())
    return Format(
        str(plain["place"]), str(plain["name"]), compatible if compatible is None else str(compatible), plain["mismatch"], prints, layouts
    )


def _texts(plain: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(each) for each in plain)


def load_manifest(data: bytes, source: str) -> Manifest:
    """A manifest from its JSON or msgpack bytes. DecodeError when they are neither."""
    if data[:1] in (b"{", b" ", b"\n"):
        import json

        try:
            return from_dict(json.loads(data), source)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"not JSON: {error}", source=source) from error
    import msgpack

    try:
        plain = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise DecodeError("neither JSON nor msgpack", source=source, expected="a manifest", found=data[:8].hex(" ")) from error
    return from_dict(plain, source)
