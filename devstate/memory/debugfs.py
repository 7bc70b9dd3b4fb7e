# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The files of ``/sys/kernel/debug/kho``: what a running kernel shows of the handover that it takes in, and of the one it prepares.

::

    out/                      or kho-out/ (as collectors copy it): what this kernel will hand over
        fdt                   the root FDT
        sub_fdts/NAME         each subtree's blob
        scratch_phys          one 0x... a line (7.4: bootmem_phys), and the lengths in the same order:
        scratch_len           (7.4: bootmem_len)
    in/                       or kho-in/: what this kernel was handed
        fdt, sub_fdts/NAME

There is no memory behind the pointers in these files, and they are not faithful: ``out/fdt`` is cut at the size it had at boot, and
``in/sub_fdts/LUO`` is freed memory by the time anyone reads it. So damage is normal here: it becomes a finding, never an error.
(drivers: kernel/liveupdate/kexec_handover_debugfs.c)
"""

from __future__ import annotations

import os
import stat

from devstate.errors import ImageError, LimitError
from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen

MAX_FILE = 1 << 24
"""Bytes of one file: the root FDT is a page and a subtree a few; an FDT of 16 MiB is larger than any machine has."""

MAX_SUBTREES = 4096
"""Files in sub_fdts: each is a subsystem of the kernel."""

_TOTALSIZE = slice(4, 8)
_SCRATCH_NAMES = ("scratch", "bootmem")


@frozen
class DebugfsDump:
    """One side. ``side`` is "out" or "in"; ``fdt`` the root FDT's bytes, None if absent; ``sub_fdts`` (name, bytes) by name;
    ``scratch`` the scratch areas as (pa, length in bytes); ``directory`` where it was."""

    side: str
    directory: str
    fdt: memoryview | None
    sub_fdts: tuple[tuple[str, memoryview], ...]
    scratch: tuple[tuple[int, int], ...]


def open_debugfs(path: str) -> tuple[tuple[DebugfsDump, ...], tuple[Finding, ...]]:
    """Both sides, out first, as far as they are there, and what is wrong with them. ``path`` holds them, or is one of them (the one with
    scratch areas is ``out``).

    ImageError when it is neither.
    """
    findings: list[Finding] = []
    dumps = []
    for side in ("out", "in"):
        for name in (side, f"kho-{side}"):
            directory = os.path.join(path, name)
            if os.path.isdir(directory):
                dumps.append(_dump(side, directory, findings))
                break
    if not dumps and any(os.path.exists(os.path.join(path, name)) for name in ("fdt", "sub_fdts")):
        out = any(os.path.exists(os.path.join(path, f"{name}_phys")) for name in _SCRATCH_NAMES)
        dumps.append(_dump("out" if out else "in", path, findings))
    if not dumps:
        raise ImageError(
            "not a directory of KHO's debugfs files", source=path, expected="out/, in/, kho-out/ or kho-in/, or fdt and sub_fdts/",
            advice="copy /sys/kernel/debug/kho as root",
        )  # fmt: skip
    return tuple(dumps), tuple(findings)


def _dump(side: str, directory: str, findings: list[Finding]) -> DebugfsDump:
    fdt = _read(os.path.join(directory, "fdt"), findings)
    if fdt is not None:
        _judge_fdt(fdt, os.path.join(directory, "fdt"), findings)
    subtrees = os.path.join(directory, "sub_fdts")
    names = _names(subtrees, findings)
    blobs = ((name, _read(os.path.join(subtrees, name), findings)) for name in names)
    return DebugfsDump(side, directory, fdt, tuple((name, blob) for name, blob in blobs if blob is not None), _scratch(directory, findings))


def _names(subtrees: str, findings: list[Finding]) -> list[str]:
    try:
        names = sorted(os.listdir(subtrees))
    except OSError as error:
        _note(findings, "debugfs-unreadable", f"cannot be read: {error.strerror}", subtrees)
        return []
    if len(names) > MAX_SUBTREES:
        raise LimitError("too many subtrees", source=subtrees, expected=f"at most {MAX_SUBTREES}", found=len(names))
    return names


def _read(path: str, findings: list[Finding]) -> memoryview | None:
    """The bytes of a regular file; None with a finding for what is none, is too long or cannot be read. Never waits for a pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                _note(findings, "debugfs-unreadable", "not a file", path)
                return None
            pieces, left = [], MAX_FILE + 1
            while left and (piece := os.read(fd, left)):
                pieces.append(piece)
                left -= len(piece)
        finally:
            os.close(fd)
    except OSError as error:
        _note(findings, "debugfs-unreadable", f"cannot be read: {error.strerror}", path)
        return None
    if not left:
        _note(findings, "debugfs-unreadable", f"longer than {MAX_FILE:#x} bytes", path)
        return None
    return memoryview(b"".join(pieces))


def _judge_fdt(fdt: memoryview, path: str, findings: list[Finding]) -> None:
    """Say when the root FDT is shorter than it says: the kernel shows the size that it had at boot, before subtrees were added."""
    total = int.from_bytes(fdt[_TOTALSIZE], "big")
    if len(fdt) < total:
        findings.append(
            Finding(
                "debugfs-cut", Severity.WARNING, "the root FDT is cut: the kernel shows the size that it had at boot",
                Location(source=path), expected=f"{total} bytes", found=f"{len(fdt)}",
            )
        )  # fmt: skip


def _scratch(directory: str, findings: list[Finding]) -> tuple[tuple[int, int], ...]:
    """(pa, length) of each area, under the name of either kernel. Empty when there are none: the ``in`` side never has them."""
    for name in _SCRATCH_NAMES:
        paths = [os.path.join(directory, f"{name}_{part}") for part in ("phys", "len")]
        if not any(os.path.lexists(path) for path in paths):
            continue
        starts, lengths = (_numbers(path, findings) for path in paths)
        if len(starts) != len(lengths):
            _note(findings, "debugfs-scratch", f"{len(starts)} addresses, but {len(lengths)} lengths", paths[0])
        return tuple(zip(starts, lengths, strict=False))
    return ()


def _numbers(path: str, findings: list[Finding]) -> list[int]:
    """The numbers of a file with one a line, up to the first line that is none."""
    numbers: list[int] = []
    for line in bytes(_read(path, findings) or b"").split():
        try:
            number = int(line, 16) if len(line) <= 18 else -1
        except ValueError:
            number = -1
        if number < 0:
            _note(findings, "debugfs-scratch", f"not a number: {line[:20]!r}", path)
            break
        numbers.append(number)
    return numbers


def _note(findings: list[Finding], rule: str, message: str, path: str) -> None:
    findings.append(Finding(rule, Severity.WARNING, message, Location(source=path)))
