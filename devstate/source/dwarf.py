# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""DWARF as a source of composites: what ``gcc -g -c`` and clang write into object files, versions 2 to 5, by pyelftools (extra ``dwarf``).

A struct is looked up by its tag or by a typedef of it. Classes of C++ are read as structs, their bases as unnamed members; nothing else of
C++ is. pyelftools trusts its input: everything is reached through one boundary that counts steps and turns whatever it raises into
``DwarfError``. Facts: DWARF 5, chapter 5, and what version 3 called ``DW_AT_bit_offset``: bits from the top of a storage unit.
"""

from __future__ import annotations

import io

from devstate.errors import DevstateError, DwarfError, LimitError, NoSuchTypeError, UsageError
from devstate.finding import Location
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.source.composite import Composite, Member, ValueType
from devstate.source.known import REST, bare
from devstate.source.laying import Laying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from typing import Any

    from devstate.layout.model import StructLayout

ENTRIES_MAX = 1 << 20
"""Entries that are looked at: an object file of the kernel has some 50,000. A whole kernel has BTF, and is read from that."""

CHAIN_MAX = 64
"""Typedefs, qualifiers and arrays in a row."""

SAME_NAME_MAX = 64
"""Definitions of one name over all units."""

_RECORDS = {"DW_TAG_structure_type": "struct", "DW_TAG_class_type": "struct", "DW_TAG_union_type": "union"}
_THROUGH = {"DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type", "DW_TAG_atomic_type",
            "DW_TAG_immutable_type", "DW_TAG_shared_type", "DW_TAG_packed_type"}  # fmt: skip
_POINTERS = {"DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type", "DW_TAG_subroutine_type",
             "DW_TAG_ptr_to_member_type"}  # fmt: skip
_SCOPES = {"DW_TAG_namespace", "DW_TAG_lexical_block", "DW_TAG_subprogram"}
_FLOATS = {3, 4, 9, 0xA, 0xD, 0xF}
_SIGNED = {5, 6, 0xD}
_ORDERS = {1: "big", 2: "little"}
_TYPEDEF_ORDERS = {f"{end}{bits}": order for end, order in (("le", "little"), ("be", "big")) for bits in (16, 32, 64)}


def open_dwarf(path: str, data: memoryview, environment: Environment, type_name: str | None) -> Declared:
    """The structs and unions that an object file defines; with ``type_name`` that one, and what it embeds.

    UsageError without pyelftools, or when there is no such struct; DwarfError or LimitError for malformed files.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise UsageError(f"{path}: has no BTF, and DWARF is read with pyelftools: install devstate[dwarf]") from error
    try:
        elf = ELFFile(io.BytesIO(bytes(data)))
        if not elf.has_dwarf_info(strict=True):
            raise UsageError(f"{path}: has neither BTF nor DWARF; compile it with -g")
        environment = Environment(environment.page_size, "little" if elf.little_endian else "big")
        source = DwarfComposites(elf.get_dwarf_info(), path, environment)
        roots = source.roots(type_name)
        laying = Laying(source, big=not elf.little_endian)
        structs = laying.run(roots)
    except DevstateError:
        raise
    except Exception as error:  # pyelftools raises whatever its parts raise
        said = f"the debug information cannot be read: {type(error).__name__}: {error}"[:300]
        advice = "link it: the relocations of this machine are not known" if "Relocation" in type(error).__name__ else None
        raise DwarfError(said, source=path, advice=advice) from error
    places = tuple(laying.places.items()) or tuple((struct.name, Location(path)) for struct in structs)
    if type_name is None:
        missing = () if structs else (f"{path} describes no struct",)
        formats = (bare(REST, "", structs, environment, path),) if structs else ()
        return Declared(path, "object", environment, formats, places, missing)
    _agree(type_name, [name for _, name in roots], laying.names, structs, path)
    own = tuple([struct for struct in structs if not struct.name.startswith(f"{type_name}@")])
    return Declared(path, "object", environment, (bare(type_name, type_name, own, environment, path),), places)


def _agree(wanted: str, roots: list[str], names: dict[Hashable, str], structs: tuple[StructLayout, ...], path: str) -> None:
    """UsageError when several units define a struct of the wanted name differently."""
    same = {struct.name: struct for struct in structs if struct.name == wanted or struct.name.startswith(f"{wanted}@")}
    forms = {(struct.size, struct.fields) for struct in same.values()}
    if len(forms) > 1:
        raise UsageError(f"{path} has {len(roots)} times a struct {wanted!r}, and they differ")


