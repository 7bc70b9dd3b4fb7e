# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the text of headers says about versions, as plain data: which macro a comment makes responsible for which struct.

The bytes of a header are a compiler's business (``devstate.layout.declared``); its comments are a promise between people, and may be wrong.
"""

from __future__ import annotations

from devstate.finding import Location
from devstate.frozen import frozen


@frozen
class VersionMacro:
    """A macro that is a version: ``value`` is its string or number as text, None for one that depends on an argument."""

    name: str
    value: str | None
    place: Location


@frozen
class Claim:
    """``struct`` is versioned by the macro ``version``: a comment says so at ``place``. ``struct`` is empty for what a file says of
    everything in it."""

    struct: str
    version: str
    place: Location


@frozen
class Member:
    """A member of a struct as it is spelled: ``type`` in C's words, with ``*`` for each level of pointers. What a macro declares is a
    member for each name among its arguments, of the type ``MACRO()``."""

    name: str
    type: str
    place: Location

    @property
    def by_macro(self) -> bool:
        """Whether a macro declares it, so that its type is not known here."""
        return self.type.endswith("()") and "*" not in self.type

    @property
    def struct(self) -> str | None:
        """The struct that it embeds or points to."""
        words = self.type.replace("*", " ").split()
        return words[1] if len(words) > 1 and words[0] in ("struct", "union") else None

    @property
    def embeds(self) -> bool:
        """Whether the struct is in there, and not led to."""
        return self.struct is not None and "*" not in self.type


@frozen
class DeclaredStruct:
    """A struct in a header: its members, what its kernel-doc names (``documented``), and the version macros of its file."""

    name: str
    members: tuple[Member, ...]
    place: Location
    documented: tuple[tuple[str, Location], ...] = ()


@frozen
class Mention:
    """A version string that a text names, such as "kho-v3" in an example; or a struct."""

    text: str
    place: Location


@frozen
class Claims:
    """Everything that some headers say. ``files`` are those that were asked for; macros of others beside them count as well.
    ``mentions`` are versions that comments name, ``named`` are serialised structs."""

    files: tuple[str, ...]
    macros: tuple[VersionMacro, ...]
    structs: tuple[DeclaredStruct, ...]
    claims: tuple[Claim, ...]
    mentions: tuple[Mention, ...] = ()
    named: tuple[Mention, ...] = ()

    def macro(self, name: str) -> VersionMacro | None:
        """The macro of this name."""
        return next((each for each in self.macros if each.name == name), None)
