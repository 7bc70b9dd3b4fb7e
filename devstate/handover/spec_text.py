# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A spec as text: TOML or JSON to a Spec and the arena to build it in. docs/build.md says what can stand in it.

Closed vocabulary: a key that is not known is an error. Every error names line (TOML) and path, such as ``sessions[1].files[0].size``.
"""

from __future__ import annotations

import os

from devstate.errors import DecodeError, EncodeError, LocatedError, UsageError
from devstate.frozen import frozen
from devstate.handover.spec import FileSpec, FlbSpec, Forms, RegionSpec, SessionSpec, Spec, SubtreeSpec, forms_of, is_renamed
from devstate.handover.spec_lines import line_of, path_of
from devstate.memory.arena import BASE, SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from devstate.layout.registry import Registry

SPEC_MAX = 16 << 20
"""Bytes of a spec: a hundred thousand files take half of it."""

ARENA_MAX = 1 << 36
"""Bytes of an arena, 64 GiB: address space, not memory."""

TOP = {
    "kernel", "forms", "page_size", "byte_order", "arena", "scratch", "liveupdate_num", "kexec_count", "per_block", "per_list",
    "list_order", "entry", "sessions", "flbs", "regions", "subtrees", "subtree_order", "pins",
}  # fmt: skip
NUMBERS = ("page_size", "liveupdate_num", "kexec_count", "per_block", "per_list", "list_order")
CONTENT = {"pattern", "hex", "path"}
FILE = {"token", "size", "pos", "seals", "order", "handler", "data", *CONTENT}
KEYS = {
    "sessions": {"name", "files"},
    "flbs": {"name", "data", "count"},
    "regions": {"name", "size", *CONTENT},
    "subtrees": {"name", "order", "size", *CONTENT},
    "scratch": {"start", "size"},
    "arena": {"base", "size"},
    "forms": {"kho", "luo", "memfd", "release"},
}
"""What may stand where; docs/build.schema.json says the same."""

SEALS = ("SEAL", "SHRINK", "GROW", "WRITE", "FUTURE_WRITE", "EXEC")
"""Names of F_SEAL_* bits, lowest first."""

_SUFFIXES = {"K": 10, "M": 20, "G": 30}


@frozen
class SpecFile:
    """A spec with where it came from: ``arena`` is (base, bytes), ``text`` the TOML that errors are looked up in, None for JSON."""

    spec: Spec
    arena: tuple[int, int]
    source: str
    text: str | None

    def located(self, error: LocatedError) -> LocatedError:
        """An error of building, with the path and line of what is at fault in the spec."""
        return _located(error, path_of(self.spec, error.path or ""), self.source, self.text)


def read_spec(data: bytes, source: str, registry: Registry, *, folder: str = ".") -> SpecFile:
    """The spec in ``data``; TOML unless it begins with a brace. Paths of contents are relative to ``folder``.

    DecodeError for what is no TOML or JSON; EncodeError for a key, type or value that is not as docs/build.md says. OSError becomes
    EncodeError.
    """
    plain, text = _parsed(data, source)
    try:
        reader = _Reader(plain, registry, folder)
        return SpecFile(reader.spec(), reader.arena, source, text)
    except EncodeError as error:
        raise _located(error, error.path or "", source, text) from None


def _parsed(data: bytes, source: str) -> tuple[dict[str, Any], str | None]:
    if len(data) > SPEC_MAX:
        raise DecodeError("the spec is too large", source=source, expected=f"at most {SPEC_MAX} bytes", found=len(data))
    is_json = data.lstrip()[:1] == b"{"
    try:
        text = data.decode()
        if is_json:
            import json

            return json.loads(text), None
        import tomllib

        return tomllib.loads(text), text
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DecodeError(f"not {'JSON' if is_json else 'TOML'}: {reason}", source=source) from error


def _located(error: LocatedError, path: str, source: str, text: str | None) -> LocatedError:
    line = line_of(text, path) if text is not None and path else None
    error.path = path or None
    return error.at(source=source if line is None else f"{source}:{line}")


class _Reader:
    """One spec in the reading. ``left`` is how many bytes of content still fit into the arena."""

    def __init__(self, plain: dict[str, Any], registry: Registry, folder: str) -> None:
        self.plain = plain
        self.registry = registry
        self.folder = folder
        given = _table(plain, "arena", KEYS["arena"])
        self.arena = number(given.get("base", BASE), "arena.base"), number(given.get("size", SIZE), "arena.size")
        if self.arena[1] > ARENA_MAX:
            raise EncodeError("the arena is too large", path="arena.size", expected=f"at most {ARENA_MAX:#x}", found=hex(self.arena[1]))
        self.left = self.arena[1]

    def spec(self) -> Spec:
        plain = self.plain
        _known(plain, TOP, "")
        numbers = {key: number(plain[key], key) for key in NUMBERS if key in plain}
        forms, renamed = self.forms()
        return Spec(
            forms=forms,
            renamed=renamed,
            byte_order=text(plain.get("byte_order", "little"), "byte_order"),  # type: ignore[arg-type]  # check_spec() looks
            entry=text(plain["entry"], "entry") if "entry" in plain else None,
            sessions=self.rows("sessions", self.session),
            flbs=self.rows("flbs", _flb),
            regions=self.rows("regions", self.region),
            subtrees=self.rows("subtrees", self.subtree),
            scratch=self.rows("scratch", _area),
            subtree_order=tuple(text(each, "subtree_order") for each in _list(plain, "subtree_order", "")),
            pins={place: number(pa, f"pins.{place}") for place, pa in _table(plain, "pins", None).items()},
            **numbers,  # type: ignore[arg-type]  # all of them are numbers
        )

    def forms(self) -> tuple[Forms, bool]:
        """The forms, and whether the kernel has 7.4's name for scratch."""
        if ("kernel" in self.plain) == ("forms" in self.plain):
            raise EncodeError("a spec has a kernel (release) or forms (schema names), one of the two", path="kernel")
        if "kernel" in self.plain:
            release = text(self.plain["kernel"], "kernel")
            try:
                return forms_of(self.registry, release), is_renamed(self.registry, release)
            except UsageError as error:
                raise EncodeError(str(error), path="kernel") from None
        given = {key: text(value, f"forms.{key}") for key, value in _table(self.plain, "forms", KEYS["forms"]).items()}
        if "kho" not in given:
            raise EncodeError("the form of the root is missing", path="forms.kho")
        for key in ("kho", "luo", "memfd"):
            if key in given and given[key] not in self.registry.summaries:
                raise EncodeError("no schema has this name", path=f"forms.{key}", found=given[key], advice="`devstate schemas` lists them")
        return Forms(**given), False

    def rows(self, key: str, make: Callable[[Mapping[str, Any], str], Any]) -> tuple[Any, ...]:
        """The tables of an array of tables."""
        return tuple(make(_row(row, KEYS[key], f"{key}[{at}]"), f"{key}[{at}]") for at, row in enumerate(_list(self.plain, key, "")))

    def session(self, row: Mapping[str, Any], path: str) -> SessionSpec:
        files = [
            self.file(_row(each, FILE, f"{path}.files[{at}]"), f"{path}.files[{at}]") for at, each in enumerate(_list(row, "files", path))
        ]
        return SessionSpec(text(_need(row, "name", path), f"{path}.name"), tuple(files))

    def file(self, row: Mapping[str, Any], path: str) -> FileSpec:
        content, size = self.content(row, path)
        return FileSpec(
            number(_need(row, "token", path), f"{path}.token"),
            content,
            size,
            number(row.get("pos", 0), f"{path}.pos"),
            seals(row.get("seals", 0), f"{path}.seals"),
            number(row.get("order", 0), f"{path}.order"),
            handler=text(row["handler"], f"{path}.handler") if "handler" in row else None,
            data=number(row.get("data", 0), f"{path}.data"),
        )

    def region(self, row: Mapping[str, Any], path: str) -> RegionSpec:
        _need(row, "size", path)
        content, size = self.content(row, path)
        return RegionSpec(text(_need(row, "name", path), f"{path}.name"), size, content)

    def subtree(self, row: Mapping[str, Any], path: str) -> SubtreeSpec:
        content, size = self.content(row, path)
        order = number(row["order"], f"{path}.order") if "order" in row else None
        return SubtreeSpec(text(_need(row, "name", path), f"{path}.name"), content.ljust(size, b"\0"), order)

    def content(self, row: Mapping[str, Any], path: str) -> tuple[bytes, int]:
        """(bytes, size): a pattern fills the size, a file is cut at it, what is missing is zeros. Without a size it is the content's."""
        kinds = sorted(CONTENT & row.keys())
        if len(kinds) > 1:
            raise EncodeError("a content is told in one way", path=f"{path}.{kinds[1]}", found=" and ".join(kinds))
        unit = self.load(text(row["path"], f"{path}.path"), f"{path}.path") if kinds == ["path"] else _unit(row, kinds, path)
        size = number(row["size"], f"{path}.size") if "size" in row else len(unit)
        if size > self.left:
            expected = f"at most {self.left:#x} bytes more"
            raise EncodeError("contents are larger than the arena", path=f"{path}.size", expected=expected, found=f"{size:#x}")
        self.left -= size
        if unit and kinds != ["path"]:
            unit *= -(-size // len(unit))
        return unit[:size], size

    def load(self, name: str, path: str) -> bytes:
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                data = file.read(self.left + 1)
        except (OSError, ValueError) as error:
            raise EncodeError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path, found=name) from None
        if len(data) > self.left:
            raise EncodeError("contents are larger than the arena", path=path, expected=f"at most {self.left:#x} bytes more", found=name)
        return data