class DwarfComposites:
    """The composites of one file. Keys are offsets of entries."""

    def __init__(self, info: Any, path: str, environment: Environment) -> None:
        self.info, self.path, self.big = info, path, environment.byte_order == "big"
        self.entries: dict[int, Any] = {}
        self.left = ENTRIES_MAX
        self.files: dict[int, list[str]] = {}
        self.defined: dict[str, list[int]] = {}
        self.aliases: dict[int, str] = {}

    def step(self) -> None:
        """Count one step. LimitError when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise LimitError("too many entries", source=self.path, expected=f"at most {ENTRIES_MAX}")

    def roots(self, wanted: str | None) -> list[tuple[Hashable, str]]:
        """(key, name) of every struct and union that is defined, or of those called ``wanted``."""
        found: dict[str, list[int]] = {}
        aliases: list[tuple[str, Any]] = []
        for entry in self.top():
            name = text(entry, "DW_AT_name")
            if entry.tag in _RECORDS and "DW_AT_declaration" not in entry.attributes and name:
                found.setdefault(name, []).append(self.keep(entry))
            elif entry.tag == "DW_TAG_typedef" and name:
                aliases.append((name, entry))
        self.defined = found
        for name, entry in aliases:
            if wanted not in (None, name) or (wanted is None and name in found):
                continue
            target = self.end(entry)[0] if "DW_AT_type" in entry.attributes else None
            if target is None or target.tag not in _RECORDS or "DW_AT_declaration" in target.attributes:
                continue
            if not text(target, "DW_AT_name") or (wanted == name and name not in found):
                found.setdefault(name, []).append(self.keep(target))
        if wanted is not None:
            if wanted not in found:
                raise NoSuchTypeError(f"{self.path} has no struct or union {wanted!r}")
            return [(key, wanted) for key in dict.fromkeys(found[wanted][:SAME_NAME_MAX])]
        return [(keys[0], name) for name, keys in found.items()]

    def top(self) -> Iterator[Any]:
        """The entries of all units that may declare types: those at file level, and in scopes."""
        for unit in self.info.iter_CUs():
            pending = [unit.get_top_DIE()]
            while pending:
                for entry in pending.pop().iter_children():
                    self.step()
                    yield entry
                    if entry.tag in _SCOPES and entry.has_children:
                        pending.append(entry)

    def keep(self, entry: Any) -> int:
        """The key of an entry."""
        self.entries[entry.offset] = entry
        return int(entry.offset)

    def composite(self, key: Hashable) -> Composite:
        """The struct or union at an offset."""
        assert isinstance(key, int)
        entry = self.entries[key]
        size = number(entry, "DW_AT_byte_size", 0)
        members = []
        for child in entry.iter_children():
            self.step()
            outside = "DW_AT_external" in child.attributes or "DW_AT_declaration" in child.attributes
            if child.tag == "DW_TAG_inheritance" or (child.tag == "DW_TAG_member" and not outside):
                members.append(self.member(child))
            elif child.tag in _RECORDS and child.has_children:
                self.keep(child)
        if members and members[-1].type.dims[:1] == (0,):
            members[-1] = opened(members[-1])
        for member in members:
            end = member.bit_offset + (member.width if member.width is not None else 8 * size_of(member.type))
            if member.bit_offset < 0 or end > 8 * size:
                raise DwarfError(f"member {member.name!r} ends behind its struct", source=self.path, path=text(entry, "DW_AT_name"),
                                 expected=f"at or below bit {8 * size}", found=f"bits {member.bit_offset}..{end}")  # fmt: skip
        file, line = self.place(entry)
        align = number(entry, "DW_AT_alignment", 0) or None
        name = text(entry, "DW_AT_name") or self.aliases.get(key, "")
        return Composite(name, _RECORDS[entry.tag], size, tuple(members), align, None, "", file, line)

    def member(self, entry: Any) -> Member:
        """One member, with the place of a bit-field as all newer formats count it."""
        kind = self.type(entry)
        name = "" if entry.tag == "DW_TAG_inheritance" else text(entry, "DW_AT_name")
        at = 8 * location(entry)
        width = number(entry, "DW_AT_bit_size", 0) or None
        if "DW_AT_data_bit_offset" in entry.attributes:
            at += number(entry, "DW_AT_data_bit_offset", 0)
        elif width is not None and "DW_AT_bit_offset" in entry.attributes:
            unit = 8 * number(entry, "DW_AT_byte_size", kind.size)
            from_top = number(entry, "DW_AT_bit_offset", 0)
            for bits in (16, 32, 64):  # negative in a form without a sign
                from_top -= 1 << bits if 1 << (bits - 1) <= from_top < 1 << bits else 0
            at += from_top if self.big else unit - from_top - width
        if width is not None and (kind.dims or kind.kind not in ("int", "enum") or width > 8 * kind.size):
            raise DwarfError(f"bit-field {name!r} does not fit its type", source=self.path, expected=f"up to {8 * kind.size} bits",
                             found=width)  # fmt: skip
        return Member(name, at, kind, width, "", None, self.place(entry)[1])

    def type(self, entry: Any) -> ValueType:
        """The type of a member."""
        end, order, dims = self.end(entry)
        size = 0 if end is None else number(end, "DW_AT_byte_size", 0)
        if end is None or end.tag in _POINTERS:
            size = size or int(entry.cu["address_size"])
            return ValueType("pointer", size, dims=dims)
        if end.tag in _RECORDS:
            whole = self.definition(end)
            return ValueType(_RECORDS[end.tag], number(whole, "DW_AT_byte_size", 0), dims=dims, inner=self.keep(whole))
        if end.tag == "DW_TAG_enumeration_type":
            names = []
            for child in end.iter_children():
                self.step()
                if child.tag == "DW_TAG_enumerator":
                    names.append((text(child, "DW_AT_name"), number(child, "DW_AT_const_value", 0)))
            signed = any(value < 0 for _, value in names)
            return ValueType("enum", size, signed, order, dims, False, tuple(names))
        encoding = number(end, "DW_AT_encoding", 7)
        order = _ORDERS.get(number(end, "DW_AT_endianity", 0), order)
        if encoding in _FLOATS:
            return ValueType("float", size, dims=dims)
        plain_char = text(end, "DW_AT_name") == "char"
        return ValueType("int", size, encoding in _SIGNED and not plain_char, order, dims, plain_char)

    def end(self, entry: Any) -> tuple[Any, str, tuple[int | None, ...]]:
        """What an entry's type is below typedefs and arrays (None for void), the byte order that a name on the way tells, dimensions."""
        order = "native"
        dims: list[int | None] = []
        for _ in range(CHAIN_MAX):
            self.step()
            if "DW_AT_type" not in entry.attributes:
                return None, order, tuple(dims)
            above, entry = entry, entry.get_DIE_from_attribute("DW_AT_type")
            if above.tag == "DW_TAG_typedef":
                self.aliases.setdefault(entry.offset, text(above, "DW_AT_name"))
            if entry.tag == "DW_TAG_typedef":
                order = _TYPEDEF_ORDERS.get(text(entry, "DW_AT_name").lstrip("_"), order)
            elif entry.tag == "DW_TAG_array_type":
                ranges = [child for child in entry.iter_children() if child.tag == "DW_TAG_subrange_type"]
                dims += [length(each) for each in ranges[:CHAIN_MAX]]
            elif entry.tag not in _THROUGH:
                return entry, order, tuple(dims)
        raise LimitError("a type refers to others without an end", source=self.path, expected=f"at most {CHAIN_MAX} steps")

    def definition(self, entry: Any) -> Any:
        """A struct that is only declared here is defined elsewhere: by its signature, or under its name."""
        if "DW_AT_declaration" not in entry.attributes:
            return entry
        if "DW_AT_signature" in entry.attributes:
            return entry.get_DIE_from_attribute("DW_AT_signature")
        known = self.defined.get(text(entry, "DW_AT_name"))
        if not known:
            raise DwarfError(f"struct {text(entry, 'DW_AT_name')} is declared, and defined nowhere", source=self.path)
        return self.entries[known[0]]

    def place(self, entry: Any) -> tuple[str | None, int | None]:
        """File and line of a declaration; None where the file does not say."""
        line = number(entry, "DW_AT_decl_line", 0) or None
        unit = entry.cu
        if unit.cu_offset not in self.files:
            self.files[unit.cu_offset] = self.names_of(unit)
        files, index = self.files[unit.cu_offset], number(entry, "DW_AT_decl_file", 0)
        return (files[index] if 0 < index < len(files) else None), line

    def names_of(self, unit: Any) -> list[str]:
        """The file names of a unit, by the number that entries give; empty when its line table cannot be read, which costs only places."""
        try:
            program = self.info.line_program_for_CU(unit)
            names = [] if program is None else [each.name.decode("utf-8", "replace") for each in program["file_entry"]]
            first = [] if program is None or program["version"] >= 5 else [""]
        except Exception:  # pyelftools raises whatever its parts raise
            return []
        return first + names


