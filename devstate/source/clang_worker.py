# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The process that runs libclang over C headers: a request on standard input, what the headers declare on standard output, both JSON.

A compiler on hostile text may run for ever, eat all memory or crash; here it does so alone, under limits. Nothing of devstate is
imported. The request is {"files": [{"path", "macros": [[name, kind]], "style"}], "includes": [directories], "arguments": [...], "skip":
a directory whose declarations are not listed}, where the style is kernel, uapi or plain; the answer

    {"files": [{"macros": {name: number or string}, "records": [key, ...], "enums": [{name, line, values}], "typedefs": {name: key},
                "errors": [[file, line, column, text], ...], "lost": [[file, line, name]]}],
     "records": {key: {name, keyword, size, align, packed, file, line, doc, members: [...]}}}

A member is [name, bit offset, width or null, type, line, doc, counted_by or null], a type the fields of ``composite.ValueType`` by name.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from typing import Any

from clang import cindex
from clang.cindex import Cursor, CursorKind, TypeKind

CPU_SECONDS = 60
MEMORY = 4 << 30
RECORDS_MAX = 1 << 16
ERRORS_MAX = 50

ORDERS = {f"{mark}{end}{bits}": order for mark in ("", "__") for end, order in (("le", "little"), ("be", "big")) for bits in (16, 32, 64)}
SIGNED = {TypeKind.SCHAR, TypeKind.SHORT, TypeKind.INT, TypeKind.LONG, TypeKind.LONGLONG, TypeKind.INT128}
UNSIGNED = {TypeKind.BOOL, TypeKind.UCHAR, TypeKind.USHORT, TypeKind.UINT, TypeKind.ULONG, TypeKind.ULONGLONG, TypeKind.UINT128,
            TypeKind.CHAR16, TypeKind.CHAR32, TypeKind.WCHAR}  # fmt: skip
CHARS = {TypeKind.CHAR_S, TypeKind.CHAR_U}
FLOATS = {TypeKind.HALF, TypeKind.FLOAT, TypeKind.DOUBLE, TypeKind.LONGDOUBLE, TypeKind.FLOAT128, TypeKind.IBM128, TypeKind.COMPLEX}
POINTERS = {TypeKind.POINTER, TypeKind.FUNCTIONPROTO, TypeKind.FUNCTIONNOPROTO, TypeKind.BLOCKPOINTER}
RECORD_KINDS = {CursorKind.STRUCT_DECL: "struct", CursorKind.UNION_DECL: "union"}

ALWAYS = ("User-Defined Issue", "Lexical or Preprocessor Issue")
"""Categories of errors that count wherever they are: an #error, and what the preprocessor does not take."""

NAME = re.compile(r"[A-Za-z_$][\w$]*")
MAIN = "devstate-main.c"


