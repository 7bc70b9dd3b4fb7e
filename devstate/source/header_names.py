# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Numbers in macros and enums: which of them name bits of a field, which are limits, which are constants that both sides share.

::

    struct memfd_luo_folio_ser { ... flags }
    MEMFD_LUO_FOLIO_DIRTY  BIT(0)                  a bit of its flags: the macro starts with the struct's name
    struct memfd_luo_ser { ... seals }
    MEMFD_LUO_ALL_SEALS    (F_SEAL_SEAL | ...)     the bits of its seals: ALL or MASK stands before the field's name
    LUO_SESSION_MAX        1000                    a limit
    KHO_TREE_MAX_DEPTH     6                       a constant

What the declaration of a struct mentions is no constant of its own: the layout shows what it does.
"""

from __future__ import annotations

import re

from devstate.frozen import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.layout.model import FieldLayout, StructLayout
    from devstate.source.header_answer import Enumerator, HeaderFacts, Macro

FLAG_FIELDS = ("flags", "flag", "bits", "features")
_NO_LIMITS = {"DEPTH", "LOG2", "WIDTH", "SHIFT", "ORDER", "SIZE", "LEN", "LENGTH", "BITS"}
_NUMBER_64 = 1 << 64


def _words(name: str) -> list[str]:
    return name.upper().strip("_").split("_")


def stems(struct: str) -> list[str]:
    """How macros about a struct may start: its name in capitals, with and without the ending that says it is serialised."""
    name = struct.upper()
    return [name, *(name.removesuffix(end) for end in ("_SER", "_STATE", "_HEADER", "_HDR") if name.endswith(end))]


def with_names(structs: Iterable[StructLayout], macros: tuple[Macro, ...]) -> tuple[tuple[StructLayout, ...], set[str]]:
    """The structs, their fields with the names of their bits, and the macros that were used for that."""
    known = list(structs)
    used: set[str] = set()
    made = []
    for struct in known:
        longer = {stem for other in known if other is not struct for stem in stems(other.name)}
        fields = []
        for field in struct.fields:
            names = _bits_of(struct, field, macros, longer)
            used |= {macro for macro, _, _ in names}
            pairs = tuple((name, bit) for _, name, bit in names)
            fields.append(replace(field, kind="flags", names=pairs) if pairs and not field.names else field)
        made.append(replace(struct, fields=tuple(fields)))
    return tuple(made), used


def _bits_of(struct: StructLayout, field: FieldLayout, macros: tuple[Macro, ...], others: set[str]) -> list[tuple[str, str, int]]:
    """(macro, name, bit) for each named bit of a field."""
    values = {each.name: each.value for each in macros}
    for stem in stems(struct.name):
        for middle in ("ALL", "VALID", "MASK"):
            mask = f"{stem}_{middle}_{field.name.upper()}"
            whole = next((each for each in macros if each.name.upper() == mask and isinstance(each.value, int)), None)
            if whole is not None:
                return _bits_in_mask(whole, values)
        if field.name.lower() not in FLAG_FIELDS:
            continue
        found: list[tuple[str, str, int]] = []
        for each in macros:
            upper = each.name.upper()
            single = isinstance(each.value, int) and each.value > 0 and each.value & (each.value - 1) == 0
            nearer = any(other.startswith(f"{stem}_") and upper.startswith(f"{other}_") for other in others)
            if single and upper.startswith(f"{stem}_") and not nearer and re.search(r"\bBIT(_U?\w+)?\(|<<|\b_BITU", each.body):
                name = upper.removeprefix(f"{stem}_").removeprefix("FLAG_").removeprefix("F_")
                found.append((each.name, name, int(each.value or 0).bit_length() - 1))
        if found:
            return found
    return []


def _bits_in_mask(whole: Macro, values: dict[str, int | str | None]) -> list[tuple[str, str, int]]:
    """The bits of a mask, called by the macros that it is made of where these are known, else by their number."""
    names = re.findall(r"[A-Za-z_]\w*", whole.body)
    shared = _shared_start(names)
    left = int(whole.value or 0)
    found: list[tuple[str, str, int]] = []
    for bit in range(64):
        if left >> bit & 1:
            own = next((name for name in names if values.get(name) == 1 << bit), None)
            own = own or (names[len(found)] if len(names) == left.bit_count() else f"BIT{bit}")
            found.append((whole.name, own.removeprefix(shared), bit))
    return found


def _shared_start(names: list[str]) -> str:
    """What all names start with, up to an underscore."""
    if len(names) < 2:
        return ""
    low, high = min(names), max(names)
    end = next((place for place, letter in enumerate(low) if place >= len(high) or high[place] != letter), len(low))
    return low[: low.rfind("_", 0, end) + 1]


def numbers_of(facts: HeaderFacts, files: set[str], used: set[str]) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
    """(limits, constants) that the headers called ``files`` declare: macros and enumerators that no struct mentions."""
    mentioned = used | _mentioned(facts)
    fields = {value for struct in facts.structs for field in struct.fields if field.kind == "enum" for value, _ in field.names}
    limits: dict[str, int] = {}
    constants: dict[str, int] = {}
    found: list[Macro | Enumerator] = [*facts.macros, *facts.enumerators]
    for each in found:
        own = each.file in files and isinstance(each.value, int) and each.name not in mentioned | fields
        if not own or each.name.startswith("_") or _words(each.name)[-1] == "VERSION":
            continue
        parts = set(_words(each.name))
        is_limit = parts & {"MAX", "MAXIMUM", "LIMIT"} and not parts & _NO_LIMITS
        (limits if is_limit else constants)[each.name] = int(each.value or 0) % _NUMBER_64
    return tuple(limits.items()), tuple(constants.items())


def _mentioned(facts: HeaderFacts) -> set[str]:
    """Every word between the braces of a struct or union."""
    found: set[str] = set()
    for file in facts.files:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", file.text, flags=re.DOTALL)
        text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", " ", text, flags=re.MULTILINE)
        for start in re.finditer(r"\b(?:struct|union)\b[^;{}()]*\{", text):
            end = text.find("}", start.end())
            found.update(re.findall(r"[A-Za-z_]\w*", text[start.end() : end if end > 0 else len(text)]))
    return found