def text(entry: Any, attribute: str) -> str:
    """A string attribute; empty when there is none."""
    found = entry.attributes.get(attribute)
    return found.value.decode("utf-8", "replace") if found is not None and isinstance(found.value, bytes) else ""


def number(entry: Any, attribute: str, default: int) -> int:
    """A number attribute; the default when there is none, or when it must be computed at run time."""
    found = entry.attributes.get(attribute)
    return int(found.value) if found is not None and isinstance(found.value, int) else default


def location(entry: Any) -> int:
    """Bytes from the start of the struct: a number, or in old versions the one operation that adds a number."""
    found = entry.attributes.get("DW_AT_data_member_location")
    if found is None:
        return 0
    if isinstance(found.value, int):
        return int(found.value)
    block = bytes(found.value)
    if block[:1] not in (b"\x23", b"\x10"):
        raise ValueError(f"a member's place is computed: {block[:16].hex()}")
    value = 0
    for place, byte in enumerate(block[1:10]):
        value |= (byte & 0x7F) << 7 * place
    return value


def length(entry: Any) -> int | None:
    """Elements of one dimension; None when its end is open."""
    if "DW_AT_count" in entry.attributes:
        count = number(entry, "DW_AT_count", -1)
        return count if count >= 0 else None
    last = number(entry, "DW_AT_upper_bound", -1)
    return last + 1 if 0 <= last < 1 << 62 else None


def opened(member: Member) -> Member:
    """An array of no elements at the end of a struct, as one with an open end."""
    from devstate.frozen import replace

    return replace(member, type=replace(member.type, dims=(None, *member.type.dims[1:])))


def size_of(kind: ValueType) -> int:
    """Bytes of a type with all its dimensions."""
    size = kind.size
    for dim in kind.dims:
        size *= dim or 0
    return size
