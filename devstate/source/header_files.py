# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which C files a source is made of, and what each of their includes means.

A header of a kernel includes half the kernel; its layout needs types and macros. So an include is looked up in this order, and a
stub is written that leads there:

1. a file beside the one that includes it (``"..."``)          4. a directory that the user named (``--include``)
2. C's and the kernel's own basic headers: the shims here      5. the directory that is read, and of the tree around it what is
3. anything else below ``linux/``, ``asm/``: see 4 and 5          made to stand alone: ``uapi/`` and ``kho/abi/``; else an empty file

Nothing outside these directories is opened: an absolute path, one that climbs out, or one that a macro makes is an error.
"""

from __future__ import annotations

import os
import re

from devstate.errors import HeaderError, UsageError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILES_MAX = 4096
"""Files of one source, included ones too: all of include/uapi has 1,100."""

FILE_MAX = 4 << 20
"""Bytes of one file: a hundred times the longest header that people write; some are generated."""

SHIMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shims")
ABI = os.path.join("include", "linux", "kho", "abi")

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include(?:_next)?[ \t]*(?:([<"])([^>"\n]+)[>"]|(\S.*))', re.MULTILINE)
_KERNEL = re.compile(r"^(linux|asm|asm-generic|uapi|vdso|kunit|net|drm|rdma|sound|trace|crypto|generated)/")
_STYLE = re.compile(r"\b(?:[us](?:8|16|32|64)|__[us](?:8|16|32|64)|__[lb]e\d\d|phys_addr_t|__packed|__user|__iomem|__kernel_\w+)\b")
_STANDS_ALONE = re.compile(r"^(uapi/|linux/kho/abi/|kho/abi/)")
_SHIMMED = frozenset(
    {"linux/types.h", "linux/stddef.h", "linux/const.h", "linux/posix_types.h", "linux/ioctl.h", "linux/limits.h",
     "linux/compiler.h", "linux/compiler_types.h", "linux/compiler_attributes.h", "linux/bits.h", "linux/align.h", "linux/math.h",
     "linux/log2.h", "linux/list.h", "linux/kernel.h", "linux/utsname.h", "linux/fcntl.h", "linux/byteorder/generic.h",
     "asm/types.h", "asm/page.h", "asm/byteorder.h", "asm/ioctl.h", "asm/posix_types.h", "asm/bitsperlong.h"}
)  # fmt: skip
"""Headers that kernel.h stands for, in a kernel tree too: what is in them decides about nothing but types."""


@frozen
class SourceFile:
    """A C file: where it is, what to call it in places, its text, and whether it is written in the kernel's style."""

    path: str
    shown: str
    text: str
    kernel: bool


def find_files(path: str) -> list[str]:
    """The files of a source: the file itself; the handover formats' headers of a kernel tree; all headers below another directory.

    UsageError when there is none, or too many.
    """
    if os.path.isfile(path):
        return [path]
    abi = os.path.join(path, ABI)
    if os.path.isdir(abi):
        path = abi
    found = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".h")]
        if len(found) > FILES_MAX:
            raise UsageError(f"{path}: more than {FILES_MAX} headers; name a directory below it")
    if not found:
        raise UsageError(f"{path}: no C header is in there")
    return found


def read_file(path: str, shown: str) -> str:
    """The text of a C file. UsageError when it cannot be read; HeaderError when it is no text or too long."""
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_MAX + 1)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from error
    if len(data) > FILE_MAX or b"\0" in data:
        found = "more" if len(data) > FILE_MAX else "a NUL byte"
        raise HeaderError("this is no C source", source=shown, expected=f"at most {FILE_MAX} bytes of text", found=found)
    return data.decode("utf-8", "replace")


