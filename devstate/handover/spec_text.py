# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A spec as text: TOML or JSON to a Spec and the arena to build it in. docs/build.md says what can stand in it.

Closed vocabulary: a key that is not known is an error. Every error names line (TOML) and path, such as ``sessions[1].files[0].size``.
"""

from __future__ import annotations

import os

from devstate.errors import DevstateError, EncodeError, LocatedError, UsageError
from devstate.frozen import frozen
from devstate.handover.build_rules import check_arena, check_spec
from devstate.handover.spec import FileSpec, FlbSpec, Forms, RegionSpec, SessionSpec, Spec, SubtreeSpec, forms_of, is_renamed
from devstate.handover.spec_lines import nearest_line, path_of
from devstate.handover.spec_parse import parsed
from devstate.handover.spec_state import DEVICE, GUEST, PART, device, guest, part
from devstate.handover.spec_values import a_list, a_row, a_table, known, need, number, text
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.release import parse_release
from devstate.memory.arena import BASE, SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from devstate.handover.spec import DeviceSpec, PartSpec
    from devstate.layout.model import ByteOrder
    from devstate.layout.registry import Registry

ARENA_MAX = 1 << 36
"""Bytes of an arena, 64 GiB: address space, not memory."""

TOP = {
    "kernel", "forms", "page_size", "byte_order", "arena", "scratch", "liveupdate_num", "kexec_count", "per_block", "per_list",
    "list_order", "entry", "sessions", "flbs", "regions", "subtrees", "subtree_order", "parts", "devices", "guests", "pins", "schemas",
}  # fmt: skip
NUMBERS = ("page_size", "liveupdate_num", "kexec_count", "per_block", "per_list", "list_order")
CONTENT = {"pattern", "hex", "path", "words"}
FILE = {"token", "size", "pos", "seals", "order", "handler", "data", *CONTENT}
KEYS = {
    "sessions": {"name", "files"},
    "flbs": {"name", "data", "count"},
    "regions": {"name", "size", *CONTENT},
    "subtrees": {"name", "order", "size", *CONTENT},
    "scratch": {"start", "size"},
    "parts": PART,
    "devices": DEVICE,
    "guests": GUEST,
    "arena": {"base", "size"},
    "forms": {"kho", "luo", "memfd", "release"},
}
"""What may stand where; docs/build.schema.json says the same."""

SEALS = ("SEAL", "SHRINK", "GROW", "WRITE", "FUTURE_WRITE", "EXEC")
"""Names of F_SEAL_* bits, lowest first."""


@frozen
class SpecFile:
    """A spec with where it came from: ``arena`` is (base, bytes), ``text`` what errors are looked up in.
    ``registry`` has the schemas that it names.
    """

    spec: Spec
    arena: tuple[int, int]
    source: str
    text: str
    registry: Registry

    def located(self, error: LocatedError) -> LocatedError:
        """An error of building, with the path and line of what is at fault in the spec."""
        return _located(error, path_of(self.spec, error.path or ""), self.source, self.text)


def read_spec(data: bytes, source: str, registry: Registry, *, folder: str = ".") -> SpecFile:
    """The spec in ``data``; TOML unless it begins with a brace. Paths of contents are relative to ``folder``.

    DecodeError for what is no TOML or JSON; EncodeError for a key, type or value that is not as docs/build.md says. OSError becomes
    EncodeError.
    """
    plain, text = parsed(data, source)
    try:
        registry = with_schemas(registry, plain, folder)
        reader = _Reader(plain, registry, folder)
        spec = reader.spec()
        check_spec(spec)
        check_arena(spec, reader.arena)
        return SpecFile(spec, reader.arena, source, text, registry)
    except EncodeError as error:
        raise _located(error, error.path or "", source, text) from None


def with_schemas(registry: Registry, plain: Mapping[str, Any], folder: str) -> Registry:
    """The registry with the schema files and packages that the spec names. EncodeError for one that cannot be loaded."""
    names = a_list(plain, "schemas", "")
    if not names:
        return registry
    from devstate.layout.compiling import add_user_schemas

    registry = registry.copy()
    for at, each in enumerate(names):
        path = os.path.join(folder, text(each, f"schemas[{at}]"))
        try:
            add_user_schemas(registry, path)
        except DevstateError as error:
            raise EncodeError(f"the schemas cannot be loaded: {error}", path=f"schemas[{at}]") from None
    return registry


def _located(error: LocatedError, path: str, source: str, text: str) -> LocatedError:
    error.path = path or None
    error.source = f"{source}:{nearest_line(text, path)}"
    return error


class _Reader:
    """One spec in the reading. ``left`` is how many bytes of content still fit into the arena."""

    def __init__(self, plain: dict[str, Any], registry: Registry, folder: str) -> None:
        self.plain = plain
        self.registry = registry
        self.folder = folder
        given = a_table(plain, "arena", KEYS["arena"])
        self.arena = number(given.get("base", BASE), "arena.base"), number(given.get("size", SIZE), "arena.size")
        if self.arena[1] > ARENA_MAX:
            raise EncodeError("the arena is too large", path="arena.size", expected=f"at most {ARENA_MAX:#x}", found=hex(self.arena[1]))
        self.left = self.arena[1]

    def spec(self) -> Spec:
        plain = self.plain
        known(plain, TOP, "")
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
            parts=self.rows("parts", self.part),
            devices=self.rows("devices", self.device),
            guests=self.rows("guests", guest),
            subtree_order=tuple(text(each, "subtree_order") for each in a_list(plain, "subtree_order", "")),
            pins={place: number(pa, f"pins.{place}") for place, pa in a_table(plain, "pins", None).items()},
            **numbers,  # type: ignore[arg-type]  # all of them are numbers
        )

    def forms(self) -> tuple[Forms, bool]:
        """The forms, and whether the kernel has 7.4's name for scratch."""
        if ("kernel" in self.plain) == ("forms" in self.plain):
            raise EncodeError("a spec has a kernel (release) or forms (schema names), one of the two", path="kernel")
        if "kernel" in self.plain:
            release = text(self.plain["kernel"], "kernel")
            self.known(release)
            try:
                return forms_of(self.registry, release), is_renamed(self.registry, release)
            except UsageError as error:
                raise EncodeError(str(error), path="kernel") from None
        given = {key: text(value, f"forms.{key}") for key, value in a_table(self.plain, "forms", KEYS["forms"]).items()}
        if "kho" not in given:
            raise EncodeError("the form of the root is missing", path="forms.kho")
        for key in ("kho", "luo", "memfd"):
            if key in given and given[key] not in self.registry.summaries:
                raise EncodeError("no schema has this name", path=f"forms.{key}", found=given[key], advice="`devstate schemas` lists them")
        return Forms(**given), False

    def known(self, release: str) -> None:
        """EncodeError for a release above all that are known: its forms would be a guess."""
        parsed = parse_release(release) if release.isascii() else None
        if parsed is None:
            raise EncodeError(f"{release!r} is no kernel release", path="kernel", expected="two numbers, such as 7.3 or 7.1-rc5")
        sinces = [parse_release(each.since) for each in self.registry.summaries.values() if each.since and each.status == "mainline"]
        newest = max((each.major, each.minor) for each in sinces if each is not None)
        if (parsed.major, parsed.minor) > newest:
            expected = f"at most {newest[0]}.{newest[1]}, or forms with a release of any name"
            raise EncodeError("it is not known what this kernel writes", path="kernel", expected=expected, found=release)

    def rows(self, key: str, make: Callable[[Mapping[str, Any], str], Any]) -> tuple[Any, ...]:
        """The tables of an array of tables."""
        return tuple(make(a_row(row, KEYS[key], f"{key}[{at}]"), f"{key}[{at}]") for at, row in enumerate(a_list(self.plain, key, "")))

    def session(self, row: Mapping[str, Any], path: str) -> SessionSpec:
        files = [
            self.file(a_row(each, FILE, f"{path}.files[{at}]"), f"{path}.files[{at}]") for at, each in enumerate(a_list(row, "files", path))
        ]
        return SessionSpec(text(need(row, "name", path), f"{path}.name"), tuple(files))

    def file(self, row: Mapping[str, Any], path: str) -> FileSpec:
        content, size = self.content(row, path)
        return FileSpec(
            number(need(row, "token", path), f"{path}.token"),
            content,
            size,
            number(row.get("pos", 0), f"{path}.pos"),
            seals(row.get("seals", 0), f"{path}.seals"),
            number(row.get("order", 0), f"{path}.order"),
            handler=text(row["handler"], f"{path}.handler") if "handler" in row else None,
            data=number(row.get("data", 0), f"{path}.data"),
        )

    def region(self, row: Mapping[str, Any], path: str) -> RegionSpec:
        need(row, "size", path)
        content, size = self.content(row, path)
        return RegionSpec(text(need(row, "name", path), f"{path}.name"), size, content)

    def subtree(self, row: Mapping[str, Any], path: str) -> SubtreeSpec:
        content, size = self.content(row, path)
        order = number(row["order"], f"{path}.order") if "order" in row else None
        return SubtreeSpec(text(need(row, "name", path), f"{path}.name"), content.ljust(size, b"\0"), order)

    def part(self, row: Mapping[str, Any], path: str) -> PartSpec:
        return part(row, path, self.registry, self.environment(), self.bytes_of)

    def device(self, row: Mapping[str, Any], path: str) -> DeviceSpec:
        return device(row, path, self.registry, self.environment(), self.bytes_of)

    def bytes_of(self, row: Mapping[str, Any], path: str) -> bytes:
        """Bytes that are given as a table of their own."""
        known(row, {"size", *CONTENT}, path)
        content, size = self.content(row, path)
        return content.ljust(size, b"\0")

    def environment(self) -> Environment:
        size = number(self.plain.get("page_size", 4096), "page_size")
        size = size if size in PAGE_SIZES else PAGE_SIZES[0]  # check_spec() looks
        return Environment(size, "big") if self.plain.get("byte_order") == "big" else Environment(size)

    def content(self, row: Mapping[str, Any], path: str) -> tuple[bytes, int]:
        """(bytes, size): a pattern fills the size, a file is cut at it, what is missing is zeros. Without a size it is the content's."""
        kinds = sorted(CONTENT & row.keys())
        if len(kinds) > 1:
            raise EncodeError("a content is told in one way", path=f"{path}.{kinds[1]}", found=" and ".join(kinds))
        if kinds == ["path"]:
            unit = self.load(text(row["path"], f"{path}.path"), f"{path}.path")
        else:
            unit = self.words(row["words"], f"{path}.words") if kinds == ["words"] else _unit(row, kinds, path)
        size = number(row["size"], f"{path}.size") if "size" in row else len(unit)
        if size > self.left:
            expected = f"at most {self.left:#x} bytes more"
            raise EncodeError("contents are larger than the arena", path=f"{path}.size", expected=expected, found=f"{size:#x}")
        self.left -= size
        if kinds == ["words"] and len(unit) > size:
            raise EncodeError("words behind the end", path=f"{path}.words", expected=f"below {size:#x}", found=f"{len(unit) - 8:#x}")
        if unit and kinds[0] in ("pattern", "hex"):
            unit *= -(-size // len(unit))
        return unit[:size], size

    def words(self, given: object, path: str) -> bytes:
        """64-bit words by their offsets, zeros between them."""
        words = {number(at, path): number(word, f"{path}.{at}") for at, word in a_row(given, None, path).items()}
        end = max(words, default=-8) + 8
        if end > self.left or any(at % 8 for at in words):
            expected = f"multiples of 8 below {self.left:#x}"
            raise EncodeError("not offsets of words", path=path, expected=expected, found=", ".join(map(hex, sorted(words)[-4:])))
        made = bytearray(end)
        order: ByteOrder = "big" if self.plain.get("byte_order") == "big" else "little"
        for at, word in words.items():
            made[at : at + 8] = word.to_bytes(8, order)
        return bytes(made)

    def load(self, name: str, path: str) -> bytes:
        try:
            where = os.path.join(self.folder, name)
            if os.path.exists(where) and not os.path.isfile(where):
                raise EncodeError("no regular file", path=path, found=name)  # others may have no end, or never begin
            with open(where, "rb") as file:
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
    return FlbSpec(text(need(row, "name", path), f"{path}.name"), data, count)


def _area(row: Mapping[str, Any], path: str) -> tuple[int, int]:
    return number(need(row, "start", path), f"{path}.start"), number(need(row, "size", path), f"{path}.size")


def seals(value: object, path: str) -> int:
    """Seals: a number, or a list of names."""
    if not isinstance(value, list):
        return number(value, path)
    names = [text(each, path) for each in value]
    if not set(names) <= set(SEALS):
        raise EncodeError("not a seal", path=path, expected=", ".join(SEALS), found=", ".join(sorted(set(names) - set(SEALS))))
    return sum(1 << SEALS.index(name) for name in set(names))
