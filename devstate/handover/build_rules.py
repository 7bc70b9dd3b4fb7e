# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The rules that a spec must obey before anything is built: what no kernel would write, and what the builder cannot hold.

Limits of formats (lengths of names, room of areas) are asked from layouts while building.
"""

from __future__ import annotations

from devstate.errors import EncodeError
from devstate.handover.spec import ENTRIES
from devstate.layout.model import PAGE_SIZES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.handover.spec import FileSpec, Spec

ORDER_MAX = 18
"""Largest folio: 1 GiB in 4K pages."""

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
    for at, device in enumerate(spec.devices):
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


def _file(file: FileSpec, path: str) -> None:
    for key, value in (("token", file.token), ("size", file.size), ("pos", file.pos), ("data", file.data)):
        if not 0 <= value < 1 << 64:
            raise EncodeError("a 64-bit number", path=f"{path}.{key}", found=value)
    if not 0 <= file.seals < 1 << 32:
        raise EncodeError("a 32-bit number", path=f"{path}.seals", found=file.seals)
    _order(file.order, f"{path}.order")


def _order(order: int, path: str) -> None:
    if not 0 <= order <= ORDER_MAX:
        raise EncodeError("the order of a block", path=path, expected=f"0..{ORDER_MAX}", found=order)


def _name(name: str, path: str) -> None:
    if not name or "/" in name or "\0" in name:
        raise EncodeError("a name is not empty, and has no slash and no NUL", path=path, found=repr(name))


def _one_of(value: object, known: Iterable[object], path: str, what: str) -> None:
    if value not in known:
        raise EncodeError(f"{what} is not known", path=path, expected=", ".join(map(str, known)), found=value)


def _unique(values: Iterable[object], path: str, message: str, base: int = 0) -> None:
    seen = set()
    for at, value in enumerate(values):
        if value in seen:
            raise EncodeError(message, path=path.format(at + base), found=value)
        seen.add(value)
