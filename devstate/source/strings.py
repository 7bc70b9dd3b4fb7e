# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What stands in the data of a kernel besides its types: version strings, and the page size that its structs show."""

from __future__ import annotations

from devstate.errors import BtfError
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.source.elf import section
from devstate.source.known import family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.registry import Registry
    from devstate.source.btf import Btf

SECTIONS = (".rodata", ".data", ".init.data", ".rodata.str1.1", ".rodata.str1.8", ".notes")
"""Where strings stand."""

VERSION_MAX = 127
"""Bytes of a version string: a compatible field has 48, a composite string some parts."""


def build_strings(data: memoryview) -> bytes:
    """The sections of an ELF file that hold strings, one behind the other."""
    found = []
    for name in SECTIONS:
        try:
            found.append(bytes(section(data, name)))
        except BtfError:
            continue
    return b"\0".join(found)


def versions_in(strings: bytes, registry: Registry) -> dict[str, list[str]]:
    """Family -> the versions of it that stand there, the newest first: those that are published, and any other with such a start."""
    found: dict[str, list[str]] = {}
    published = {summary.compatible for summary in registry.summaries.values() if summary.compatible}
    for start in sorted({text.partition(";")[0].rstrip("0123456789") for text in published}):
        for text in _texts(strings, start.encode()):
            versions = found.setdefault(family(text), [])
            if text not in versions:
                versions.append(text)
    for versions in found.values():
        versions.sort(key=_number, reverse=True)
    return found


def _texts(strings: bytes, start: bytes) -> list[str]:
    """The whole strings that begin with ``start`` and go on with a number. In a char array one may follow any bytes, but no letters."""
    found = []
    at = strings.find(start)
    while at >= 0:
        before = strings[at - 1 : at] if at else b""
        end = strings.find(b"\0", at, at + VERSION_MAX + 1)
        rest = strings[at + len(start) : end] if end > 0 else b""
        parts = rest.split(b";")
        if parts[0].isdigit() and all(part.replace(b"-", b"").isalnum() for part in parts[1:]) and not _goes_on(before):
            found.append(strings[at:end].decode("ascii", "replace"))
        at = strings.find(start, at + 1)
    return found


def _goes_on(before: bytes) -> bool:
    return before.isalnum() or before in (b"-", b"_", b";", b",")


def _number(version: str) -> tuple[int, str]:
    digits = version.partition(";")[0]
    digits = digits[len(digits.rstrip("0123456789")) :]
    return int(digits or 0), version


def page_size_of(btf: Btf, registry: Registry, asked: int) -> int:
    """The page size of the kernel: the one that most structs whose size depends on it show; ``asked`` when none or several fit best."""
    score = dict.fromkeys(PAGE_SIZES, 0)
    for summary in registry.summaries.values():
        if summary.status != "mainline" or summary.until is not None:
            continue
        sizes = {page: {s.name: s.size for s in registry.layout(summary.name, Environment(page)).structs} for page in PAGE_SIZES}
        for name in sizes[PAGE_SIZES[0]]:
            if len({sizes[page].get(name) for page in PAGE_SIZES}) == len(PAGE_SIZES) and btf.find(name):
                size = btf.structs(name)[0].size
                for page in PAGE_SIZES:
                    score[page] += sizes[page].get(name) == size
    best = [page for page in PAGE_SIZES if score[page] == max(score.values())]
    return best[0] if len(best) == 1 else asked
