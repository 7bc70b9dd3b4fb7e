# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""C headers by libclang: what a compiler makes of them, whatever they include, for any page size and byte order.

The compiler runs in a process of its own under limits (``clang_worker``). What it says is one of two things: composites and macros, or a
``HeaderError`` with the compiler's own words and their line. libclang is the extra ``headers``.
"""

from __future__ import annotations

import os
import re

from devstate.errors import HeaderError, LimitError, UsageError
from devstate.frozen import frozen, replace
from devstate.layout.model import Environment, StructLayout
from devstate.source.composite import Composite, Member, ValueType
from devstate.source.header_files import SHIMS, Includes, SourceFile, find_files, read_file
from devstate.source.laying import Laying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from devstate.finding import Location

SECONDS_MAX = 120
"""After that the compiler is ended: six headers take 0.2 s, all of include/uapi takes a minute."""

ANSWER_MAX = 256 << 20
"""Bytes of the worker's answer: all of include/uapi has 20 MB."""

TARGETS = {"little": "x86_64-linux-gnu", "big": "aarch64_be-linux-gnu"}
"""Machines whose layouts stand for all of that byte order: the 64-bit ones of Linux have the same sizes and alignments."""

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_VALUE = re.compile(r"[{};]|^(?:struct|union|enum|static|extern|inline|do|if|typedef)\b")


@frozen
class Macro:
    """A macro without parameters: ``value`` is a number or a string, None when it is neither; ``body`` its text without comments."""

    name: str
    file: str
    line: int
    body: str
    value: int | str | None = None


@frozen
class Enumerator:
    """A constant of an enum declared at file level; ``enum`` is its tag, empty when it has none."""

    enum: str
    name: str
    value: int
    file: str
    line: int


@frozen
class HeaderFacts:
    """What the headers of one source declare. ``files`` are the texts that were read, ``home`` maps each struct to its file's
    name, ``comments`` to the comment above it; ``aliases`` are typedefs of structs that have another name."""

    files: tuple[SourceFile, ...]
    macros: tuple[Macro, ...]
    enumerators: tuple[Enumerator, ...]
    structs: tuple[StructLayout, ...]
    home: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, Location], ...]
    aliases: tuple[tuple[str, str], ...]
    comments: tuple[tuple[str, str], ...]


def read_headers(
    path: str, environment: Environment, *, shown: str | None = None, include: tuple[str, ...] = (), defines: tuple[str, ...] = ()
) -> HeaderFacts:
    """The facts in a header, a C file, or a directory. ``shown`` is what to call ``path`` in places.

    UsageError without libclang or files; HeaderError for what does not compile; LimitError when the compiler does not come to an end.
    """
    import tempfile

    _require_libclang()
    with tempfile.TemporaryDirectory(prefix="devstate-") as folder:
        includes = Includes(path, folder, include)
        files = []
        for each in find_files(path):
            name = each if shown is None else os.path.normpath(os.path.join(shown, os.path.relpath(each, path)))
            text = read_file(each, name)
            files.append(SourceFile(os.path.realpath(each), name, text, includes.scan(each, name, text)))
        macros = [_macros(each) for each in files]
        answer = _compile(files, macros, [SHIMS, folder], environment, defines)
    return _facts(files, macros, answer, environment)


def _require_libclang() -> None:
    try:
        import clang.cindex  # noqa: F401
    except ImportError as error:
        raise UsageError("C headers are read with libclang: install devstate[headers]") from error


def _macros(file: SourceFile) -> list[Macro]:
    """The macros without parameters that a file defines, in order."""
    joined = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), file.text).replace("\\\n", " \x01")
    made, line, at = [], 1, 0
    for found in _DEFINE.finditer(joined):
        line += joined.count("\n", at, found.start()) + joined.count("\x01", at, found.start())
        at = found.start()
        made.append(Macro(found[1], file.shown, line, found[2].replace("\x01", " ").strip()))
    return made


