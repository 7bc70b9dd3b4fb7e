# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated C as a process: many formats compiled at once, under sanitizers, and asked over a pipe (see devstate/gen/prove.c)."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from devstate.errors import UsageError
from devstate.gen.files import everything, folder, generate_all, support
from devstate.layout.constraints import RULES
from devstate.layout.model import PAGE_SIZES, Environment, Layout
from devstate.layout.registry import Registry

CHECK, MANY, GET, PUT, SWEEP, GO = range(6)
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
C_RULES = ("fine", *RULES)

Verdict = tuple[str, int]
FINE: Verdict = ("fine", 0)


def layouts_of(name: str, registry: Registry | None = None) -> list[Layout]:
    """The layouts of a format, one a page size."""
    return [(registry or Registry.shipped()).layout(name, Environment(size)) for size in PAGE_SIZES]


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


class Prover:
    """The process. ``order`` are the structs, by format and name, in the order of the tables."""

    def __init__(self, where: Path, formats: list[list[Layout]], *, page_size: int = 4096) -> None:
        write_all(where, formats)
        said = compile_c(where, *SANITIZED, f"-DPAGE_SIZE={page_size}", "all.c", support("prove.c"), "-o", "prover")
        if said:
            raise UsageError(f"the generated C does not compile:\n{said}")
        self.order = [(layouts[0].name, each.name) for layouts in formats for each in layouts[0].structs]
        self.numbers = {key: number for number, key in enumerate(self.order)}
        self.process = subprocess.Popen([where / "prover"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, key: tuple[str, str], verb: int, data: bytes, count: int = 0) -> bytes:
        """The answer to one request."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(struct.pack("<4I", self.numbers[key], verb, count, len(data)) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(4)
        if len(head) != 4:
            raise UsageError("the generated C has died: see the sanitizer's report on standard error")
        return self.process.stdout.read(int.from_bytes(head, "little"))

    def verdict(self, key: tuple[str, str], verb: int, data: bytes, count: int = 0) -> tuple[Verdict, bytes]:
        """The verdict, and what follows it."""
        answer = self.ask(key, verb, data, count)
        return verdicts(answer[:8])[0], answer[8:]

    def close(self) -> int:
        """End the process; its exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def verdicts(answer: bytes) -> list[Verdict]:
    """The verdicts in an answer."""
    return [(C_RULES[rule], at) for rule, at in struct.iter_unpack("<2I", answer)]
