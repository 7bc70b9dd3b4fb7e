# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""C headers by libclang: what a compiler makes of them, whatever they include, for any page size and byte order.

The compiler runs in a process of its own under limits (``clang_worker``). What it says is one of two things: composites and macros, or a
``HeaderError`` with the compiler's own words and their line. libclang is the extra ``headers``.
"""

from __future__ import annotations

import os
import re

from devstate.errors import HeaderError, LimitError, UsageError
from devstate.source.header_answer import HeaderFacts, Macro, facts_of
from devstate.source.header_files import SHIMS, Includes, SourceFile, find_files, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.layout.model import Environment

SECONDS_MAX = 120
"""After that the compiler is ended: six headers take 0.2 s, all of include/uapi takes a minute."""

ANSWER_MAX = 256 << 20
"""Bytes of the worker's answer: all of include/uapi has 20 MB."""

TARGETS = {"little": "x86_64-linux-gnu", "big": "aarch64_be-linux-gnu"}
"""Machines whose layouts stand for all of that byte order: the 64-bit ones of Linux have the same sizes and alignments."""

MACHINES = {"little": "x86", "big": "arm64"}
"""Where a kernel tree has the headers of these machines."""

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_VALUE = re.compile(r"[{};]|^(?:struct|union|enum|static|extern|inline|do|if|typedef)\b")


def read_headers(
    path: str,
    environment: Environment,
    *,
    shown: str | None = None,
    type_name: str | None = None,
    include: tuple[str, ...] = (),
    defines: tuple[str, ...] = (),
) -> HeaderFacts:
    """The facts in a header, a C file, or a directory. ``shown`` is what to call ``path`` in places; with ``type_name`` only what that
    struct needs must compile.

    UsageError without libclang or files; HeaderError for what does not compile; LimitError when the compiler does not come to an end.
    """
    import tempfile

    _require_libclang()
    with tempfile.TemporaryDirectory(prefix="devstate-") as folder:
        includes = Includes(path, folder, include, MACHINES[environment.byte_order])
        files = []
        for each in find_files(path):
            name = each if shown is None else os.path.normpath(os.path.join(shown, os.path.relpath(each, path)))
            text = read_file(each, name)
            if {'"', "\n"} & {*each}:
                raise UsageError(f"{name!r}: no include can name a path with quotes or line ends in it")
            files.append(SourceFile(os.path.realpath(each), name, text, includes.scan(each, name, text)))
        macros = [_macros(each) for each in files]
        answer = _compile(files, macros, [SHIMS, folder], environment, defines)
    return facts_of(files, macros, answer, environment, type_name)


def _require_libclang() -> None:
    try:
        import clang.cindex  # noqa: F401
    except ImportError as error:
        raise UsageError("C headers are read with libclang: install devstate[headers]") from error


def _macros(file: SourceFile) -> list[Macro]:
    """The macros without parameters that a file defines, in order."""
    joined = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), file.text).replace("\\\n", " \x01")
    made, line, at = [], 1, 0
    for found in _DEFINE.finditer(joined):
        line += joined.count("\n", at, found.start()) + joined.count("\x01", at, found.start())
        at = found.start()
        made.append(Macro(found[1], file.shown, line, found[2].replace("\x01", " ").strip()))
    return made


def _compile(
    files: list[SourceFile], macros: list[list[Macro]], folders: list[str], environment: Environment, defines: tuple[str, ...]
) -> Any:
    """The worker's answer. HeaderError when it ends without one."""
    import json
    import subprocess
    import sys

    arguments = [
        "-x", "c", "-std=gnu11", "-nostdinc", "-w", "-fparse-all-comments", "-ferror-limit=0", "-target", TARGETS[environment.byte_order],
        f"-DDEVSTATE_PAGE_SHIFT={environment.page_size.bit_length() - 1}", *(f"-D{each}" for each in defines),
    ]  # fmt: skip
    asked = []
    for each, own in zip(files, macros, strict=True):
        wanted = [[macro.name, _kind(macro.body)] for macro in own if not _NO_VALUE.search(_STRING.sub("", macro.body))]
        style = "plain" if not each.kernel else "uapi" if f"{os.sep}uapi{os.sep}" in each.path else "kernel"
        asked.append({"path": each.path, "macros": wanted, "style": style})
    request = {"files": asked, "includes": folders, "arguments": arguments, "skip": SHIMS}
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clang_worker.py")
    environ = {name: value for name, value in os.environ.items() if not name.endswith(("CPATH", "INCLUDE_PATH"))}
    try:
        done = subprocess.run(
            [sys.executable, "-P", worker],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
            env=environ,
        )
    except subprocess.TimeoutExpired as error:
        raise LimitError("the compiler does not come to an end", source=files[0].shown, expected=f"at most {SECONDS_MAX} s") from error
    if done.returncode or len(done.stdout) > ANSWER_MAX:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        found = said[-1][:200] if said and done.returncode > 0 else f"status {done.returncode}"
        raise HeaderError("the compiler gave up", source=files[0].shown, expected="C that ends", found=found)
    return json.loads(done.stdout)


def _kind(body: str) -> str:
    """What a macro can be: ``text`` when a string is in it, ``number`` when a number is, ``any`` when it only names others."""
    if '"' in body:
        return "text"
    return "number" if re.search(r"\b\d|sizeof|<<|[-+*/%&|^~]", body) else "any"
