# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How generated C is spelt: identifiers, literals, comments and lines that stay below LINE_MAX columns, tabs counted as eight."""

from __future__ import annotations

import re
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from devstate.layout.model import Layout

LINE_MAX = 100
"""Columns of a line of code: what checkpatch asks for."""

COMMENT_MAX = 80

SPDX = "BSD-2-Clause OR GPL-2.0-only"

_KEYWORDS = frozenset(
    (
        "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for",
        "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
        "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "typeof", "bool", "true", "false", "current",
        "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "errno", "unix", "linux",
        "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert", "_Thread_local",
        "alignas", "alignof", "constexpr", "nullptr", "static_assert", "thread_local", "typeof_unqual", "NULL", "PAGE_SIZE",
        "E2BIG", "EFAULT", "EINVAL", "ELOOP", "ENOSPC", "EOPNOTSUPP", "__packed", "__maybe_unused",
    )
)  # fmt: skip
"""Words that C, its common dialects, the shim or the kernel's headers have taken."""


def identifier(text: str) -> str:
    """A C identifier for the name of a format: ``kho-v1@6.16`` is ``kho_v1_6_16``."""
    made = re.sub(r"\W+", "_", text).strip("_").lower()
    return f"_{made}" if made[:1].isdigit() else made


def taken(name: str) -> bool:
    """Whether a word is not free in C."""
    return name in _KEYWORDS


def member(name: str) -> str:
    """The name of a struct's member; a word that C has taken gets a ``_`` behind it."""
    return f"{name}_" if name in _KEYWORDS else name


def macro(*parts: str) -> str:
    """The name of a macro."""
    return "_".join(identifier(part).upper() for part in parts if part)


def declared_macro(struct: str) -> str:
    """The macro that says that a struct was declared by a header before."""
    return f"{macro(struct)}_DECLARED" if identifier(struct) == struct else f"DECLARED_{struct}"


def index(depth: int) -> str:
    """The variable of a loop inside of ``depth`` others."""
    return "ijklm"[depth] if depth < 5 else f"i{depth}"


def literal(value: int, size: int = 4, *, signed: bool = False) -> str:
    """A number as C writes it, of the type that ``size`` bytes and the sign ask for; large ones in hex."""
    if value == -(1 << 63):
        return f"(-{-value - 1}LL - 1)"
    if signed or value < 0:
        shown = f"{value}LL" if size == 8 or not -(1 << 31) <= value < 1 << 31 else str(value)
        return f"({shown})" if value < 0 else shown
    shown = hex(value) if value > 0xFFFF else str(value)
    return f"{shown}ULL" if size == 8 or value > 0xFFFFFFFF else f"{shown}U" if value > 0xFFFF else shown


def quoted(text: str) -> str:
    """A C string. What is no printable ASCII is an octal escape."""
    return '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in text.encode()) + '"'


def width(line: str) -> int:
    """Columns that a line takes."""
    return len(line.expandtabs(8))


def parameters(head: str, given: Sequence[str], tail: str = "") -> list[str]:
    """``head(a, b, c)tail`` on as many lines as it needs: aligned behind the parenthesis, or one step in where that leaves no room."""
    if not given:
        return [f"{head}(void){tail}"]
    pieces = [*(f"{each}," for each in given[:-1]), f"{given[-1]}){tail or ' '}"]  # a prototype gets a semicolon there
    aligned = _filled(f"{head}(", "", pieces, " " * (width(head) + 1))
    if max(map(width, aligned)) <= LINE_MAX:
        return [line.rstrip(" ") for line in aligned]
    step = " " * (width(head) - width(head.lstrip("\t")) + 16)
    return [f"{head}(", *(line.rstrip(" ") for line in _filled(step, step, pieces, step))]


def _filled(line: str, start: str, pieces: Sequence[str], step: str) -> list[str]:
    """``pieces`` behind ``line``, as many on each line as fit; further ones begin with ``step``, of which eight blanks become a tab."""
    tabbed = "\t" * (len(step) // 8) + " " * (len(step) % 8)
    line = tabbed if line == start else line
    lines, empty = [], True
    for piece in pieces:
        spaced = line + piece if empty else f"{line} {piece}"
        if width(spaced) > LINE_MAX and not empty:
            lines.append(line)
            spaced = tabbed + piece
        line, empty = spaced, False
    return [*lines, line]


def condition(indent: str, terms: Sequence[str], operator: str, head: str, tail: str) -> list[str]:
    """``head + terms joined by operator + tail``, broken behind an operator where a line would be too long."""
    lines, line = [], f"{indent}{head}"
    start = width(line)
    deeper = "\t" * (start // 8) + " " * (start % 8)
    for position, term in enumerate(terms):
        piece = term + (tail if position == len(terms) - 1 else f" {operator}")
        spaced = line + piece if position == 0 or line == deeper else f"{line} {piece}"
        if width(spaced) > LINE_MAX and position:
            lines.append(line)
            spaced = deeper + piece
        line = spaced
    return [*lines, line]


def comment(lines: Iterable[str], *, kernel_doc: bool = False) -> list[str]:
    """A block comment; text is wrapped, what would end the comment is taken apart. Lines of ``@name: text`` go on indented."""
    made = ["/**" if kernel_doc else "/*"]
    for line in lines:
        hanging = "  " if line.startswith(("@", "Return:")) else ""
        text = _plain(line)
        wrapped = textwrap.wrap(text, COMMENT_MAX - 3, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        made += [f" * {each}" for each in wrapped] or [" *"]
    return [*made, " */"]


def _plain(text: str) -> str:
    """``text`` without what begins or ends a comment, what C reads as one other letter, and what an editor does not show as it stands."""
    text = re.sub(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)", " ", " ".join(text.split()))
    return "".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in text)


def first_comment(layout: Layout, what: str) -> list[str]:
    """The comment at the head of a generated file. ``devstate gen`` is how to make it again."""
    return comment([f"{layout.name}: {what}.", "", "Generated by devstate gen: change the schema, not this file."])


def for_each_page_size(layouts: Sequence[Layout], make: Callable[[Layout], list[str]]) -> list[str]:
    """What ``make`` gives: once when it is the same for all page sizes, else each under its ``#if PAGE_SIZE``."""
    made = [make(layout) for layout in layouts]
    if all(each == made[0] for each in made):
        return made[0]
    lines = []
    for position, (layout, each) in enumerate(zip(layouts, made, strict=True)):
        lines += [f"#{'elif' if position else 'if'} PAGE_SIZE == {layout.environment.page_size}", *each]
    return [*lines, "#else", '#error "this format has no layout for this page size"', "#endif"]


def joined(blocks: Iterable[list[str]]) -> str:
    """Blocks of lines with an empty line between them, as a file. Preprocessor blocks keep their lines."""
    text = "\n\n".join("\n".join(block).strip("\n") for block in blocks if block)
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"
