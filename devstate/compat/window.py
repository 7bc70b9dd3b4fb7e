# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Windows: which pairs of kernels a project promises to support, in which direction, until when; and which must be refused, and how.

::

    [window]
    releases = ["7.1", "7.2", "7.3"]     oldest first: each restores what the one before wrote, and refuses what is older
    restore = 1                          how many releases back are restored
    direction = "read-old"               read-old, read-new or both

    [[pair]]                             one pair by itself
    old = "6.19"                         a release, or any source that `devstate compat` takes
    new = "7.3"                          left out: what the command line compares
    promise = "refuse"                   restore (the default) or refuse
    reaction = "ignored"                 of a refusal: what the reading kernel is documented to do
    formats = ["memfd-*"]                only these; all when left out
    expires = 2027-06-30                 the last day of the promise

A pair whose day is over promises nothing any more. What is promised and not so is an error, whatever its severity was otherwise.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from devstate.compat.policy_table import POLICY_MAX, Table, read_table
from devstate.errors import UsageError
from devstate.finding import Finding, Location, Outcome, Reaction, Severity
from devstate.frozen import frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterator

    from devstate.compat.examine import Report
    from devstate.compat.manifest import Manifest
    from devstate.compat.predict import Component, Prediction
    from devstate.layout.model import Layout
    from devstate.layout.registry import Registry

RESTORE, REFUSE = "restore", "refuse"
DIRECTIONS = ("read-old", "read-new", "both")


@frozen
class Pair:
    """One promise. ``new`` is None for what the command line compares; ``line`` is where it stands."""

    old: str
    new: str | None
    promise: str = RESTORE
    direction: str = "read-old"
    reaction: str | None = None
    formats: tuple[str, ...] = ()
    expires: datetime.date | None = None
    line: int = 1

    def has(self, name: str) -> bool:
        """Whether a format is among those that are meant."""
        return not self.formats or any(fnmatchcase(name, pattern) for pattern in self.formats)

    @property
    def supported(self) -> frozenset[str]:
        """The directions that are promised to work, as a comparison wants them."""
        if self.promise == REFUSE:
            return frozenset()
        return frozenset(DIRECTIONS[:2] if self.direction == "both" else (self.direction,))


@frozen
class Window:
    """All promises of a project."""

    source: str
    pairs: tuple[Pair, ...]

    def current(self, today: datetime.date) -> tuple[Pair, ...]:
        """The promises that still hold."""
        return tuple(pair for pair in self.pairs if pair.expires is None or pair.expires >= today)