class Reading:
    """What was found so far, over all files."""

    def __init__(self, arguments: list[str], skip: str) -> None:
        self.arguments, self.skip = arguments, skip + os.sep
        self.index = cindex.Index.create()
        self.records: dict[str, dict[str, Any]] = {}

    def file(self, path: str, macros: list[list[str]], style: str) -> dict[str, Any]:
        """Parse one file, and take in its declarations."""
        lines = [f'#include "{path}"']
        for number, (name, kind) in enumerate(macros):
            if kind != "text":
                lines += [f"#ifdef {name}", f"enum {{ devstate_number_{number} = ({name}) }};", "#endif"]
            if kind != "number":
                lines += [f"#ifdef {name}", f"static const char *devstate_text_{number} = ({name});", "#endif"]
        arguments = self.arguments if style == "plain" else [*self.arguments, "-include", "kernel.h"]
        if style == "uapi":
            arguments = [*arguments, "-DDEVSTATE_UAPI"]
        options = cindex.TranslationUnit.PARSE_SKIP_FUNCTION_BODIES | cindex.TranslationUnit.PARSE_INCOMPLETE
        unit = self.index.parse(MAIN, arguments, [(MAIN, "\n".join(lines) + "\n")], options)
        top = list(unit.cursor.get_children())
        broken, errors = self.errors(unit, top)
        found: dict[str, Any] = {"macros": {}, "records": [], "enums": [], "typedefs": {}, "errors": errors, "lost": []}
        for cursor in top:
            here = cursor.location.file
            if here is None:
                continue
            if here.name == MAIN:
                self.constant(cursor, macros, broken, found["macros"])
            elif not here.name.startswith(self.skip):
                self.declaration(cursor, found)
        return found

    def errors(self, unit: cindex.TranslationUnit, top: list[Cursor]) -> tuple[set[int], list[list[Any]]]:
        """The lines of the main file that are wrong (macros that are no constants), and the errors that matter: a function that names
        unknown types lays nothing out."""
        functions = without_layout(top)
        broken: set[int] = set()
        errors: list[list[Any]] = []
        for each in unit.diagnostics:
            if each.severity < cindex.Diagnostic.Error:
                continue
            name = each.location.file.name if each.location.file is not None else ""
            line = each.location.line
            if name == MAIN:
                broken.add(line)
                continue
            harmless = any(name == file and first <= line <= last for file, first, last in functions)
            if len(errors) < ERRORS_MAX and (each.category_name in ALWAYS or not harmless):
                errors.append([os.path.realpath(name), line, each.location.column, each.spelling])
        return broken, errors

    def constant(self, cursor: Cursor, macros: list[list[str]], broken: set[int], found: dict[str, Any]) -> None:
        """The value of one macro: an enumerator or a string of the main file."""
        if cursor.location.line in broken:
            return
        if cursor.kind is CursorKind.ENUM_DECL:
            for each in cursor.get_children():
                if each.spelling.startswith("devstate_number_"):
                    found[macros[int(each.spelling.rpartition("_")[2])][0]] = each.enum_value
        elif cursor.kind is CursorKind.VAR_DECL and cursor.spelling.startswith("devstate_text_"):
            text = next((each for each in cursor.walk_preorder() if each.kind is CursorKind.STRING_LITERAL), None)
            name = macros[int(cursor.spelling.rpartition("_")[2])][0]
            if text is not None and name not in found:
                found[name] = json_string(text.spelling)

    def declaration(self, cursor: Cursor, found: dict[str, Any]) -> None:
        """One declaration of the headers."""
        file = os.path.realpath(cursor.location.file.name)
        if cursor.kind in RECORD_KINDS and cursor.is_definition():
            found["records"].append(self.record(cursor))
        elif cursor.kind is CursorKind.ENUM_DECL and cursor.is_definition():
            values = [[each.spelling, each.enum_value, each.location.line] for each in cursor.get_children()
                      if each.kind is CursorKind.ENUM_CONSTANT_DECL]  # fmt: skip
            found["enums"].append({"name": tag(cursor), "file": file, "line": cursor.location.line, "values": values})
        elif cursor.kind is CursorKind.TYPEDEF_DECL:
            kind = cursor.underlying_typedef_type.get_canonical()
            declared = kind.get_declaration()
            if kind.kind is TypeKind.RECORD and declared.is_definition():
                found["typedefs"][cursor.spelling] = self.record(declared)
        elif cursor.kind is CursorKind.VAR_DECL and cursor.spelling.startswith("__"):
            kind = cursor.type.get_canonical()
            if kind.kind is TypeKind.RECORD and cursor.location.file.name.endswith(".h"):
                found["lost"].append([file, cursor.location.line, cursor.spelling])

    def record(self, cursor: Cursor) -> str:
        """Take in a struct or union and everything that it embeds; its key."""
        first = key_of(cursor)
        pending = [cursor]
        while pending:
            each = pending.pop()
            key = key_of(each)
            if key in self.records:
                continue
            if len(self.records) == RECORDS_MAX:
                raise OverflowError(f"more than {RECORDS_MAX} structs")
            self.records[key] = described(each, pending)
        return first


def without_layout(top: list[Cursor]) -> list[tuple[str, int, int]]:
    """(file, first line, last line) of the functions and variables: what is wrong in there lays nothing out.

    The compiler ends a variable of an unknown type at its name: the rest, up to the next declaration, is its initial value.
    """
    known = [cursor for cursor in top if cursor.extent.start.file is not None]
    starts = [(cursor.extent.start.file.name, cursor.extent.start.line) for cursor in known]
    defined = {(cursor.location.file.name, cursor.location.line) for cursor in known
               if cursor.kind in (*RECORD_KINDS, CursorKind.ENUM_DECL) and cursor.is_definition()}  # fmt: skip
    found = []
    for number, cursor in enumerate(known):
        if cursor.kind not in (CursorKind.FUNCTION_DECL, CursorKind.VAR_DECL):
            continue
        file, first = starts[number]
        last = cursor.extent.end.line
        if cursor.kind is CursorKind.VAR_DECL and number + 1 < len(starts) and starts[number + 1][0] == file:
            last = max(last, starts[number + 1][1] - 1)
        if not any(name == file and first <= line <= last for name, line in defined):
            found.append((file, first, last))
    return found


def json_string(spelling: str) -> str:
    """What a string literal says, as the compiler spells it."""
    try:
        return str(json.loads(spelling))
    except ValueError:
        return spelling.strip('"')


