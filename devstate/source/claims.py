# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The claims in headers and in documentation: read from the text alone, without a compiler.

::

    #define LUO_FDT_SESSION_COMPATIBLE "luo-session-v2"                            a version macro
    /**
     * struct luo_session_ser - one session
     * @name: ...                                                                  a documented member
     * If this structure is modified, `LUO_SESSION_COMPATIBLE` must be updated.    a claim, here of a macro that is not there
     */
    struct luo_session_ser { char name[64]; ... };                                 a struct and its members
     *         compatible = "luo-session-v1";                                      a mention
    ... this is a contract: increment the number in `KHO_FDT_COMPATIBLE` ...       a claim for the whole file

Names in code are only taken from outside of comments. Time is linear in the text; files are bounded by header_files.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left

from devstate.errors import UsageError
from devstate.finding import Location
from devstate.frozen import frozen
from devstate.layout.claims import Claim, Claims, DeclaredStruct, Member, Mention, VersionMacro
from devstate.source.header_files import find_files, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = (".rst", ".md", ".txt")
"""Files that are documentation."""

TEXT_FILES_MAX = 10_000
"""Files of documentation: the kernel's whole tree of it has about 9,000."""

MEMBER_MAX = 400
"""Letters of one member's declaration: five lines, and nobody writes two."""

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"?|/\*.*?(?:\*/|\Z)|//[^\n]*', re.DOTALL)
_DEFINE = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)(\([^)\n]{0,99}\))?[ \t]+("[^"\n]*"|\d+|0x[0-9a-fA-F]+)?', re.MULTILINE)
_VERSION = re.compile(r"(?:\w*_)?(?:COMPATIBLE|COMPAT|VERSION)")
_NAMED = re.compile(r"\b([A-Z][A-Z0-9_]*_(?:COMPATIBLE|COMPAT|VERSION))\b")
_PROMISE = re.compile(r"\b(?:updated?|increment\w*|bump\w*|versioned by|must change)\b", re.IGNORECASE)
_STRUCT = re.compile(r"\bstruct[ \t\n]+(\w+)[ \t\n]*\{")
_OF_STRUCT = re.compile(r"[&`*]\s*struct[ \t]+(\w+)")
_MENTION = re.compile(r"""(?:\bcompatible\s{0,9}[=:]\s{0,9}["`']?|["`'])([a-z][a-z0-9_,-]{2,63})(?![\w-])""")
_SERIALISED = re.compile(r"\bstruct[ \t]+(\w+_ser)\b")
_NUMBERED = re.compile(r"[-_]v\d+$")
_ARGUMENT = re.compile(r"^[ \t]*@(\w+)(?:\.\.\.)?:", re.MULTILINE)
_SENTENCE = re.compile(r"\.(?=\s|$)|\n[ \t]*\n|\Z")
_MEMBER = re.compile(r"((?:\w+ )+)([* ]*)(\w+) ?((?:\[[^\]]*\] ?)*)(?::|,|__|$)")
_FUNCTION = re.compile(r"[\w *]+\( ?\* ?(\w+)")
_MACRO = re.compile(r"(\w+) ?\((.*)\)$")
_ATTRIBUTE = re.compile(r" __\w+ ?\((?:[^()]|\([^()]*\))*\)")


def open_claims(text: str) -> Claims:
    """The claims in the headers that a word of the command line means: a path, or ``git:REF[:PATH]``. Errors as read_claims() and
    checked_out()."""
    from devstate.source.git import PREFIX, checked_out

    if not text.startswith(PREFIX):
        return read_claims(text)
    with checked_out(text) as (_, path, shown):
        return read_claims(path, shown)


