# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run one command line: find the verb, parse its arguments, turn every way to fail into a line on stderr and an exit status."""

from __future__ import annotations

import os
import sys

from devstate.cli.verbs import EXIT_STATUS, VERBS, overview
from devstate.errors import DevstateError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import ModuleType
    from typing import Any, TextIO

OK, FINDINGS, UNUSABLE, INCOMPLETE, BUG = 0, 1, 2, 3, 4
"""The exit statuses that ``--help`` documents; never a count."""

INTERRUPTED, BROKEN_PIPE = 130, 141
"""What a shell reports for a program that SIGINT or SIGPIPE ended."""


def run(arguments: list[str]) -> int:
    """Run the verb that ``arguments`` begin with. Returns the exit status; raises nothing."""
    for stream in (sys.stdout, sys.stderr):
        _escape(stream)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except DevstateError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        return _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
    except MemoryError:
        return _fail("not enough memory for this input")
    except SystemExit as stop:  # argparse after --help
        return stop.code if isinstance(stop.code, int) else OK
    except Exception as error:
        return _bug(error)


def _run(arguments: list[str]) -> int:
    if not arguments:
        raise UsageError("no verb; `devstate --help` lists them")
    verb, *rest = arguments
    if verb in ("-h", "--help", "help"):
        print(overview())
        return OK
    module = load(verb)
    if rest and rest[0] in getattr(module, "VERBS", ()):  # a verb that has verbs of its own: `pt walk` is in pt_walk
        module = __import__(f"devstate.cli.{verb}_{rest[0].replace('-', '_')}", fromlist=["run"])
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    command: list[str] = []
    if getattr(module, "RUNS", False) and "--" in rest:  # a verb that runs a command: what is behind -- is not ours to parse
        rest, command = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    parsed = parse(verb, module, rest)
    parsed.command = command
    status: int = module.run(parsed)
    return status


def parse(verb: str, module: ModuleType, arguments: list[str]) -> Any:
    """The arguments of a verb by name. UsageError when they are wrong, SystemExit after its help."""
    from devstate.cli.arguments import Declined, QuickParser

    quick = QuickParser()
    try:
        module.add_arguments(quick)
        return quick.parse_args(arguments)
    except Declined:
        return make_parser(verb, module).parse_intermixed_args(arguments)  # INPUT --json PATH is fine


def load(verb: str) -> ModuleType:
    """The module of a verb. UsageError when there is none of that name."""
    if verb not in VERBS:
        raise UsageError(f"no verb is called {verb!r}{suggest(verb, VERBS)}; `devstate --help` lists them")
    return __import__(f"devstate.cli.{verb}", fromlist=["run"])


def make_parser(verb: str, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of a verb's arguments."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]  # raises, as its NoReturn asks
            raise UsageError(f"{message}; see `devstate {verb} --help`")

    parser = Parser(
        prog=f"devstate {verb}",
        description=(module.__doc__ or "").strip(),
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser


def suggest(word: str, known: object) -> str:
    """`` (did you mean 'x'?)`` when ``word`` is nearly one of the ``known`` words, else nothing."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=3)  # type: ignore[call-overload]  # an iterable of texts
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _escape(stream: TextIO) -> None:
    """Make ``stream`` show what its encoding lacks as an escape instead of failing."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def _fail(message: str) -> int:
    from devstate.report.printable import printable

    print(f"error: {printable(message)}", file=sys.stderr)
    return UNUSABLE


def _bug(error: Exception) -> int:
    if os.environ.get("DEVSTATE_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    print(f"internal error: {type(error).__name__}: {error}; please report it (DEVSTATE_DEBUG=1 shows where)", file=sys.stderr)
    return BUG