def _unit(row: Mapping[str, Any], kinds: list[str], path: str) -> bytes:
    if not kinds:
        return b""
    value = text(row[kinds[0]], f"{path}.{kinds[0]}")
    try:
        return bytes.fromhex(value) if kinds == ["hex"] else value.encode()
    except ValueError:
        raise EncodeError("hex is pairs of hexadecimal digits", path=f"{path}.hex", found=repr(value[:40])) from None


def _flb(row: Mapping[str, Any], path: str) -> FlbSpec:
    data, count = number(row.get("data", 0), f"{path}.data"), number(row.get("count", 1), f"{path}.count")
    return FlbSpec(text(_need(row, "name", path), f"{path}.name"), data, count)


def _area(row: Mapping[str, Any], path: str) -> tuple[int, int]:
    return number(_need(row, "start", path), f"{path}.start"), number(_need(row, "size", path), f"{path}.size")


def number(value: object, path: str) -> int:
    """A number, or a text of one: decimal or 0x..., with K, M, G for powers of 1024. EncodeError for anything else, or beyond 64 bits."""
    found = value
    if isinstance(value, str) and len(value) <= 24:
        shift = _SUFFIXES.get(value[-1:].upper(), 0)
        try:
            value = int(value[:-1] if shift else value, 0) << shift
        except ValueError:
            value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise EncodeError("not a 64-bit number", path=path, expected='such as 4096, "0x1000" or "4K"', found=repr(found)[:60])
    return value