def read_claims(path: str, shown: str | None = None) -> Claims:
    """The claims in a header, in all headers below a directory, or in a kernel tree's handover headers. Version macros are known from the
    other headers of the same directories as well. UsageError and HeaderError as for find_files() and read_file()."""
    files = find_files(path)
    macros: dict[str, VersionMacro] = {}
    read = []
    for each in files:
        name = each if shown is None else os.path.normpath(os.path.join(shown, os.path.relpath(each, path)))
        read.append(claims_of(read_file(each, name), name))
        macros |= {macro.name: macro for macro in read[-1].macros}
    for each in sorted({beside for file in files for beside in _beside(file)} - set(files)):
        for macro in _macros(Header(read_file(each, each), each)):
            macros.setdefault(macro.name, macro)
    return Claims(
        tuple(name for each in read for name in each.files),
        tuple(macros.values()),
        tuple(struct for each in read for struct in each.structs),
        tuple(claim for each in read for claim in each.claims),
        tuple(mention for each in read for mention in each.mentions),
        tuple(mention for each in read for mention in each.named),
    )


def _beside(path: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    yield from (os.path.join(folder, name) for name in os.listdir(folder or ".") if name.endswith(".h"))


def claims_of(text: str, source: str) -> Claims:
    """The claims in the text of one header."""
    header = Header(text, source)
    claims = [claim for comment in header.comments for claim in _claims(header, comment)]
    texts = [(comment.text, source, header.line(comment.start) - 1) for comment in header.comments]
    mentions = tuple(mention for each in texts for mention in mentions_of(*each))
    named = tuple(mention for each in texts for mention in structs_named_in(*each))
    return Claims((source,), tuple(_macros(header)), tuple(_structs(header)), tuple(claims), mentions, named)


def mentions_of(text: str, source: str, above: int = 0) -> Iterator[Mention]:
    """The version strings that a text names, in quotes or behind ``compatible =``. ``above`` are the lines in front of it."""
    for number, line in enumerate(text.split("\n"), above + 1):
        for found in _MENTION.finditer(line):
            if _NUMBERED.search(found[1]):
                yield Mention(found[1], Location(source, line=number))


def structs_named_in(text: str, source: str, above: int = 0) -> Iterator[Mention]:
    """The serialised structs that a text names: ``struct NAME_ser``."""
    for number, line in enumerate(text.split("\n"), above + 1):
        for found in _SERIALISED.finditer(line):
            yield Mention(found[1], Location(source, line=number))


def read_texts(path: str) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """The version strings, and the serialised structs, that the documentation at ``path`` names, a file or a directory. UsageError when
    there is none."""
    files = [path] if os.path.isfile(path) else []
    for folder, folders, names in os.walk(path):
        folders.sort()
        files += [os.path.join(folder, name) for name in sorted(names) if name.endswith(TEXTS)]
        if len(files) > TEXT_FILES_MAX:
            raise UsageError(f"{path}: more than {TEXT_FILES_MAX} texts; name a directory below it")
    if not files:
        raise UsageError(f"{path}: no documentation is in there ({', '.join(TEXTS)})")
    texts = [(read_file(file, file), file) for file in files]
    return (
        tuple(mention for text, file in texts for mention in mentions_of(text, file)),
        tuple(mention for text, file in texts for mention in structs_named_in(text, file)),
    )


@frozen
class Comment:
    """A comment: where it begins, its text without the frame of stars in as many lines, and where the code goes on behind it."""

    start: int
    text: str
    below: int
    is_doc: bool


class Header:
    """A header's text, the same with blanks in place of comments, and the comments."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self.breaks = [found.start() for found in re.finditer("\n", text)]
        found = [each for each in _TOKEN.finditer(text) if each[0].startswith("/")]
        self.code = _TOKEN.sub(lambda each: re.sub(r"[^\n]", " ", each[0]) if each[0].startswith("/") else each[0], text)
        comments: list[Comment] = []
        below, above = len(text), len(text)  # from the last comment up: where code goes on behind it, and where that comment begins
        for each in reversed(found):
            between = text[each.end() : above]
            if between.strip():
                below = each.end() + len(between) - len(between.lstrip())
            above = each.start()
            comments.append(Comment(each.start(), _frameless(each[0]), below, each[0].startswith("/**")))
        self.comments = comments[::-1]

    def line(self, at: int) -> int:
        """The line of a place, counted from 1."""
        return bisect_left(self.breaks, at) + 1

    def place(self, at: int) -> Location:
        """The location of a place."""
        return Location(self.source, line=self.line(at))


def _frameless(comment: str) -> str:
    """A comment without its frame of stars."""
    inner = comment[2:].removesuffix("*/")
    return "\n".join(re.sub(r"^[ \t]*\*+", "", line) for line in inner.split("\n"))


def _macros(header: Header) -> Iterator[VersionMacro]:
    for found in _DEFINE.finditer(header.code):
        if _VERSION.fullmatch(found[1]):
            value = None if found[2] or found[3] is None else found[3].strip('"')
            yield VersionMacro(found[1], value, header.place(found.start(1)))


def _claims(header: Header, comment: Comment) -> Iterator[Claim]:
    """The claims in one comment: about the struct below it, the structs that it names, or the whole file."""
    below = _STRUCT.match(header.code, comment.below)
    subjects = [] if below is None else [below[1]]
    if below is None and "DOC:" in comment.text:
        subjects = list(dict.fromkeys(_OF_STRUCT.findall(comment.text)))
    if not subjects or (below is None and "contract" in comment.text):
        subjects.append("")
    first = header.line(comment.start)
    for sentence, line in _sentences(comment.text):
        if _PROMISE.search(sentence):
            for version in dict.fromkeys(_NAMED.findall(sentence)):
                yield from (Claim(subject, version, Location(header.source, line=first + line)) for subject in subjects)


def _sentences(text: str) -> Iterator[tuple[str, int]]:
    """The sentences of a text, each in one line, with the number of line breaks in front of its end."""
    at = breaks = 0
    for found in _SENTENCE.finditer(text):
        sentence = text[at : found.start()].rstrip()
        yield " ".join(sentence.split()), breaks + sentence.count("\n")
        breaks += text.count("\n", at, found.end())
        at = found.end()


def _structs(header: Header) -> Iterator[DeclaredStruct]:
    """The structs at file level, each with the kernel-doc right above it."""
    above = {comment.below: comment for comment in header.comments if comment.is_doc}
    done = 0
    for found in _STRUCT.finditer(header.code):
        if found.start() < done:
            continue
        done = _closing(header.code, found.end())
        comment = above.get(found.start())
        documented = () if comment is None else tuple(_arguments(header, comment))
        yield DeclaredStruct(found[1], tuple(_members(header, found.end(), done)), header.place(found.start()), documented)


def _arguments(header: Header, comment: Comment) -> Iterator[tuple[str, Location]]:
    """The names that a kernel-doc comment explains, and where."""
    line, at = header.line(comment.start), 0
    for found in _ARGUMENT.finditer(comment.text):
        line, at = line + comment.text.count("\n", at, found.start(1)), found.start(1)
        yield found[1], Location(header.source, line=line)


def _closing(code: str, at: int) -> int:
    """The place of the brace that closes what is open at ``at``."""
    depth = 1
    for found in re.compile(r"[{}]").finditer(code, at):
        depth += 1 if found[0] == "{" else -1
        if not depth:
            return found.start()
    return len(code)


def _members(header: Header, start: int, end: int) -> Iterator[Member]:
    """The members between two braces, those of inner structs and unions as well."""
    at = start
    for found in re.compile(r"[;{}]").finditer(header.code, start, end):
        words = header.code[at : found.start()]
        begin, at = at + len(words) - len(words.lstrip()), found.end()
        if found[0] != ";" or len(words) > MEMBER_MAX:
            continue
        spaced = _ATTRIBUTE.sub("", " ".join(words.replace("*", " * ").split()))
        function, macro, plain = _FUNCTION.match(spaced), _MACRO.match(spaced), _MEMBER.match(spaced)
        if function is not None:
            yield Member(function[1], "void (*)()", header.place(begin))
        elif macro is not None:  # one that declares a member: its name is one of the arguments
            for argument in macro[2].split(","):
                name = re.search(r"(\w+)\W*$", argument)
                if name is not None:
                    yield Member(name[1], f"{macro[1]}()", header.place(begin))
        elif plain is not None:
            yield Member(plain[3], plain[1].strip() + "*" * plain[2].count("*"), header.place(begin))
