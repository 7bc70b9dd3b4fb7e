# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From a word on the command line to the manifest of a kernel build: a manifest file, a vmlinux, a release such as 7.3, a directory of
headers, baselines or schemas, a commit."""

from __future__ import annotations

import os

from devstate.errors import LocatedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.manifest import Manifest
    from devstate.layout.registry import Registry

MANIFEST_MAX = 16 << 20
"""Bytes of a manifest file: a thousand times what one has."""

BINARY = (b"\x7fELF", b"\x28\xb5\x2f\xfd")
BTF = (b"\x9f\xeb", b"\xeb\x9f")


def open_manifest(word: str, registry: Registry) -> Manifest:
    """The manifest that ``word`` names. UsageError when it is none of these; DecodeError for a damaged file."""
    from devstate.compat.manifest import load_manifest, release_manifest

    if os.path.isdir(word) or word.startswith("git:"):
        return _of_source(word, registry)
    if not os.path.exists(word):
        if "/" in word or word.endswith((".json", ".msgpack")):
            raise UsageError(f"{word}: no such file")
        return release_manifest(registry, word)
    try:
        with open(word, "rb") as file:
            head = file.read(4)
            data = head + file.read(MANIFEST_MAX) if head not in BINARY else b""
    except OSError as error:
        raise UsageError(f"{word}: cannot be read: {error.strerror}") from error
    if head in BINARY:
        try:
            return _of_build(word, registry)
        except LocatedError as error:
            raise error.at(source=word) from None
    if data[:2] in BTF or os.path.splitext(word)[1] in (".h", ".c"):
        return _of_source(word, registry)
    if len(data) > MANIFEST_MAX:
        raise UsageError(f"{word}: larger than any manifest")
    return load_manifest(data, word)


def _of_source(word: str, registry: Registry) -> Manifest:
    """The manifest of a source of layouts, read for every page size."""
    from devstate.compat.manifest_of import manifest_of
    from devstate.layout.model import PAGE_SIZES, Environment
    from devstate.source.opening import open_layouts

    declared = [open_layouts(word, Environment(PAGE_SIZES[0]), registry=registry)]
    if declared[0].kind not in ("build", "object"):
        declared += [open_layouts(word, Environment(size), registry=registry) for size in PAGE_SIZES[1:]]
    return manifest_of(os.path.basename(word.rstrip("/")), None, declared, registry)


def _of_build(word: str, registry: Registry) -> Manifest:
    """The manifest that was compiled into an ELF file; else what its strings, types and sections say."""
    from devstate.compat.manifest import build_manifest, load_manifest
    from devstate.compat.manifest_of import with_handlers, with_others
    from devstate.layout.model import Environment
    from devstate.source.build import read_build
    from devstate.source.compiled import is_kernel, open_compiled, read_compiled
    from devstate.source.sections import handler_versions, manifest_bytes
    from devstate.source.strings import build_strings, versions_in

    data = read_compiled(word)
    own = manifest_bytes(data, word) if data[:4] == BINARY[0] else None
    if own is not None:
        return load_manifest(own, word)
    build = read_build(word, registry)
    made = build_manifest(registry, os.path.basename(word), build.release, build.names, build.missing)
    known = {each.compatible for each in made.formats}
    if is_kernel(data) and any(text not in known for each in versions_in(build_strings(data), registry).values() for text in each):
        made = with_others(made, open_compiled(word, Environment(), type_name=None, registry=registry))
    return with_handlers(made, handler_versions(data, word), registry)