def text(value: object, path: str) -> str:
    """A text. EncodeError for anything else, and for one that is not Unicode."""
    if not isinstance(value, str) or any(0xD800 <= ord(each) < 0xE000 for each in value):
        raise EncodeError("not a text", path=path, found=repr(value)[:60])
    return value


def seals(value: object, path: str) -> int:
    """Seals: a number, or a list of names."""
    if not isinstance(value, list):
        return number(value, path)
    names = [text(each, path) for each in value]
    if not set(names) <= set(SEALS):
        raise EncodeError("not a seal", path=path, expected=", ".join(SEALS), found=", ".join(sorted(set(names) - set(SEALS))))
    return sum(1 << SEALS.index(name) for name in set(names))


def _known(row: Mapping[str, Any], keys: set[str] | None, path: str) -> None:
    unknown = next((key for key in row if keys is not None and key not in keys), None)
    if unknown is not None:
        place = f"{path}.{unknown}" if path else unknown
        raise EncodeError("no such key", path=place, expected=", ".join(sorted(keys or ())))


def _row(row: object, keys: set[str] | None, path: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise EncodeError("not a table", path=path, found=repr(row)[:60])
    _known(row, keys, path)
    return row


def _table(plain: object, key: str, keys: set[str] | None) -> dict[str, Any]:
    return _row(plain.get(key, {}) if isinstance(plain, dict) else plain, keys, key)


def _list(row: Mapping[str, Any], key: str, path: str) -> list[Any]:
    value = row.get(key, [])
    if not isinstance(value, list):
        raise EncodeError("not a list", path=f"{path}.{key}" if path else key, found=repr(value)[:60])
    return value


def _need(row: Mapping[str, Any], key: str, path: str) -> object:
    if key not in row:
        raise EncodeError(f"{key} is missing", path=path)
    return row[key]
