# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From a word on the command line to the manifest of a kernel build: a manifest file, a vmlinux, or a release such as 7.3."""

from __future__ import annotations

import os

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.manifest import Manifest
    from devstate.layout.registry import Registry

MANIFEST_MAX = 16 << 20
"""Bytes of a manifest file: a thousand times what one has."""

BINARY = (b"\x7fELF", b"\x28\xb5\x2f\xfd")


def open_manifest(word: str, registry: Registry) -> Manifest:
    """The manifest that ``word`` names. UsageError when it is neither a file nor a release; DecodeError for a damaged file."""
    from devstate.compat.manifest import build_manifest, load_manifest, release_manifest

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
        from devstate.source.build import read_build

        build = read_build(word, registry)
        return build_manifest(registry, os.path.basename(word), build.release, build.names, build.missing)
    if len(data) > MANIFEST_MAX:
        raise UsageError(f"{word}: larger than any manifest")
    return load_manifest(data, word)
