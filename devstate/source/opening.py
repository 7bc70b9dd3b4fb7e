# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From a word on the command line to what that source declares.

============================  ==========  =====================================================================
the word                      kind        what it is
============================  ==========  =====================================================================
``luo-v5``, ``7.3``           schemas     a shipped format, or those that the kernels of a release write
FILE.py, PACKAGE/             schemas     schemas in the project's own language
FILE.json, DIRECTORY/         baselines   committed layouts
FILE.json, FILE.msgpack       manifest    what a build was found to write (``devstate manifest``)
FILE.json                     machine     ``qemu-system-x86_64 -dump-vmstate``
vmlinux, FILE.btf, FILE.ko    build       a kernel: BTF, and the strings of its data
FILE.o                        object      DWARF or BTF of anything that was compiled
FILE.h, FILE.c, DIRECTORY/    headers     C, by libclang
git:REF[:PATH]                any         any of the files and directories above, as they stand in a commit
============================  ==========  =====================================================================

A file counts more than a name: what exists as a path is one.
"""

from __future__ import annotations

import os

from devstate.errors import LocatedError, UsageError
from devstate.frozen import frozen, replace
from devstate.layout.declared import Declared
from devstate.layout.release import parse_release, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Environment
    from devstate.layout.registry import Registry

ELF, ZSTD, BTF_MAGICS = b"\x7fELF", b"\x28\xb5\x2f\xfd", (b"\x9f\xeb", b"\xeb\x9f")


@frozen
class Asked:
    """What the user asked for besides the source itself."""

    type_name: str | None
    registry: Registry
    include: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()


def open_layouts(
    text: str, environment: Environment, *, type_name: str | None = None, registry: Registry, include: tuple[str, ...] = (),
    defines: tuple[str, ...] = (),
) -> Declared:  # fmt: skip
    """What the source ``text`` declares, laid out for ``environment``; with ``type_name`` only that struct or union.

    ``include`` are directories and ``defines`` macros (``NAME`` or ``NAME=VALUE``) for C headers.
    A build or an object file has a byte order of its own: the result's ``environment`` says which. UsageError when there is no such
    source, DecodeError when it cannot be read as what it is.
    """
    asked = Asked(type_name, registry, include, defines)
    if text.startswith("git:"):
        return _open_commit(text, environment, asked)
    if os.path.exists(text):
        return _open_path(text, environment, asked)
    if "/" in text or text.endswith((".json", ".msgpack", ".py", ".h", ".c", ".o", ".btf", ".ko")):
        raise UsageError(f"{text}: no such file or directory")
    return _open_name(text, environment, registry)


def _open_commit(text: str, environment: Environment, asked: Asked) -> Declared:
    """A file or directory of a commit; places are paths from the top of the repository."""
    from devstate.source.git import checked_out

    with checked_out(text) as (folder, path, shown):
        try:
            found = _open_path(path, environment, asked)
        except LocatedError as error:
            error.source = shown if error.source is None else error.source.removeprefix(folder + os.sep)
            raise
        except UsageError as error:
            raise UsageError(str(error).replace(folder + os.sep, "")) from None
    places = tuple(
        (subject, replace(place, source=(place.source or shown).removeprefix(folder + os.sep))) for subject, place in found.places
    )
    formats = tuple(replace(each, source=each.source.removeprefix(folder + os.sep)) for each in found.formats)
    missing = tuple(each.replace(folder + os.sep, "") for each in found.missing)
    return replace(found, origin=text, places=places, formats=formats, missing=missing)


def _open_name(text: str, environment: Environment, registry: Registry) -> Declared:
    """A release, or a format of the registry by its name or compatible."""
    names = [text] if text in registry.summaries else registry.names(text)
    release = parse_release(text)
    if not names and release is not None:
        names = [name for name, summary in registry.summaries.items() if writes(summary, release)]
        if not names:
            raise UsageError(f"no format of kernel {release} is known; Kexec HandOver begins with 6.16")
    if not names:
        raise UsageError(f"{text!r} is no file, no format and no release; `devstate schemas` lists the formats")
    return Declared(text, "schemas", environment, tuple(registry.layout(name, environment) for name in names))


def _open_path(path: str, environment: Environment, asked: Asked) -> Declared:
    from devstate.source.written import open_baselines, open_json, open_schemas

    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        if "__init__.py" in names:
            return open_schemas(path, environment)
        if any(name.endswith(".json") for name in names):
            return open_baselines(path, environment)
        return _headers(path, environment, asked)
    if path.endswith(".py"):
        return open_schemas(path, environment)
    if path.endswith((".h", ".c", ".i")):
        return _headers(path, environment, asked)
    if path.endswith((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".C", ".H")):
        raise UsageError(f"{path}: C++ is not read from its source; compile it with -g and name the object file")
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if head in (ELF, ZSTD) or head[:2] in BTF_MAGICS:
        from devstate.source.compiled import open_compiled

        return open_compiled(path, environment, type_name=asked.type_name, registry=asked.registry, include=asked.include)
    return open_json(path, environment, asked.registry)


def _headers(path: str, environment: Environment, asked: Asked) -> Declared:
    from devstate.source.header_formats import open_headers

    return open_headers(path, environment, type_name=asked.type_name, registry=asked.registry, include=asked.include, defines=asked.defines)
