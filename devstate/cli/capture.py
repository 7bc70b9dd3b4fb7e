# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Save the handover of the running kernel as one file: a sparse ELF core of just the pages that it leads to, for all other verbs to read.

It reads /sys/kernel/debug/kho and, through /proc/kcore, physical memory: run it as root. What it takes is what this kernel will hand
over (out), or what is left of what it was handed (in). A running kernel never shows all of it: what is missing is said, and noted in FILE.
With --from it reduces a dump that is at hand in the same way. FILE is compressed when its name ends in .zst.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import add_inputs, open_registry
from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from devstate.handover.capture import Capture, Origin, Wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; - is standard output, uncompressed")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument("--from", dest="input", metavar="INPUT", help="take it from this core or raw image, not from the running kernel")
    parser.add_argument("--side", choices=("out", "in"), help="what the kernel will hand over (default), or what it was handed")
    parser.add_argument("--no-content", action="store_true", help="leave out what files and regions hold, as a filtered dump would")
    parser.add_argument("--preserved", action="store_true", help="add all preserved pages, also those that no known format leads to")
    parser.add_argument("--sys", metavar="DIR", help="a directory tree in place of /sys")
    parser.add_argument("--proc", metavar="DIR", help="a directory tree in place of /proc")
    add_inputs(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write FILE, print what is in it and what is not; 0. Errors as find_live(), open_input() and save()."""
    from devstate.handover.capture import Wanted, save

    if arguments.no_content and arguments.preserved:
        raise UsageError("--preserved takes contents too: it does not go with --no-content")
    origin = _origin(arguments)
    path = arguments.output
    wanted = Wanted(not arguments.no_content, arguments.preserved, path.endswith(".zst"))
    try:
        made = save(origin, sys.stdout.buffer, wanted) if path == "-" else _write_file(origin, path, wanted, force=arguments.force)
    except OSError as error:
        if error.filename is not None or path == "-":
            raise
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None  # writing knows no name
    report = sys.stderr if path == "-" else sys.stdout
    report.writelines(f"{line}\n" for line in lines(made, origin.side, path))
    return 0


def _origin(arguments: argparse.Namespace) -> Origin:
    """The running kernel or the input, as the options say. UsageError for options of the one with the other."""
    registry = open_registry(arguments.schemas)
    if arguments.input is not None:
        from devstate.handover.capture import origin_of
        from devstate.memory.open import open_input

        _refuse("the running kernel, not to --from INPUT", sys=arguments.sys, proc=arguments.proc, side=arguments.side)
        source = open_input(arguments.input, base=arguments.base, partial=arguments.partial, byteorder=arguments.byte_order or "little")
        return origin_of(source, registry, fdt=arguments.fdt, page_size=arguments.page_size)
    from devstate.handover.host import Host
    from devstate.handover.live import find_live

    _refuse("--from INPUT", base=arguments.base, partial=arguments.partial, byte_order=arguments.byte_order)
    host = Host(arguments.sys or "/sys", arguments.proc or "/proc")
    return find_live(host, registry, side=arguments.side, fdt=arguments.fdt, page_size=arguments.page_size)


def _refuse(belongs: str, **given: object) -> None:
    for name, value in given.items():
        if value is not None and value is not False:
            raise UsageError(f"--{name.replace('_', '-')} belongs to {belongs}")


def _write_file(origin: Origin, path: str, wanted: Wanted, *, force: bool) -> Capture:
    """Write the file, which only its owner may read: it holds the memory of others. One that could not be finished is removed."""
    from devstate.handover.capture import save

    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (0 if force else os.O_EXCL), 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already; --force overwrites it") from None
    regular = os.path.isfile(path)
    done = False
    try:
        with open(fd, "wb") as file:
            if regular:
                file.truncate()
            made = save(origin, file, wanted)
        done = True
    finally:
        if not done and regular:
            os.unlink(path)
    return made


def lines(made: Capture, side: str | None, path: str) -> Iterator[str]:
    """What is in the file, then one line for each thing that is missing or worth knowing."""
    from devstate.report.printable import printable, quoted

    handover, note = made.handover, made.note
    luo = handover.luo
    which = f" side={side}" if side is not None else ""
    release = f" release={quoted(note.release)}" if note.release else ""
    yield f"captured  {quoted(handover.compatible or '?')}{which} fdt_pa={handover.fdt_pa:#x}{release}"
    yield f"holds     sessions={len(luo.sessions) if luo else 0} files={len(handover.files)} regions={len(handover.regions)}"
    yield f"wrote     {quoted(path)} metadata={made.metadata} content={made.content} ranges={made.regions}"
    yield from (f"missing   {printable(text)}" for text in made.missing)
    yield from (f"remark    {printable(text)}" for text in made.remarks)
