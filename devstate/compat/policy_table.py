# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""TOML tables that know their lines: policy files are written by people, so every complaint says where it is and what would be right.

The standard parser gives values without places. The places come from a second look at the text, line by line: headers of tables, and keys
in front of an equals sign.
"""

from __future__ import annotations

import re

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Iterator
    from typing import Any

    Path = tuple[str | int, ...]

POLICY_MAX = 1 << 20
"""Bytes of a policy file: ten thousand waivers, more than anybody should have."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def read_table(data: bytes, source: str) -> Table:
    """The root table of a TOML file. UsageError, with the line, for what is no TOML, no UTF-8, or longer than POLICY_MAX."""
    import tomllib

    if len(data) > POLICY_MAX:
        raise UsageError(f"{source}: larger than {POLICY_MAX} bytes; a policy file is small")
    try:
        text = data.decode()
        return Table(tomllib.loads(text), places_of(text), (), source)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{source}:{line}: not UTF-8; TOML files are") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        line = next(iter(re.findall(r"at line (\d+)", str(error))), 1)
        raise UsageError(f"{source}:{line}: not TOML: {error}") from error


def places_of(text: str) -> dict[Path, int]:
    """The line of each table and key of a TOML text, counted from 1. Elements of ``[[name]]`` are (name, 0), (name, 1), ..."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    quotes = ""
    for number, line in enumerate(text.split("\n"), 1):
        inside = bool(quotes)
        for found in re.findall(r'"""|\'\'\'', line):
            quotes = found if not quotes else "" if found == quotes else quotes
        if inside:
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            table = tuple(_parts(header[2]))
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            else:
                table = _indexed(table, counts)
            lines[table] = number
        elif key is not None:
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(text: str) -> Iterator[str]:
    for part in _PART.findall(text):
        yield part[1:-1] if part[0] in "\"'" else part


def _indexed(table: Path, counts: dict[Path, int]) -> Path:
    """``[a.b]`` behind ``[[a]]`` is in the last element of a."""
    made: Path = ()
    for part in table:
        made = (*made, part)
        if made in counts:
            made = (*made, counts[made])
    return made


class Table:
    """One table. Each key is asked for once, by its type; :meth:`finish` refuses the keys that nobody asked for."""

    def __init__(self, plain: dict[str, Any], lines: dict[Path, int], path: Path, source: str) -> None:
        self.plain, self.lines, self.path, self.source = plain, lines, path, source
        self.asked: set[str] = set()

    def line(self, *keys: str) -> int:
        """The line of a key of this table, or of the nearest thing around it that has one."""
        path = (*self.path, *keys)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, message: str, *keys: str) -> UsageError:
        """The error to raise about a key, or about the table."""
        return UsageError(f"{self.source}:{self.line(*keys)}: {message}")

    def take(self, name: str, kind: type | tuple[type, ...], words: str, *, needed: bool = False) -> Any:
        """The value of a key, None when it is absent. UsageError when it is not of ``kind``, which ``words`` describe."""
        self.asked.add(name)
        if name not in self.plain:
            if needed:
                raise self.error(f"{name} is missing in {self.name()}; write {name} = {words}")
            return None
        value = self.plain[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise self.error(f"{name} must be like {name} = {words}", name)
        return value

    def text(self, name: str, example: str, *, needed: bool = False) -> str | None:
        """A text that is not empty."""
        value: str | None = self.take(name, str, f'"{example}"', needed=needed)
        if value is not None and not value.strip():
            raise self.error(f'{name} is empty; write {name} = "{example}"', name)
        return value

    def word(self, name: str, words: Iterable[str]) -> str | None:
        """A text that is one of ``words``."""
        known = list(words)
        value: str | None = self.take(name, str, f'"{known[0]}"')
        if value is not None and value not in known:
            raise self.error(f"{name} is one of {', '.join(known)}, not {value!r}", name)
        return value

    def texts(self, name: str, example: str, *, needed: bool = False) -> tuple[str, ...]:
        """A text, or a list of texts; an empty list is refused."""
        value = self.take(name, (str, list), f'["{example}"]', needed=needed)
        if value is None:
            return ()
        found = tuple(value) if isinstance(value, list) else (value,)
        if not found or not all(isinstance(each, str) and each for each in found):
            raise self.error(f'{name} must be texts, such as {name} = ["{example}"]', name)
        return found

    def date(self, name: str, *, needed: bool = False) -> datetime.date | None:
        """A date without a time."""
        import datetime

        value = self.take(name, datetime.date, "2027-01-31", needed=needed)
        if isinstance(value, datetime.datetime):
            raise self.error(f"{name} is a day, such as {name} = 2027-01-31", name)
        found: datetime.date | None = value
        return found

    def tables(self, name: str) -> list[Table]:
        """The elements of ``[[name]]``; none when there is no such key."""
        value = self.take(name, list, f"[[{name}]]") or []
        if not all(isinstance(each, dict) for each in value):
            raise self.error(f"{name} is a list of tables: write [[{name}]] above each", name)
        return [Table(each, self.lines, (*self.path, name, index), self.source) for index, each in enumerate(value)]

    def table(self, name: str) -> Table | None:
        """The table ``[name]``."""
        value = self.take(name, dict, f"[{name}]")
        return None if value is None else Table(value, self.lines, (*self.path, name), self.source)

    def name(self) -> str:
        """The table as one would write its header."""
        words = [str(part) for part in self.path if isinstance(part, str)]
        listed = bool(self.path) and isinstance(self.path[-1], int)
        return ("[[%s]]" if listed else "[%s]") % ".".join(words) if words else "the file"

    def finish(self) -> None:
        """UsageError for the first key that nobody asked for."""
        import difflib

        for key in self.plain:
            if key not in self.asked:
                close = difflib.get_close_matches(key, self.asked, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(self.asked))}"
                raise self.error(f"{self.name()} has no key {key!r}; {hint}", key)