def tag(cursor: Cursor) -> str:
    """The name behind struct, union or enum; empty when there is none (libclang makes one up)."""
    return "" if cursor.is_anonymous() or not NAME.fullmatch(cursor.spelling) else cursor.spelling


def key_of(cursor: Cursor) -> str:
    """What a declaration is known by: two files may each have their own struct of one name."""
    return f"{cursor.get_usr()} {cursor.location.file.name}:{cursor.location.offset}"


def described(cursor: Cursor, pending: list[Cursor]) -> dict[str, Any]:
    """One struct or union; what it embeds goes to ``pending``."""
    packed = any(each.kind is CursorKind.PACKED_ATTR for each in cursor.get_children())
    # The fields of a type include those without a name, for unnamed structs: the children of a declaration do not.
    # A struct that the compiler found wrong has no such fields, and its members have no place.
    fields = list(cursor.type.get_fields()) or [each for each in cursor.get_children() if each.kind is CursorKind.FIELD_DECL]
    members = [member(each, pending) for each in fields]
    kind = cursor.type
    return {
        "name": tag(cursor), "keyword": RECORD_KINDS[cursor.kind], "size": max(kind.get_size(), 0), "align": max(kind.get_align(), 1),
        "packed": packed, "file": os.path.realpath(cursor.location.file.name), "line": cursor.location.line,
        "end": cursor.extent.end.line, "doc": cursor.raw_comment or "",
        "members": members,
    }  # fmt: skip


def member(each: Cursor, pending: list[Cursor]) -> list[Any]:
    """One member; an unnamed struct or union is one without a name."""
    width = each.get_bitfield_width() if each.is_bitfield() else None
    counted = next((child.spelling.partition(":")[2] for child in each.get_children()
                    if child.kind is CursorKind.ANNOTATE_ATTR and child.spelling.startswith("counted_by:")), None)  # fmt: skip
    offset = each.get_field_offsetof()
    name = each.spelling if NAME.fullmatch(each.spelling or "") else ""
    return [name, offset, width, value_type(each.type, pending), each.location.line, each.raw_comment or "", counted]


def value_type(kind: cindex.Type, pending: list[Cursor]) -> dict[str, Any]:
    """The type of a member, through typedefs and arrays."""
    dims: list[int | None] = []
    order = "native"
    for _ in range(64):
        if kind.kind is TypeKind.TYPEDEF:
            order = ORDERS.get(kind.get_declaration().spelling, order)
            kind = kind.get_declaration().underlying_typedef_type
        elif kind.kind is TypeKind.ELABORATED:
            kind = kind.get_named_type()
        elif kind.kind in (TypeKind.CONSTANTARRAY, TypeKind.VECTOR):
            dims.append(kind.element_count)
            kind = kind.element_type
        elif kind.kind in (TypeKind.INCOMPLETEARRAY, TypeKind.VARIABLEARRAY, TypeKind.DEPENDENTSIZEDARRAY):
            dims.append(None)
            kind = kind.element_type
        elif kind.kind in (TypeKind.UNEXPOSED, TypeKind.ATOMIC) and kind.get_canonical() != kind:
            kind = kind.get_canonical()
        else:
            break
    made: dict[str, Any] = {"size": max(kind.get_size(), 0), "order": order, "dims": dims}
    if kind.kind in SIGNED:
        return made | {"kind": "int", "signed": True}
    if kind.kind in UNSIGNED:
        return made | {"kind": "int"}
    if kind.kind in CHARS:
        return made | {"kind": "int", "text": True}
    if kind.kind in FLOATS:
        return made | {"kind": "float"}
    if kind.kind is TypeKind.ENUM:
        declared = kind.get_declaration()
        values = [[each.spelling, each.enum_value] for each in declared.get_children() if each.kind is CursorKind.ENUM_CONSTANT_DECL]
        return made | {"kind": "enum", "signed": declared.enum_type.kind in SIGNED, "names": values, "enum": tag(declared)}
    if kind.kind is TypeKind.RECORD and kind.get_declaration().is_definition():
        declared = kind.get_declaration()
        pending.append(declared)
        return made | {"kind": RECORD_KINDS.get(declared.kind, "struct"), "inner": key_of(declared)}
    return made | {"kind": "pointer"}


def main() -> None:
    """Answer one request."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    request = json.load(sys.stdin)
    reading = Reading([*request["arguments"], *(f"-I{each}" for each in request["includes"])], request["skip"])
    files = [reading.file(**each) for each in request["files"]]
    os.write(1, json.dumps({"files": files, "records": reading.records}).encode())


if __name__ == "__main__":
    main()
