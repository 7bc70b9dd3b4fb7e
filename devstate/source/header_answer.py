# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the compiler's process answers, as facts: macros, constants, and structs that are laid out.

A fault in a file of the source is an error. A fault elsewhere, in a header that is only included, spoils the structs that it is in, and
those that embed them: only when one of these is asked for it is an error.
"""

from __future__ import annotations

import os
import re

from devstate.errors import HeaderError
from devstate.finding import Location
from devstate.frozen import frozen, replace
from devstate.layout.model import Environment, StructLayout
from devstate.source.composite import Composite, Member, ValueType
from devstate.source.laying import Laying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from devstate.source.header_files import SourceFile


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


def facts_of(
    files: list[SourceFile], macros: list[list[Macro]], answer: Any, environment: Environment, type_name: str | None
) -> HeaderFacts:
    """The facts in an answer. HeaderError for the first fault that counts: with ``type_name`` only one that this struct meets."""
    reading = _Answer(files, answer, type_name)
    known: list[Macro] = []
    for own, found in zip(macros, answer["files"], strict=True):
        known += [replace(macro, value=found["macros"].get(macro.name)) for macro in own]
    roots, aliases = reading.roots()
    enumerators = reading.enumerators()
    laying = Laying(WorkerComposites(answer["records"], reading.shown), big=environment.byte_order == "big")
    structs = laying.run(roots.items())
    home = tuple((laying.names[key], reading.shown[answer["records"][key]["file"]]) for key in roots)
    places = laying.places | {each.name: Location(each.file, line=each.line) for each in known}
    places |= {each.name: Location(each.file, line=each.line) for each in enumerators}
    comments = tuple((laying.names[key], answer["records"][key]["doc"]) for key in roots)
    return HeaderFacts(tuple(files), tuple(known), enumerators, structs, home, tuple(places.items()), tuple(aliases), comments)


class _Answer:
    """One run over an answer."""

    def __init__(self, files: list[SourceFile], answer: Any, type_name: str | None) -> None:
        self.files, self.answer, self.type_name = files, answer, type_name
        self.shown = {each.path: each.shown for each in files}
        self.records: dict[str, Any] = answer["records"]
        self.faults: dict[str, HeaderError] = {}
        for found in answer["files"]:
            for name, line, column, text in found["errors"]:
                where = f"{self.shown.get(name, os.path.basename(name))}:{line}:{column}"
                self.fault(name, line, HeaderError(text, source=where))
            for name, line, word in found["lost"]:
                where = f"{self.shown.get(name, os.path.basename(name))}:{line}"
                said = f"{word} behind a struct is no attribute that is known"
                self.fault(name, line, HeaderError(said, source=where, advice=f"--define {word}=..."))

    def fault(self, file: str, line: int, error: HeaderError) -> None:
        """Take in a fault: it is raised when it is in the source itself, and else kept for the structs that it is in."""
        if file in self.shown and self.type_name is None:
            raise error
        for key, record in self.records.items():
            if record["file"] == file and record["line"] <= line <= record["end"]:
                self.faults.setdefault(key, error)

    def roots(self) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """Key -> name of the source's own structs, and typedefs of them as (name, name of the struct)."""
        found: dict[str, str] = {}
        aliases: list[tuple[str, str]] = []
        for file, each in zip(self.files, self.answer["files"], strict=True):
            own = [key for key in each["records"] if self.records[key]["file"] == file.path]
            for name, key in each["typedefs"].items():
                if self.records[key]["file"] == file.path and self.records[key]["name"] != name:
                    aliases.append((name, self.records[key]["name"]))
            wanted = {self.type_name, *(struct for name, struct in aliases if name == self.type_name)}
            for key in own:
                fault = self.first_fault(key)
                if fault is not None and (self.type_name is None or self.records[key]["name"] in wanted):
                    raise fault
                if fault is None and self.records[key]["name"]:
                    found[key] = self.records[key]["name"]
        return found, aliases

    def first_fault(self, key: str) -> HeaderError | None:
        """The fault of a struct, or of one that it embeds."""
        if not self.faults:
            return None
        pending = [key]
        seen = {key}
        for each in pending:
            if each in self.faults:
                return self.faults[each]
            inner = [member[3].get("inner") for member in self.records[each]["members"]]
            pending += [other for other in inner if other is not None and other not in seen]
            seen.update(other for other in inner if other is not None)
        return None

    def enumerators(self) -> tuple[Enumerator, ...]:
        """The constants of the source's own enums."""
        made: dict[str, Enumerator] = {}
        for found in self.answer["files"]:
            for enum in found["enums"]:
                for name, value, line in enum["values"] if enum["file"] in self.shown else ():
                    made.setdefault(name, Enumerator(enum["name"], name, value, self.shown[enum["file"]], line))
        return tuple(made.values())


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