def _compile(
    files: list[SourceFile], macros: list[list[Macro]], folders: list[str], environment: Environment, defines: tuple[str, ...]
) -> Any:
    """The worker's answer. HeaderError when it ends without one."""
    import json
    import subprocess
    import sys

    arguments = [
        "-x", "c", "-std=gnu11", "-nostdinc", "-w", "-fparse-all-comments", "-ferror-limit=100", "-target", TARGETS[environment.byte_order],
        f"-DDEVSTATE_PAGE_SHIFT={environment.page_size.bit_length() - 1}", *(f"-D{each}" for each in defines),
    ]  # fmt: skip
    asked = []
    for each, own in zip(files, macros, strict=True):
        names = [macro.name for macro in own if not _NO_VALUE.search(_STRING.sub("", macro.body))]
        asked.append({"path": each.path, "macros": names, "kernel": each.kernel})
    request = {"files": asked, "includes": folders, "arguments": arguments, "skip": SHIMS}
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clang_worker.py")
    try:
        done = subprocess.run(
            [sys.executable, "-P", worker], input=json.dumps(request).encode(), capture_output=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LimitError("the compiler does not come to an end", source=files[0].shown, expected=f"at most {SECONDS_MAX} s") from error
    if done.returncode or len(done.stdout) > ANSWER_MAX:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        found = said[-1][:200] if said and done.returncode > 0 else f"status {done.returncode}"
        raise HeaderError("the compiler gave up", source=files[0].shown, expected="C that ends", found=found)
    return json.loads(done.stdout)


def _facts(files: list[SourceFile], macros: list[list[Macro]], answer: Any, environment: Environment) -> HeaderFacts:
    """The worker's answer as facts. HeaderError for the first thing that the compiler, or we, do not take."""
    shown = {each.path: each.shown for each in files}
    known: list[Macro] = []
    enumerators: dict[str, Enumerator] = {}
    roots: dict[str, str] = {}
    aliases: list[tuple[str, str]] = []
    for file, own, found in zip(files, macros, answer["files"], strict=True):
        for name, line, column, text in found["errors"][:1]:
            raise HeaderError(text, source=f"{shown.get(os.path.realpath(name), os.path.basename(name))}:{line}:{column}")
        for name, line, word in found["lost"][:1]:
            where = f"{shown.get(name, os.path.basename(name))}:{line}"
            raise HeaderError(f"{word} behind a struct is no attribute that is known", source=where, advice=f"--define {word}=...")
        known += [replace(macro, value=found["macros"].get(macro.name)) for macro in own]
        for enum in found["enums"]:
            for name, value, line in enum["values"] if enum["file"] in shown else ():
                enumerators.setdefault(name, Enumerator(enum["name"], name, value, shown[enum["file"]], line))
        for key in found["records"]:
            if answer["records"][key]["file"] == file.path and answer["records"][key]["name"]:
                roots[key] = answer["records"][key]["name"]
        for name, key in found["typedefs"].items():
            if answer["records"][key]["file"] == file.path and answer["records"][key]["name"] != name:
                aliases.append((name, answer["records"][key]["name"]))
    laying = Laying(WorkerComposites(answer["records"], shown), big=environment.byte_order == "big")
    structs = laying.run(roots.items())
    home = tuple((laying.names[key], shown[answer["records"][key]["file"]]) for key in roots)
    places = laying.places | {each.name: _place(each.file, each.line) for each in known}
    places |= {each.name: _place(each.file, each.line) for each in enumerators.values()}
    comments = tuple((laying.names[key], answer["records"][key]["doc"]) for key in roots)
    return HeaderFacts(
        tuple(files), tuple(known), tuple(enumerators.values()), structs, home, tuple(places.items()), tuple(aliases), comments
    )


def _place(file: str, line: int) -> Location:
    from devstate.finding import Location

    return Location(file, line=line)


class WorkerComposites:
    """The composites in a worker's answer; ``shown`` says what to call their files."""

    def __init__(self, records: dict[str, Any], shown: dict[str, str]) -> None:
        self.records, self.shown = records, shown

    def composite(self, key: Hashable) -> Composite:
        """The struct or union with this key."""
        record = self.records[str(key)]
        texts, doc = field_docs(record["doc"])
        members = []
        for name, offset, width, kind, line, comment, counted in record["members"]:
            if offset < 0:
                where = f"{self.shown.get(record['file'], os.path.basename(record['file']))}:{line}"
                raise HeaderError("the compiler gives no place for a member", source=where, path=f"{record['name']}.{name}")
            text = texts.get(name) or plain_comment(comment)
            members.append(Member(name, offset, value_type(kind), width, text, counted, line))
        packed = True if record["packed"] else None
        file = self.shown.get(record["file"], record["file"])
        return Composite(
            record["name"], record["keyword"], record["size"], tuple(members), record["align"], packed, doc, file, record["line"]
        )


def value_type(kind: dict[str, Any]) -> ValueType:
    """A type as the worker writes it."""
    names = tuple((str(name), int(value)) for name, value in kind.get("names", ()))
    return ValueType(
        kind["kind"], kind["size"], kind.get("signed", False), kind.get("order", "native"), tuple(kind.get("dims", ())),
        kind.get("text", False), names, kind.get("inner"),
    )  # fmt: skip


def field_docs(comment: str) -> tuple[dict[str, str], str]:
    """What a kernel-doc comment says of each field, and its first line."""
    if not comment.startswith("/**"):
        return {}, ""
    lines = [line.strip().removeprefix("*").strip() for line in comment.removeprefix("/**").removesuffix("*/").splitlines()]
    texts: dict[str, str] = {}
    current = ""
    for line in lines:
        found = re.match(r"@([\w.]+):\s*(.*)", line)
        if found:
            current = found[1]
            texts[current] = found[2]
        elif not line:
            current = ""
        elif current:
            texts[current] += f" {line}"
    first = next((line for line in lines if line), "")
    return texts, first.partition(" - ")[2] or ("" if first.startswith("@") else first)


def plain_comment(comment: str) -> str:
    """A comment without its marks, in one line; that of ``/** @name: text */`` without the name."""
    text = re.sub(r"^/\*\*?<?|\*/$|^///?", "", comment.strip())
    text = " ".join(line.strip().removeprefix("*").strip() for line in text.splitlines())
    return re.sub(r"^\s*@[\w.]+:", "", text).strip()