def open_window(path: str) -> Window:
    """The window in the file ``path``. UsageError when it cannot be read, or is none."""
    try:
        with open(path, "rb") as file:
            return read_window(file.read(POLICY_MAX + 1), path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def read_window(data: bytes, source: str = "support.toml") -> Window:
    """The window in the bytes of a ``support.toml``. UsageError, with line and hint, for anything that is not of its form."""
    root = read_table(data, source)
    pairs = [_pair(each) for each in root.tables("pair")]
    table = root.table("window")
    root.finish()
    if table is not None:
        single = {(pair.old, pair.new) for pair in pairs}
        pairs += [pair for pair in _expanded(table) if (pair.old, pair.new) not in single]  # what is said of one pair goes before
    if not pairs:
        raise root.error('the window is empty; write [[pair]] with old = "7.2" and new = "7.3", or [window] with releases = [...]')
    return Window(source, tuple(pairs))


def _pair(table: Table) -> Pair:
    old, new = table.text("old", "7.2", needed=True) or "", table.text("new", "7.3")
    promise = table.word("promise", (RESTORE, REFUSE)) or RESTORE
    direction = table.word("direction", DIRECTIONS) or "read-old"
    reaction = table.word("reaction", [str(each) for each in Reaction])
    if reaction is not None and promise != REFUSE:
        raise table.error('a reaction is that of a refusal: write promise = "refuse"', "reaction")
    if reaction is None and promise == REFUSE:
        raise table.error('a refusal is documented: write reaction = "ignored", "panic", "open-fails", ...')
    formats, expires = table.texts("formats", "memfd-*"), table.date("expires")
    table.text("reason", "why")
    table.finish()
    return Pair(old, new, promise, direction, reaction, formats, expires, table.line())


def _expanded(table: Table) -> Iterator[Pair]:
    """The pairs of a list of releases: near ones are restored, far ones refused."""
    releases = table.texts("releases", "7.2", needed=True)
    back = table.take("restore", int, "1")
    direction, expires = table.word("direction", DIRECTIONS) or "read-old", table.date("expires")
    back = 1 if back is None else back
    table.finish()
    if len(set(releases)) != len(releases) or len(releases) < 2:
        raise table.error("releases are two or more, each once, oldest first", "releases")
    if back < 1:
        raise table.error("restore is how many releases back are restored: 1 or more", "restore")
    for index, new in enumerate(releases):
        for before, old in enumerate(releases[:index]):
            promise = RESTORE if index - before <= back else REFUSE
            yield Pair(old, new, promise, direction, expires=expires, line=table.line("releases"))


@frozen
class Promised:
    """One comparison that a window asks for: ``supported`` as compare() takes it."""

    pair: Pair
    old: Layout | None
    new: Layout | None
    supported: frozenset[str]


def pairs_of_window(window: Window, registry: Registry, today: datetime.date, page_size: int = 4096) -> tuple[Promised, ...]:
    """Every comparison of two formats that the window's releases stand for. Pairs without a new side, and those whose sides
    are no releases, are left to the caller, who can open them. UsageError for a release without known formats."""
    from devstate.compat.pairing import pairs_of
    from devstate.layout.model import Environment
    from devstate.layout.release import parse_release, writes

    found = []
    for pair in window.current(today):
        releases = [parse_release(word) for word in (pair.old, pair.new or "")]
        if pair.new is None or None in releases:
            continue
        sides = []
        for release in releases:
            names = [name for name, summary in registry.summaries.items() if release is not None and writes(summary, release)]
            if not names:
                raise UsageError(f"{window.source}:{pair.line}: no format of kernel {release} is known; Kexec HandOver begins with 6.16")
            sides.append([registry.layout(name, Environment(page_size)) for name in names])
        for each in pairs_of(*sides):
            if any(pair.has(layout.name) for layout in (each.old, each.new) if layout is not None):
                found.append(Promised(pair, each.old, each.new, pair.supported))
    return tuple(found)


def hold(
    window: Window, registry: Registry, open_manifest: Callable[[str], Manifest], today: datetime.date, new: str | None = None
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Every promise held to what `predict` says of its two kernels: findings for those that are broken, and what evidence is missing.

    ``open_manifest`` opens a word of the file; ``new`` stands for the new side that a pair leaves out (those pairs are skipped when None).
    """
    from devstate.compat.predict import predict

    findings: list[Finding] = []
    missing: list[str] = []
    for pair in window.current(today):
        newer = pair.new or new
        if newer is None:
            continue
        manifests = open_manifest(pair.old), open_manifest(newer)
        ways = {"read-old": manifests, "read-new": (manifests[1], manifests[0])}
        for way in DIRECTIONS[:2] if pair.direction == "both" else (pair.direction,):
            prediction = predict(*ways[way], registry)
            missing += prediction.incomplete
            place = Location(window.source, path=f"{pair.old} -> {newer} {way}", line=pair.line)
            findings += broken(pair, prediction, place)
    return tuple(findings), tuple(dict.fromkeys(missing))


def refusal(pair: Pair, old: str, new: str, report: Report, registry: Registry, source: str) -> tuple[Finding, ...]:
    """The findings when a pair that must be refused is not, or not as documented. Two releases are predicted as wholes, as what stops
    the kernel first decides; of other sources the report of their comparison says what happens."""
    from devstate.compat.manifest import release_manifest
    from devstate.layout.release import parse_release

    if parse_release(old) is not None and parse_release(new) is not None:
        only = Window(source, (replace(pair, new=new, expires=None),))
        return hold(only, registry, lambda word: release_manifest(registry, word), _any_day())[0]
    found: list[Finding] = []
    for way in DIRECTIONS[:2] if pair.direction == "both" else (pair.direction,):
        place = Location(source, path=f"{old} -> {new} {way}", line=pair.line)
        outcome = report.read_old if way == "read-old" else report.read_new
        sides = {(each.read_old if way == "read-old" else each.read_new, str(each.reaction)) for each in report.findings}
        reactions = sorted(reaction for side, reaction in sides if side is Outcome.REFUSED)
        if outcome is not Outcome.REFUSED:
            words = "there is nothing to compare" if outcome is None else f"it is {outcome}"
            found.append(Finding("window-refuse", Severity.ERROR, f"{words}; it is promised to be refused", place))
        elif reactions and pair.reaction not in reactions:
            shown = ", ".join(reactions)
            message = "refused in another way than documented"
            found.append(Finding("window-refuse", Severity.ERROR, message, place, expected=pair.reaction, found=shown))
    return tuple(found)


def _any_day() -> datetime.date:
    import datetime

    return datetime.date.min


def broken(pair: Pair, prediction: Prediction, place: Location) -> Iterator[Finding]:
    """The findings for one promise in one direction. What the kernel does not come to is not named: what stopped it is."""
    concerned = [each for each in prediction.components if _concerns(pair, each)]
    bad = [each for each in concerned if str(each.outcome) != "OK" and each.reasons[0][0] != "not-reached"]
    reached = bad or [each for each in concerned if str(each.outcome) != "OK"]
    if pair.promise == RESTORE:
        for each in reached:
            severity = Severity.WARNING if str(each.verdict) == "DEGRADED" else Severity.ERROR
            yield _broken("window-restore", each, "it is promised to be restored", place, severity)
        return
    silent = [each for each in bad if str(each.outcome) != "REFUSED"]
    for each in silent:
        yield _broken("window-refuse", each, "it is promised to be refused", place, Severity.ERROR)
    if not reached:
        yield Finding("window-refuse", Severity.ERROR, "everything is read; it is promised to be refused", place)
    reactions = sorted({each.reaction for each in reached})
    if reactions and not silent and pair.reaction not in (None, *reactions):
        found = ", ".join(reactions)
        yield Finding("window-refuse", Severity.ERROR, "refused in another way than documented", place, expected=pair.reaction, found=found)


def _concerns(pair: Pair, component: Component) -> bool:
    """Whether a component is one of the pair's formats, by the names in its reasons."""
    return not pair.formats or any(pair.has(word.strip(",;")) for _, text in component.reasons for word in text.split())


def _broken(rule: str, component: Component, promise: str, place: Location, severity: Severity) -> Finding:
    why = "; ".join(text for _, text in component.reasons)
    outcome = Outcome[str(component.outcome)]
    reaction = Reaction[component.reaction.upper().replace("-", "_")]
    newer = not (place.path or "").endswith("read-new")
    message = f"{component.name}: {why}; {promise}"
    return Finding(rule, severity, message, place, reaction, read_old=outcome if newer else None, read_new=None if newer else outcome)
