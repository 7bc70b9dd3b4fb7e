# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated C at work: many formats compiled at once, and asked one request at a time (see devstate/gen/prove.c).

::

    GUARDED      a process under ASan and UBSan, over a pipe       every error in it is seen
    LOADED       a library in this process, through cffi, -O2      what a user of the codec builds
    BIG_ENDIAN   a program for s390x under qemu, UBSan's traps     the other byte order
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.gen.files import everything, folder, generate_all, support
from devstate.layout.constraints import RULES
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.layout.registry import Registry

if TYPE_CHECKING:
    from devstate.layout.model import ByteOrder

CHECK, MANY, GET, PUT, SWEEP, GO, TURN = range(7)
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
C_RULES = ("fine", *RULES)

Verdict = tuple[str, int]
FINE: Verdict = ("fine", 0)


@frozen
class Build:
    """How generated C is compiled and run. ``runner`` stands before the program; None loads it into this process."""

    compiler: str
    flags: tuple[str, ...]
    byte_order: ByteOrder = sys.byteorder
    runner: tuple[str, ...] | None = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The tools that are not installed."""
        return tuple(tool for tool in (self.compiler, *(self.runner or ())[:1]) if shutil.which(tool) is None)


GUARDED = Build("gcc", SANITIZED)
LOADED = Build("gcc", ("-O2", "-fPIC", "-shared", "-DDEVSTATE_LIBRARY"), runner=None)
BIG_ENDIAN = Build(
    "s390x-linux-gnu-gcc",
    ("-O1", "-static", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"),
    "big",
    ("qemu-s390x-static",),
)


def layouts_of(name: str, registry: Registry | None = None, byte_order: ByteOrder = "little") -> list[Layout]:
    """The layouts of a format, one a page size."""
    return [(registry or Registry.shipped()).layout(name, Environment(size, byte_order)) for size in PAGE_SIZES]


def write_all(where: Path, formats: Iterable[list[Layout]]) -> None:
    """Everything that is generated for the formats, and all.c."""
    chosen = [layouts for layouts in formats if layouts[0].structs]
    for layouts in chosen:
        for name, text in generate_all(layouts).items():
            (where / name).write_text(text)
    (where / "all.c").write_text(everything(chosen))


def compile_c(where: Path, *arguments: str, compiler: str = "gcc") -> str:
    """What a compiler has to say; empty when all is fine."""
    command = [compiler, *STRICT, f"-I{folder()}", *arguments]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False).stderr


class Process:
    """A program, asked over a pipe."""

    def __init__(self, path: Path, runner: Sequence[str]) -> None:
        # ASan keeps what is freed out of use until that is 256 MiB, by default; structs of 64 KiB fill that with what nobody looks at.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=32", **os.environ}
        self.process = subprocess.Popen([*runner, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def ask(self, number: int, verb: int, count: int, data: bytes) -> bytes:
        """The answer to one request. UsageError when the program dies of it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(struct.pack("<4I", number, verb, count, len(data)) + data)
            self.process.stdin.flush()
            head = self.process.stdout.read(4)
        except BrokenPipeError:
            head = b""
        if len(head) != 4:
            raise UsageError(f"the generated C has died ({self.process.wait()}): see the sanitizer's report on standard error")
        return self.process.stdout.read(int.from_bytes(head, "little"))

    def close(self) -> int:
        """End the program; its exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


class Library:
    """A library in this process."""

    def __init__(self, path: Path) -> None:
        import cffi

        self.ffi: Any = cffi.FFI()
        self.ffi.cdef(
            """
            uint8_t *devstate_answer(uint32_t, uint32_t, uint32_t, const uint8_t *, uint32_t, uint32_t *);
            void devstate_answer_free(uint8_t *);
            """
        )
        self.lib: Any = self.ffi.dlopen(str(path))

    def ask(self, number: int, verb: int, count: int, data: bytes) -> bytes:
        """The answer to one request."""
        size = self.ffi.new("uint32_t *")
        answer = self.lib.devstate_answer(number, verb, count, data, len(data), size)
        found = bytes(self.ffi.buffer(answer, size[0]))
        self.lib.devstate_answer_free(answer)
        return found

    def close(self) -> int:
        """Let go of the library: 0."""
        self.ffi.dlclose(self.lib)
        return 0


class Prover:
    """Formats of one encoding, built and running. ``order`` are the structs, by format and name, in the order of the tables; ``where`` has
    all files.
    """

    def __init__(self, where: Path, formats: list[list[Layout]], *, page_size: int = 4096, build: Build = GUARDED) -> None:
        write_all(where, formats)
        server = "prove_tagged.c" if formats and formats[0][0].encoding == "tagged" else "prove.c"
        arguments = (*build.flags, f"-DPAGE_SIZE={page_size}", "all.c", support(server), "-o", "prover")
        said = compile_c(where, *arguments, compiler=build.compiler)
        if said:
            raise UsageError(f"the generated C does not compile:\n{said}")
        self.where = where
        self.order = [(layouts[0].name, each.name) for layouts in formats for each in layouts[0].structs]
        self.numbers = {key: number for number, key in enumerate(self.order)}
        path = where / "prover"
        self.program: Process | Library = Library(path) if build.runner is None else Process(path, build.runner)

    def ask(self, key: tuple[str, str], verb: int, data: bytes, count: int = 0) -> bytes:
        """The answer to one request."""
        return self.program.ask(self.numbers[key], verb, count, data)

    def verdict(self, key: tuple[str, str], verb: int, data: bytes, count: int = 0) -> tuple[Verdict, bytes]:
        """The verdict, and what follows it."""
        answer = self.ask(key, verb, data, count)
        return verdicts(answer[:8])[0], answer[8:]

    def close(self) -> int:
        """End it; the exit status."""
        return self.program.close()


def verdicts(answer: bytes) -> list[Verdict]:
    """The verdicts in an answer."""
    return [(C_RULES[rule], at) for rule, at in struct.iter_unpack("<2I", answer)]
