# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Parse a verb's arguments without argparse where that is easy: importing it and building a parser costs a whole interpreter start-up.

A verb declares its arguments once, on whatever parser it is given. :class:`QuickParser` takes the same declarations and parses plain
command lines: long options with their values, positional arguments. At anything else (help, a mistake, an abbreviation, ``--``, a short
option that is glued to its value) it gives up, and argparse takes over, with all its messages. Where it does not give up, the
result is that of argparse; a test holds them equal.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SETTINGS = {"action", "choices", "default", "dest", "help", "metavar", "nargs", "required", "type"}
_ACTIONS = ("store", "store_true", "append")


class Declined(Exception):
    """This command line is for argparse."""


class Namespace:
    """The parsed arguments as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


class QuickParser:
    """The part of argparse.ArgumentParser that the verbs use."""

    def __init__(self) -> None:
        self._options: dict[str, dict[str, Any]] = {}
        self._positional: list[dict[str, Any]] = []

    def add_argument(self, *names: str, **settings: Any) -> None:
        """Declare an argument. Declined for a declaration that only argparse understands."""
        action = settings.get("action", "store")
        if not settings.keys() <= _SETTINGS or action not in _ACTIONS or settings.get("nargs") not in (None, "?"):
            raise Declined
        long = next((name for name in names if name.startswith("--")), names[0])
        dest = settings.get("dest") or long.lstrip("-").replace("-", "_")
        default = settings.get("default", False if action == "store_true" else None)
        made = settings | {"dest": dest, "action": action, "default": default}
        if names[0].startswith("-"):
            self._options |= dict.fromkeys(names, made)
        elif action == "store":
            self._positional.append(made)
        else:
            raise Declined

    def add_argument_group(self, title: str | None = None, description: str | None = None) -> QuickParser:
        """Groups only matter in the help."""
        return self

    def parse_args(self, arguments: list[str]) -> Namespace:
        """The arguments by name. Declined for everything that is not plain and right."""
        values = {each["dest"]: each["default"] for each in (*self._options.values(), *self._positional)}
        given: set[str] = set()
        words: list[str] = []
        rest = iter(arguments)
        for word in rest:
            if word == "-" or not word.startswith("-"):
                words.append(word)
                continue
            name, equals, value = word.partition("=")
            option = self._options.get(name)
            if option is None or (equals and not name.startswith("--")):
                raise Declined
            if option["action"] == "store_true":
                if equals:
                    raise Declined
                values[option["dest"]] = True
                continue
            if not equals:
                value = next(rest, "--")
                if value.startswith("-") and value != "-":
                    raise Declined
            given.add(option["dest"])
            made = _converted(option, value)
            values[option["dest"]] = [*(values[option["dest"]] or []), made] if option["action"] == "append" else made
        if any(option.get("required") and option["dest"] not in given for option in self._options.values()):
            raise Declined
        return Namespace(values | self._placed(words))

    def _placed(self, words: list[str]) -> dict[str, Any]:
        """The positional arguments by name: those that may be absent come last."""
        needed = sum("nargs" not in each for each in self._positional)
        if not needed <= len(words) <= len(self._positional) or any("nargs" in each for each in self._positional[:needed]):
            raise Declined
        return {each["dest"]: _converted(each, word) for each, word in zip(self._positional, words, strict=False)}


def _converted(settings: dict[str, Any], word: str) -> Any:
    try:
        value = settings["type"](word) if "type" in settings else word
    except (TypeError, ValueError):
        raise Declined from None
    if "choices" in settings and value not in settings["choices"]:
        raise Declined
    return value