class Includes:
    """Writes the stubs of one source into ``folder``. ``given`` are the directories that the user named, ``machine`` is
    the directory below ``arch/`` of a kernel tree."""

    def __init__(self, source: str, folder: str, given: tuple[str, ...], machine: str = "x86") -> None:
        self.folder, self.given, self.machine = folder, tuple(os.path.abspath(each) for each in given), machine
        path = os.path.realpath(source)
        path = os.path.join(path, ABI) if os.path.isdir(os.path.join(path, ABI)) else path
        self.base = path if os.path.isdir(path) else os.path.dirname(path)
        self.whole = os.path.isdir(path) and os.path.basename(path) not in ("linux", "include")
        tree = _tree_of(path)
        parts = path.split(os.sep)
        self.root = os.sep.join(parts[: len(parts) - parts[::-1].index("include")]) if "include" in parts else ""
        arch = os.path.join(os.path.dirname(self.root), "arch") if self.root else ""
        self.allowed = [each for each in (self.base, self.root, tree, arch, *self.given) if each]
        self.scanned: dict[str, bool] = {}
        self.stubs: dict[str, str] = {}

    def scan(self, path: str, shown: str, text: str) -> bool:
        """Write the stubs for a file and all that it includes. Whether any of them is written in the kernel's style."""
        pending = [(os.path.realpath(path), text)]
        reached: list[str] = []
        kernel = False
        while pending:
            file, content = pending.pop()
            if file in reached:
                continue
            reached.append(file)
            if len(self.scanned) > FILES_MAX:
                raise HeaderError("too many includes", source=shown, expected=f"at most {FILES_MAX} files")
            self.scanned.setdefault(file, bool(_STYLE.search(content)))
            kernel = kernel or self.scanned[file]
            for quote, name in self.names(content, shown):
                kernel = kernel or bool(_KERNEL.match(name))
                target = self.resolve(quote, name, file)
                if target and target not in reached:
                    pending.append((target, read_file(target, name)))
        return kernel

    def names(self, text: str, shown: str) -> Iterator[tuple[str, str]]:
        """The includes of a text. HeaderError for one that nobody can follow safely."""
        for found in _INCLUDE.finditer(text):
            quote, name, other = found.groups()
            line = text.count("\n", 0, found.start()) + 1
            if other is not None:
                raise HeaderError("an include by macro is not followed", source=f"{shown}:{line}", found=other.strip()[:80])
            if os.path.isabs(name) or "\\" in name:
                raise HeaderError("an include leads out of the source", source=f"{shown}:{line}", found=name[:80])
            yield quote, name

    def resolve(self, quote: str, name: str, includer: str) -> str:
        """Where an include leads; empty for a shim or an empty stub. The stub is written."""
        if quote == '"':
            beside = os.path.realpath(os.path.join(os.path.dirname(includer), name))
            if os.path.isfile(beside):
                if not any(is_below(beside, each) for each in self.allowed):
                    raise outside(includer, name)
                return beside
        if ".." in name.split("/"):  # the compiler would look beside the stubs
            raise outside(includer, name)
        if name not in self.stubs:
            self.stubs[name] = self.look_up(name)
            if not os.path.isfile(os.path.join(SHIMS, name)):
                write_stub(os.path.join(self.folder, name), self.stubs[name])
        return self.stubs[name]

    def look_up(self, name: str) -> str:
        """The file that an include means; empty when a shim stands for it, or nothing."""
        if os.path.isfile(os.path.join(SHIMS, name)) or name.removeprefix("uapi/") in _SHIMMED:
            return ""
        places = [os.path.join(each, name) for each in self.given]
        if self.whole or not _KERNEL.match(name):
            places.append(os.path.join(self.base, name))
        if self.root and (_STANDS_ALONE.match(name) or (self.whole and is_below(os.path.join(self.root, name), self.base))):
            places.append(os.path.join(self.root, name))
        if self.root and name.startswith("asm/"):
            places.append(os.path.join(os.path.dirname(self.root), "arch", self.machine, "include", "uapi", name))
        if f"{os.sep}uapi{os.sep}" in self.base + os.sep and self.root:
            places.append(os.path.join(self.root, "uapi", name))
        if name.count("/") > 1 and _STANDS_ALONE.match(name):  # headers that were copied together, without their directories
            places += [os.path.join(self.base, os.path.basename(name)), os.path.join(self.base, "linux", os.path.basename(name))]
        for place in places:
            real = os.path.realpath(place)
            if os.path.isfile(real) and any(is_below(real, each) for each in self.allowed):
                return real
        return ""


def outside(includer: str, name: str) -> HeaderError:
    """The error for an include that climbs out of the directories that may be read."""
    advice = "name its directory with --include"
    return HeaderError("an include leads out of the source", source=includer, found=name[:80], advice=advice)


def _tree_of(path: str) -> str:
    """The directory above that looks like the top of a repository or of a kernel; empty when none does."""
    while os.path.dirname(path) != path:
        path = os.path.dirname(path)
        if any(os.path.exists(os.path.join(path, mark)) for mark in (".git", "MAINTAINERS", "Kbuild")):
            return path
    return ""


def is_below(path: str, folder: str) -> bool:
    """Whether a path is in a directory."""
    return os.path.realpath(path).startswith(os.path.realpath(folder).rstrip(os.sep) + os.sep)


def write_stub(path: str, target: str) -> None:
    """A file that includes another, or nothing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        if target:
            file.write(f'#include "{target}"\n')
