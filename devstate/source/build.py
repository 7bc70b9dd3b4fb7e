# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a kernel build says about its formats: compatible strings in its data, layouts in its BTF, its release.

A stock vmlinux is enough; one that was reduced to ``.rodata``, ``.data`` and ``.BTF`` as well. A format is taken to be in the build when
its string stands there, NUL-terminated, and every struct of its layout that the BTF has is laid out as the schema says.
"""

from __future__ import annotations

from devstate.errors import BtfError, UsageError
from devstate.frozen import frozen
from devstate.layout.model import Environment, NodeLayout
from devstate.memory.zstd import decompress, is_zstd
from devstate.source.btf import Btf
from devstate.source.elf import section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Layout, StructLayout
    from devstate.layout.registry import Registry

SECTIONS = (".rodata", ".data", ".init.data", ".rodata.str1.1", ".rodata.str1.8", ".notes")
"""Where strings stand."""

BANNER = b"Linux version "
PREFIX = ("", "hdr.")
"""Where C may keep a field that a schema has directly: in the struct, or in a header struct ``hdr`` inside it."""

RELEASE_MAX = 64
"""Bytes of a release: __NEW_UTS_LEN."""


@frozen
class Build:
    """``release`` is uname -r; ``names`` are the schemas whose formats are in the build; ``missing`` what could not be found out."""

    release: str | None
    names: tuple[str, ...]
    missing: tuple[str, ...]


def read_build(path: str, registry: Registry) -> Build:
    """The formats in the vmlinux at ``path`` (an ELF file, zstd-compressed or not).

    UsageError when it cannot be read, BtfError when it is no ELF file. A build without BTF is judged by its strings, and that is said.
    """
    try:
        with open(path, "rb") as file:
            data = memoryview(file.read())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if is_zstd(bytes(data[:4])):
        data = decompress(data, source=path)
    if bytes(data[:4]) != b"\x7fELF":
        raise BtfError("not a vmlinux", source=path, expected="an ELF file", found=bytes(data[:4]).hex(" "))
    texts = _texts(data)
    missing = []
    btf: Btf | None = None
    try:
        btf = Btf.open(data)
    except BtfError as error:
        missing.append(f"no BTF, so layouts are not checked: {error.message}")
    if not texts:
        missing.append("no section with strings")
    strings = Strings(b"\0".join(texts))
    names = []
    for name, summary in registry.summaries.items():
        if summary.compatible is None or not _holds(strings, summary.compatible):
            continue
        layout = registry.layout(name, Environment())
        if btf is None or (_present(layout, btf) if isinstance(layout.root, str) else _laid_out(layout, btf)):
            names.append(name)
    if btf is not None:
        names += [name for name in _unnamed(registry) if _present(registry.layout(name, Environment()), btf)]
        names += _carriers(registry, btf)
    names += _chosen(registry, strings)
    for compatible in sorted({registry.summaries[name].compatible or "" for name in registry.summaries}):
        known = registry.names(compatible) if compatible else []
        roots = {registry.layout(name, Environment()).root for name in known}
        declared = btf is None or any(isinstance(root, str) and btf.structs(root) for root in roots)
        if known and declared and _holds(strings, compatible) and not {*known} & {*names}:
            missing.append(f"the string {compatible} is there, with structs that no schema of it has")
    return Build(_release(strings.data), tuple(names), tuple(missing))


class Strings:
    """The strings of a build. Its words are looked up once: a search for each of a hundred names is what a manifest would wait for."""

    WORD = rb"\b[a-z][\w;,\-]{2,63}+\0"

    def __init__(self, data: bytes) -> None:
        import re

        self.data = data
        self.words = {word[:-1] for word in re.findall(self.WORD, data)}

    def may_hold(self, text: bytes) -> bool:
        """Whether a word is there; True for a text that is no such word, which nobody has looked for yet."""
        import re

        return text in self.words or re.fullmatch(self.WORD, text + b"\0") is None


def _holds(strings: Strings, text: str) -> bool:
    """Whether ``text`` stands there by itself, up to a NUL: in a char array it may follow any bytes, but no letters of another word."""
    return strings.may_hold(text.encode()) and _stands(strings.data, text.encode() + b"\0")


def _stands(strings: bytes, wanted: bytes) -> bool:
    at = strings.find(wanted)
    while at > 0 and (strings[at - 1 : at].isalnum() or strings[at - 1] in b"-_;,"):
        at = strings.find(wanted, at + 1)
    return at >= 0


def _texts(data: memoryview) -> list[bytes]:
    found = []
    for name in SECTIONS:
        try:
            found.append(bytes(section(data, name)))
        except BtfError:
            continue
    return found


def _release(strings: bytes) -> str | None:
    at = strings.find(BANNER)
    if at < 0:
        return None
    text = strings[at + len(BANNER) : at + len(BANNER) + RELEASE_MAX].split(b" ")[0]
    return text.decode("ascii", "replace")


def _unnamed(registry: Registry) -> list[str]:
    """Schemas that are versioned by a number in their own struct and registered by name."""
    return [
        name
        for name, summary in registry.summaries.items()
        if summary.compatible is None and (summary.found_by or "").startswith("KHO subtree")
    ]


def _carriers(registry: Registry, btf: Btf) -> list[str]:
    """The struct by which an x86 boot hands over the root: of its forms the one whose fields these are."""
    forms: dict[str, list[tuple[int, str]]] = {}
    for name, summary in registry.summaries.items():
        layout = registry.layout(name, Environment()) if (summary.found_by or "").startswith("setup_data") else None
        if layout is None or summary.status != "mainline" or not isinstance(layout.root, str) or not _present(layout, btf):
            continue
        members = {member.path for member in btf.structs(layout.root)[0].members}
        forms.setdefault(layout.root, []).append((sum(field.name in members for field in layout.struct().fields), name))
    return [max(each, key=lambda form: form[0])[1] for each in forms.values()]


def _chosen(registry: Registry, strings: Strings) -> list[str]:
    """The devicetree properties that hand over the root, where the kernel looks for all of them."""
    found = []
    for name, summary in registry.summaries.items():
        root = registry.layout(name, Environment()).root if summary.found_by == "/chosen" and summary.status == "mainline" else None
        if isinstance(root, NodeLayout) and root.properties and all(_holds(strings, field.name) for field in root.properties):
            found.append(name)
    return found


def _present(layout: Layout, btf: Btf) -> bool:
    return isinstance(layout.root, str) and bool(btf.structs(layout.root)) and _laid_out(layout, btf)


def _laid_out(layout: Layout, btf: Btf) -> bool:
    """Whether every struct of the layout that the BTF has is laid out like it."""
    return all(_equal(struct, btf) for struct in layout.structs)


def _equal(struct: StructLayout, btf: Btf) -> bool:
    shapes = btf.structs(struct.name)
    if not shapes:
        return True
    shape = shapes[0]
    if shape.size != struct.size:
        return False
    offsets = {member.path: member.bit_offset for member in shape.members}
    for field in struct.fields:
        places = [offsets[prefix + field.name] for prefix in PREFIX if prefix + field.name in offsets]
        if places and field.offset * 8 + (field.shift or 0) not in places:
            return False
    return True
