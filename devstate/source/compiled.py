# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Kernels, modules and object files: what a compiler really laid out.

Debug information knows no versions. A kernel has its version strings in its data: each format whose string stands there is laid out as
the BTF says. Of raw BTF, or of an object file, nobody knows the version: such layouts have the carrier ``unknown``.
"""

from __future__ import annotations

import os

from devstate.errors import BtfError, LocatedError, UsageError
from devstate.finding import Location
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout, StructLayout
from devstate.memory.zstd import decompress, is_zstd
from devstate.source.btf import Btf
from devstate.source.btf_composite import btf_structs
from devstate.source.elf import has_section, section
from devstate.source.known import REST, UNKNOWN, bare, closure, family, informed, template
from devstate.source.strings import build_strings, page_size_of, versions_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.layout.registry import Registry

ELF = b"\x7fELF"
BANNER = b"Linux version "
"""What a kernel's data has, and a module's has not."""


def open_compiled(
    path: str, environment: Environment, *, type_name: str | None, registry: Registry, include: tuple[str, ...] = ()
) -> Declared:
    """What a file with BTF or DWARF declares. ``include`` may name the kernel that a module was built for.

    UsageError when it cannot be read or has no such type; BtfError, DwarfError and LimitError for what is malformed.
    """
    data = read_compiled(path)
    try:
        return _opened(path, data, environment, type_name, registry, include)
    except LocatedError as error:
        raise error.at(source=path) from None


def _opened(
    path: str, data: memoryview, environment: Environment, type_name: str | None, registry: Registry, include: tuple[str, ...]
) -> Declared:
    is_elf = bytes(data[:4]) == ELF
    if is_elf and not has_section(data, ".BTF"):
        from devstate.source.dwarf import open_dwarf

        return open_dwarf(path, data, environment, type_name)
    btf = _btf(path, data, include)
    environment = Environment(environment.page_size, btf.byte_order)
    strings = build_strings(data) if is_elf else b""
    if type_name is not None:
        formats: tuple[Layout, ...] = (bare(type_name, type_name, btf_structs(btf, [type_name]), environment, path),)
        return Declared(path, "build", environment, formats, ((type_name, Location(path)),))
    if is_elf and BANNER not in strings:
        names = {*btf.names("struct"), *btf.names("union"), *(name for name in btf.names("typedef") if _is_nameless(btf, name))}
        structs = btf_structs(btf, [name for name in sorted(names) if len(btf.find(name)) == 1])
        return Declared(path, "object", environment, (bare(REST, "", structs, environment, path),))
    environment = Environment(page_size_of(btf, registry, environment.page_size), btf.byte_order)
    missing: tuple[str, ...] = ()
    if is_elf:
        formats, missing = _of_build(btf, strings, environment, registry, path)
    else:
        formats = tuple(_of_structs(btf, environment, registry, path))
    return Declared(path, "build", environment, formats, tuple((each.name, Location(path)) for each in formats), missing)


def is_kernel(data: memoryview) -> bool:
    """Whether an ELF file is a kernel with BTF."""
    return bytes(data[:4]) == ELF and has_section(data, ".BTF") and BANNER in build_strings(data)


def read_compiled(path: str) -> memoryview:
    """The bytes of a file, mapped where they are as they should be. UsageError when it cannot be read."""
    import mmap

    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            else:
                data = memoryview(file.read())  # files of /sys have no size
    except (OSError, ValueError):
        try:
            with open(path, "rb") as file:
                data = memoryview(file.read())
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return decompress(data, source=path) if is_zstd(bytes(data[:8])) else data


def _btf(path: str, data: memoryview, include: tuple[str, ...]) -> Btf:
    """The BTF of a file; that of a module on top of its kernel's."""
    own, base = data, None
    if bytes(data[:4]) == ELF:
        own = section(data, ".BTF")
        if has_section(data, ".BTF.base"):
            base = Btf(section(data, ".BTF.base"), path)
    beside = os.path.join(os.path.dirname(path), "vmlinux")
    kernels = [each for each in include if os.path.isfile(each)]
    if os.path.dirname(os.path.abspath(path)) == "/sys/kernel/btf" and os.path.basename(path) != "vmlinux":
        kernels.append(beside)
    if base is None and kernels:
        base = Btf.open(kernels[0])
    try:
        made = Btf(own, path, base)
        if base is None:
            _prove_whole(made)
    except BtfError as error:
        if base is None and ("out of range" in error.message or "strings" in error.message) and path.endswith(".ko"):
            error.advice = "the BTF of a module counts on from its kernel's: name that with --include VMLINUX"
        raise
    return made


