# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The rules that a spec must obey before anything is built: what no kernel would write, and what the builder cannot hold.

Limits of formats (lengths of names, room of areas) are asked from layouts while building.
"""

from __future__ import annotations

from itertools import pairwise

from devstate.errors import EncodeError
from devstate.handover.spec import ENTRIES
from devstate.layout.model import PAGE_SIZES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.handover.spec import FileSpec, GuestSpec, Spec

ORDER_MAX = 18
"""Largest folio: 1 GiB in 4K pages."""

RELEASE_SIZE = 65
"""Bytes of previous_release: __NEW_UTS_LEN + 1."""

NAME_MAX = 255
"""Bytes of the name of a node: four times any name that the kernel gives."""

CLIENTS = ("memblock", "LUO", "kexec-metadata")


def check_spec(spec: Spec) -> None:
    """EncodeError with the place in the spec (``sessions[1].files[0].token``) and the rule, for the first that is broken."""
    _one_of(spec.page_size, PAGE_SIZES, "page_size", "the page size")
    _one_of(spec.byte_order, ("little", "big"), "byte_order", "the byte order")
    _one_of(spec.entry, (None, *ENTRIES), "entry", "the entry")
    _unique([each.name for each in spec.sessions], "sessions[{}].name", "two sessions have this name")
    if spec.forms.luo is None and (spec.sessions or spec.flbs):
        raise EncodeError("this kernel has no LUO", path="sessions[0]" if spec.sessions else "flbs[0]")
    for at, session in enumerate(spec.sessions):
        _name(session.name, f"sessions[{at}].name")
        _unique([each.token for each in session.files], f"sessions[{at}].files[{{}}].token", "two files of the session have this token")
        for number, file in enumerate(session.files):
            _file(file, f"sessions[{at}].files[{number}]")
    _unique([each.name for each in spec.flbs], "flbs[{}].name", "two FLBs have this name")
    _unique([each.name for each in spec.regions], "regions[{}].name", "two regions have this name")
    for at, region in enumerate(spec.regions):
        _name(region.name, f"regions[{at}].name")
        if region.size <= 0 or region.size % spec.page_size:
            expected = f"a multiple of {spec.page_size} above 0"
            raise EncodeError("a region is whole pages", path=f"regions[{at}].size", expected=expected, found=region.size)
        if len(region.content) > region.size:
            raise EncodeError("the content is longer than the region", path=f"regions[{at}].size", found=region.size)
    taken = [*CLIENTS, *(["devstate"] if spec.parts or spec.guests or spec.devices else [])]
    _unique([*taken, *(each.name for each in spec.subtrees)], "subtrees[{}].name", "two clients have this name", -len(taken))
    _unique([each.name for each in spec.guests], "guests[{}].name", "two guests have this name")
    for at, guest in enumerate(spec.guests):
        _name(guest.name, f"guests[{at}].name")
        _node(guest.name, f"guests[{at}].name")
        _ranges(guest, spec.page_size, f"guests[{at}].ranges")
    for at, part in enumerate(spec.parts):
        for step in filter(None, part.path.split("/")):
            _node(step, f"parts[{at}].path")
        if not part.format or "\0" in part.format:
            raise EncodeError("a format has a name, without NUL", path=f"parts[{at}].format", found=repr(part.format))
    for at, device in enumerate(spec.devices):
        _node(device.machine, f"devices[{at}].machine")
        _name(device.machine, f"devices[{at}].machine")
        if not device.path or not all(device.path.split("/")):
            raise EncodeError("a device has a path of names with / between them", path=f"devices[{at}].path", found=repr(device.path))
    _unique([(each.machine, each.path) for each in spec.devices], "devices[{}].path", "two devices have this path")
    _unique([each.path for each in spec.parts], "parts[{}].path", "two parts have this path")
    for at, subtree in enumerate(spec.subtrees):
        _name(subtree.name, f"subtrees[{at}].name")
        _order(subtree.order or 0, f"subtrees[{at}].order")
    for key in ("per_block", "per_list"):
        value = getattr(spec, key)
        if value is not None and value < 1:
            raise EncodeError("a block holds at least one entry", path=key, found=value)
    _order(spec.list_order, "list_order")
    if not 0 <= spec.kexec_count < 1 << 32:
        raise EncodeError("a 32-bit number", path="kexec_count", found=spec.kexec_count)
    release = spec.forms.release
    if release is not None and not (release.isascii() and release.isprintable() and len(release) < RELEASE_SIZE):
        expected = f"ASCII, at most {RELEASE_SIZE - 1} characters"
        raise EncodeError("not the name of a release", path="forms.release", expected=expected, found=repr(release[:80]))


def check_arena(spec: Spec, arena: tuple[int, int]) -> None:
    """The same of where it is built: whole pages, apart from scratch. ``arena`` is (base, bytes)."""
    page = spec.page_size
    for key, value in (("base", arena[0]), ("size", arena[1])):
        if value % page or (key == "size" and not value):
            raise EncodeError("the arena is whole pages", path=f"arena.{key}", expected=f"a multiple of {page}", found=f"{value:#x}")
    if arena[0] + arena[1] >= 1 << 64:
        raise EncodeError("the arena ends beyond 64 bits", path="arena.base", found=f"{arena[0]:#x}")
    for at, (start, size) in enumerate(spec.scratch):
        if start % page or size % page or not size or start + size >= 1 << 64:
            raise EncodeError("scratch is whole pages below 2^64", path=f"scratch[{at}]", found=f"{size:#x} bytes at {start:#x}")
        if start < arena[0] + arena[1] and arena[0] < start + size:
            found, expected = f"{start:#x}", f"outside of {arena[0]:#x}..{arena[0] + arena[1]:#x}"
            raise EncodeError("scratch is in the arena", path=f"scratch[{at}].start", expected=expected, found=found)


def _file(file: FileSpec, path: str) -> None:
    for key, value in (("token", file.token), ("size", file.size), ("pos", file.pos), ("data", file.data)):
        if not 0 <= value < 1 << 64:
            raise EncodeError("a 64-bit number", path=f"{path}.{key}", found=value)
    if not 0 <= file.seals < 1 << 32:
        raise EncodeError("a 32-bit number", path=f"{path}.seals", found=file.seals)
    _order(file.order, f"{path}.order")
    if file.handler is not None and (file.size or file.content):
        raise EncodeError("of a file of another handler only the handle is written, no content", path=f"{path}.handler", found=file.handler)


def _order(order: int, path: str) -> None:
    if not 0 <= order <= ORDER_MAX:
        raise EncodeError("the order of a block", path=path, expected=f"0..{ORDER_MAX}", found=order)


def _name(name: str, path: str) -> None:
    if not name or "/" in name or "\0" in name:
        raise EncodeError("a name is not empty, and has no slash and no NUL", path=path, found=repr(name))
    if len(name.encode()) > NAME_MAX:
        raise EncodeError("a name is too long", path=path, expected=f"at most {NAME_MAX} bytes", found=f"{len(name.encode())} bytes")


def _node(name: str, path: str) -> None:
    """The name of a node in the subtree devstate."""
    if not 0 < len(name) <= NAME_MAX or not name.isascii() or not name.isprintable() or " " in name:
        expected = f"1 to {NAME_MAX} printable characters of ASCII, no blanks"
        raise EncodeError("not the name of a node", path=path, expected=expected, found=repr(name[:80]))


def _ranges(guest: GuestSpec, page: int, path: str) -> None:
    """Whole pages, each guest address once."""
    for at, each in enumerate(guest.ranges):
        for key, value in (("gpa", each.gpa), ("size", each.size), ("offset", each.offset)):
            if value % page or (key == "size" and not value):
                raise EncodeError("a range is whole pages", path=f"{path}[{at}].{key}", expected=f"a multiple of {page}", found=value)
        if each.node is not None and each.node >= 1 << 32:
            raise EncodeError("a 32-bit number", path=f"{path}[{at}].node", found=each.node)
        if each.gpa + each.size > 1 << 64:
            raise EncodeError("a range ends beyond 64 bits", path=f"{path}[{at}].size", found=each.size)
    order = sorted(range(len(guest.ranges)), key=lambda at: guest.ranges[at].gpa)
    for one, other in pairwise(order):
        end = guest.ranges[one].gpa + guest.ranges[one].size
        if end > guest.ranges[other].gpa:
            found = f"{guest.ranges[other].gpa:#x}"
            raise EncodeError("two ranges of the guest overlap", path=f"{path}[{other}].gpa", expected=f"from {end:#x} on", found=found)


def _one_of(value: object, known: Iterable[object], path: str, what: str) -> None:
    if value not in known:
        raise EncodeError(f"{what} is not known", path=path, expected=", ".join(map(str, known)), found=value)


def _unique(values: Iterable[object], path: str, message: str, base: int = 0) -> None:
    seen = set()
    for at, value in enumerate(values):
        if value in seen:
            raise EncodeError(message, path=path.format(at + base), found=value)
        seen.add(value)
