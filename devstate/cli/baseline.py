# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The committed layouts: check that what is declared is what was published, or write down what is new.

ACTION is check or update. PATH is a file or package with schemas, or a directory of kernel headers; without one, devstate's own schemas.
Baselines are in the folder `baselines` beside a file or inside a package. A published format is frozen: update refuses to change one.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import open_registry
from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.compat.committed import Entry
    from devstate.compat.lint import Linted
    from devstate.layout.declared import Declared

FORMATS = ("text", "json", "sarif", "github", "junit", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("action", metavar="ACTION", choices=("check", "update"), help="check or update")
    parser.add_argument("path", metavar="PATH", nargs="*", help="what is declared (default: devstate's own schemas)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="the same as PATH")
    parser.add_argument("--baselines", metavar="DIR", help="where the baselines are (default: `baselines` beside or inside PATH)")
    parser.add_argument("--accept", metavar="NAME", action="append", default=[], help="update: let this unreleased format change")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json (docs/lint.schema.json)")


def run(arguments: argparse.Namespace) -> int:
    """Compare, and for update write; 1 when something is not as committed, or may not change. Errors as open_source()."""
    from devstate.cli.command import FINDINGS, OK
    from devstate.cli.lint import write
    from devstate.compat.committed import GONE, NEW, TEXTS, entries, findings, read_committed
    from devstate.finding import Severity

    found: list[Linted] = []
    count = 0
    for word, folder in _places(arguments):
        made = entries(_declared(word), read_committed(folder))
        _known(made, arguments.accept)
        count += sum(each.state != GONE for each in made)
        wrong = {each.name: tuple(findings(each, folder, each.name in arguments.accept)) for each in made}
        if arguments.action == "update":
            for each in made:
                if each.state in (NEW, TEXTS) or (each.name in arguments.accept and each.text is not None):
                    _write(each, folder)
                    wrong[each.name] = ()
        found += [each for several in wrong.values() for each in several]
    found.sort(key=lambda each: -each.finding.severity)
    status = FINDINGS if any(each.finding.severity is Severity.ERROR for each in found) else OK
    write(tuple(found), count, status, "json" if arguments.json else arguments.format, sys.stdout, Severity.ERROR)
    return status


def _places(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Each source with the folder of its baselines. UsageError when nobody can know where that is."""
    from devstate.compat.committed import folder_of

    words = [*arguments.path, *arguments.schemas]
    if not words:
        import devstate_schemas

        words = [os.path.relpath(os.path.dirname(devstate_schemas.__file__ or ""))]
    if arguments.baselines is not None and len(words) > 1:
        raise UsageError("--baselines is for one PATH; run it once for each")
    made = []
    for word in words:
        if arguments.baselines is None and not os.path.exists(word):
            raise UsageError(f"{word}: no such file or directory; or say with --baselines where the baselines are")
        made.append((word, arguments.baselines or folder_of(word)))
    return made


def _declared(word: str) -> list[Declared]:
    """What a source declares on all page sizes; evidence that is missing is an error here."""
    from devstate.cli.sources import open_in_all
    from devstate.layout.model import PAGE_SIZES, Environment

    found = open_in_all(word, [Environment(size) for size in PAGE_SIZES], open_registry([]))
    for each in found:
        if each.missing:
            raise UsageError(f"{word}: {each.missing[0]}; a baseline is of everything")
    return found


def _known(made: tuple[Entry, ...], accepted: list[str]) -> None:
    """UsageError for a name in --accept that is none."""
    from devstate.cli.command import suggest

    names = {each.name for each in made}
    for name in accepted:
        if name not in names:
            raise UsageError(f"no format is called {name!r}{suggest(name, names)}")


def _write(entry: Entry, folder: str) -> None:
    """Write one baseline."""
    assert entry.text is not None  # only what is declared is written
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, entry.file), "w", encoding="utf-8") as file:
        file.write(entry.text)
    print(f"wrote {os.path.join(folder, entry.file)}", file=sys.stderr)
