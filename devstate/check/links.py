# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What findings say together: a record that makes no sense may be the wrong record, and a fault keeps the kernel from what comes later."""

from __future__ import annotations

from devstate.check.rule import field_pa
from devstate.finding import Reaction, Severity
from devstate.frozen import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding
    from devstate.handover.model import PreservedFile


FOLLOWED = ("not-in-memory", "pointer-misaligned", "vmalloc-cycle", "vmalloc-endless", "memfd-folios")
"""Rules about what a memfd's record leads to."""


def with_links(context: Context, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings. Where preserved pages have lost their owner, those about records name the link that leads there as well."""
    found = list(findings)
    loud = [each for each in found if each.severity > Severity.INFO and (each.location.path or "").startswith("luo")]
    if not loud or not context.ownership.unowned:
        yield from found
        return
    links = _links(context)
    for each in found:
        path = each.location.path or ""
        more = next((links[part] for part in _owners(path) if part in links), ()) if each.severity > Severity.INFO else ()
        yield replace(each, related=(*each.related, *more)) if more else each


def _owners(path: str) -> Iterator[str]:
    """A path and what it is in, innermost first: file, session, all sessions."""
    path = path.partition(" ")[0]
    while path:
        yield path
        yield path.rpartition(".")[0]
        path = path.rpartition("/")[0]


def _links(context: Context) -> dict[str, tuple[tuple[int, str], ...]]:
    """By path of file, session and ``luo/session``: the fields that lead there, for a file also those that lead to its folio array."""
    luo = context.handover.luo
    links: dict[str, tuple[tuple[int, str], ...]] = {}
    if luo is None:
        return links
    if luo.record is not None and luo.pa is not None:
        links["luo/session"] = ((field_pa(luo.pa, luo.record, "sessions_pa"), "the link to the sessions"),)
    for session in luo.sessions:
        if session.file_set is not None:
            links[session.path] = ((field_pa(session.file_set_pa, session.file_set, "files"), "the link to the files"),)
        for file in session.files:
            links[file.path] = ((field_pa(file.pa, file.record, "data"), "the handle that leads to the record"), *_of_array(file))
    return links


def _of_array(file: PreservedFile) -> tuple[tuple[int, str], ...]:
    if file.pages is None:
        return ()
    entry = file.pages.entry_pa(0)
    return ((file.pages.pa, "the page list"), *(((entry, "the first entry of the page list"),) if entry is not None else ()))


def in_order(context: Context, findings: list[Finding]) -> list[Finding]:
    """The findings with the reactions that come about: a fault on a chain comes before its blocks are judged, and a memfd is refused for
    its seals before its folios are looked at, which are not looked at either when there are none.
    """
    faults = {each.location.path for each in findings if each.rule == "not-in-memory" and each.reaction is Reaction.OOPS}
    refused = {(each.location.path or "").removesuffix(".seals") for each in findings if each.rule == "memfd-seals"}
    empty = {file.path for file in context.handover.files if file.nr_folios == 0}
    return [_in_order(each, faults, refused, empty) for each in findings] if faults or refused or empty else findings


def _in_order(each: Finding, faults: set[str | None], refused: set[str], empty: set[str]) -> Finding:
    owners = set(_owners(each.location.path or ""))
    if each.reaction is Reaction.OPEN_FAILS and owners & faults:
        return replace(each, reaction=Reaction.OOPS)
    if each.rule in FOLLOWED and owners & refused:
        return replace(each, reaction=Reaction.RETRIEVE_FAILS)
    return replace(each, reaction=Reaction.ACCEPTED) if each.rule in FOLLOWED and owners & empty else each