def _is_nameless(btf: Btf, typedef: str) -> bool:
    """Whether a typedef is the only name of a struct or union."""
    found = btf.find(typedef)
    return len(found) == 1 and not btf.name(found[0])


def _prove_whole(btf: Btf) -> None:
    """BtfError when the first types refer to what is not there: a module without its kernel."""
    for type_id in range(1, min(len(btf), 64) + 1):
        btf.name(type_id)


def _of_build(
    btf: Btf, strings: bytes, environment: Environment, registry: Registry, path: str
) -> tuple[tuple[Layout, ...], tuple[str, ...]]:
    """The formats whose version strings stand in a kernel, and what could not be found out."""
    formats, missing = [], []
    if not strings:
        missing.append("no section with strings, so versions are not known")
    for versions in versions_in(strings, registry).values():
        newest = True
        for version in versions:
            known, exact = template(registry, version, _sized(btf, registry, version), environment)
            if known is None or (isinstance(known.root, str) and not btf.find(known.root)):
                continue
            if newest:
                formats.append(_laid_out(btf, known, version, exact=exact, environment=environment, path=path))
            elif exact:
                formats.append(registry.layout(known.name, environment))
            newest = False
    formats += _of_numbers(btf, environment, registry, path)
    if not any((each.found_by or "").startswith("kho_data") for each in formats):
        missing.append("no format of KHO's root was found in it")
    return tuple(formats), tuple(missing)


def _sized(btf: Btf, registry: Registry, version: str) -> list[StructLayout]:
    """The structs of any form of a version that the build has, as far as sizes go."""
    names = {struct for name in registry.names(version) for struct in registry.summaries[name].structs}
    return [StructLayout(name, btf.structs(name)[0].size, 1, False, ()) for name in sorted(names) if btf.find(name)]


def _laid_out(btf: Btf, known: Layout, version: str | None, *, exact: bool, environment: Environment, path: str) -> Layout:
    """A published layout with every struct as the BTF has it. What the BTF does not have is left out."""
    names = [struct.name for struct in known.structs if btf.find(struct.name)]
    laid = {struct.name: informed(struct, known, exact=exact) for struct in btf_structs(btf, names)}
    structs = closure([*names, *(struct.name for struct in known.structs)], laid)
    made = replace(
        known, name=version or known.name, compatible=version, source=path, structs=structs, environment=environment, variant="",
        constants=(), limits=(),
    )  # fmt: skip
    return made if exact else replace(made, status="project", since=None, until=None, replaces=None)


def _of_numbers(btf: Btf, environment: Environment, registry: Registry, path: str) -> Iterable[Layout]:
    """Formats without a string whose root struct the build has: of those with one root the one whose fields these are."""
    by_root: dict[str, list[Layout]] = {}
    for summary in registry.summaries.values():
        if summary.compatible is None and summary.status == "mainline":
            known = registry.layout(summary.name, environment)
            if isinstance(known.root, str) and btf.find(known.root):
                by_root.setdefault(known.root, []).append(known)
    for root, forms in by_root.items():
        names = {(member.path, member.offset) for member in btf.structs(root)[0].members}
        best = max(forms, key=lambda form: sum((field.name, field.offset) in names for field in form.struct().fields))
        yield _laid_out(btf, best, None, exact=True, environment=environment, path=path)


def _of_structs(btf: Btf, environment: Environment, registry: Registry, path: str) -> Iterable[Layout]:
    """Formats by their structs alone: of each family the one whose structs these are, without a version."""
    for each in _of_numbers(btf, environment, registry, path):
        yield replace(each, version=None, carrier=UNKNOWN)
    seen: set[str] = set()
    for summary in registry.summaries.values():
        label = family(summary.compatible or "")
        if not label or label in seen or summary.status != "mainline" or summary.until is not None:
            continue
        known = registry.layout(summary.name, environment)
        if not any(btf.find(struct.name) for struct in known.structs) or (isinstance(known.root, str) and not btf.find(known.root)):
            continue
        seen.add(label)
        laid = _laid_out(btf, known, None, exact=False, environment=environment, path=path)
        yield replace(laid, name=label, version=None, carrier=UNKNOWN)
