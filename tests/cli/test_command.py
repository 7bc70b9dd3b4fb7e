# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The command as a whole: help, version, exit statuses, and every way to fail as one line on stderr."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from runner import PRESENT, Runner

import devstate
from devstate.cli import command
from devstate.cli.command import BROKEN_PIPE, BUG, INTERRUPTED, UNUSABLE
from devstate.cli.verbs import VERBS, overview

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "devstate" / "cli"


def process(*words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "devstate", *words], capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]


def test_version(run: Runner) -> None:
    """The version stands once more in pyproject, for those who read it there; the command's entry is there too."""
    outcome = run("--version")
    assert (0, f"devstate {devstate.__version__}\n", "") == (outcome.status, outcome.out, outcome.err)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert devstate.__version__ == project["version"]
    module, _, function = project["scripts"]["devstate"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)])
def test_help_lists_every_verb_and_status(run: Runner, words: tuple[str, ...]) -> None:
    """All verbs with their line, all exit statuses; without importing a verb."""
    outcome = run(*words)
    assert (0, "") == (outcome.status, outcome.err)
    assert overview() == outcome.out.rstrip("\n")
    for verb, line in VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(line)}$", outcome.out, re.MULTILINE)
    assert ["0", "1", "2", "3", "4"] == re.findall(r"^  (\d) ", outcome.out, re.MULTILINE)


def test_every_line_of_help_fits() -> None:
    """On a wide terminal at least."""
    assert all(len(line) <= 120 for line in overview().splitlines())


@pytest.mark.parametrize("verb", PRESENT)
def test_every_verb_has_its_own_help(run: Runner, verb: str) -> None:
    """Its docstring, its arguments, the exit statuses."""
    outcome = run(verb, "--help")
    assert (0, "") == (outcome.status, outcome.err)
    module = command.load(verb)
    assert module.__doc__ is not None
    assert module.__doc__.strip().splitlines()[0] in outcome.out
    assert "exit status:" in outcome.out and f"usage: devstate {verb}" in outcome.out


def test_every_module_of_a_verb_is_known() -> None:
    """What has run() and add_arguments() is a verb."""
    found = {path.stem for path in CLI.glob("*.py") if "\ndef run(arg" in path.read_text() and "\ndef add_arguments(" in path.read_text()}
    known = {verb: getattr(command.load(verb), "VERBS", ()) for verb in PRESENT}
    assert found <= {*VERBS, *(f"{verb}_{its.replace('-', '_')}" for verb, these in known.items() for its in these)}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "no verb"),
        (("inspekt",), "no verb is called 'inspekt' (did you mean 'inspect'?)"),
        (("",), "no verb is called ''"),
        (("inspect",), "required: INPUT; see `devstate inspect --help`"),
        (("inspect", "a", "b", "c"), "unrecognized arguments: c"),
        (("inspect", "--bse", "1", "x"), "unrecognized arguments: --bse"),
        (("inspect", "--base", "zero", "x"), "argument --base: invalid number value: 'zero'"),
        (("inspect", "--base", "-1", "x"), "argument --base"),
        (("inspect", "--base", "1" * 5000, "x"), "argument --base"),
        (("inspect", "--base", "16E", "x"), "argument --base"),
        (("inspect", "--base", "0x10000000000000000", "x"), "argument --base"),
        (("inspect", "--byte-order", "middle", "x"), "argument --byte-order: invalid choice"),
        (("diff", "x"), "required: B"),
        (("extract", "x", "y"), "required: -o/--output"),
    ],
)
def test_wrong_usage(run: Runner, words: tuple[str, ...], text: str) -> None:
    """One line that says what is wrong and where help is; status 2."""
    outcome = run(*words)
    assert (UNUSABLE, "") == (outcome.status, outcome.out)
    assert outcome.err.startswith("error: ") and 1 == outcome.err.count("\n")
    assert text in outcome.err


@pytest.mark.parametrize("verb", ["inspect", "diff"])
def test_unreadable_input(run: Runner, tmp_path: Path, verb: str) -> None:
    """Missing, empty, a directory without handover files, random bytes, a device: an error with the name, never a traceback."""
    (tmp_path / "empty").touch()
    (tmp_path / "random").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder").mkdir()
    for name in ("missing", "empty", "random", "folder", "nul\0byte"):
        path = str(tmp_path / name)
        outcome = run(verb, *[path] * (2 if verb == "diff" else 1))
        assert (UNUSABLE, "") == (outcome.status, outcome.out), name
        assert outcome.err.startswith("error: ") and 1 == outcome.err.count("\n")
    assert UNUSABLE == run(verb, *["/dev/null"] * (2 if verb == "diff" else 1)).status


def test_no_permission(run: Runner, monkeypatch: pytest.MonkeyPatch, small: Path) -> None:
    """The system's reason is in the message. (Tests may run as root, who may read everything.)"""

    def refuse(path: str, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    outcome = run("inspect", small)
    assert (UNUSABLE, f"error: {small}: cannot be read: Permission denied\n") == (outcome.status, outcome.err)


def test_names_are_made_safe(run: Runner, tmp_path: Path) -> None:
    """Escape sequences and line breaks in a file's name are shown, not sent to the terminal; names need not be UTF-8."""
    outcome = run("inspect", tmp_path / "a\x1b[31m\nb")
    assert r"a\x1b[31m\nb" in outcome.err and "\x1b" not in outcome.err and 1 == outcome.err.count("\n")
    outcome = run("inspect", os.fsdecode(b"/nowhere/\xff\xfe"))
    assert UNUSABLE == outcome.status and "nowhere" in outcome.err


class Broken:
    """A verb that raises whatever it was made for."""

    __doc__ = "Fail."

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def add_arguments(self, parser: object) -> None:
        """Nothing."""

    def run(self, arguments: object) -> int:
        """Raise."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (MemoryError(), UNUSABLE, "error: not enough memory"),
        (OSError(28, "No space left on device"), UNUSABLE, "error: standard output: No space left on device"),
        (OSError(13, "Permission denied", "/x"), UNUSABLE, "error: /x: Permission denied"),
        (RuntimeError("oops"), BUG, "internal error: RuntimeError: oops; please report it"),
        (RecursionError("deep"), BUG, "internal error: RecursionError"),
    ],
)
def test_failures(run: Runner, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, text: str) -> None:
    """Whatever a verb raises becomes a status and at most one line."""
    monkeypatch.delenv("DEVSTATE_DEBUG", raising=False)
    monkeypatch.setattr(command, "load", lambda verb: Broken(error))
    outcome = run("inspect")
    assert (status, "") == (outcome.status, outcome.out)
    assert text in outcome.err and outcome.err.count("\n") <= 1 and "Traceback" not in outcome.err


def test_a_bug_shows_its_place_when_asked(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """DEVSTATE_DEBUG=1 adds the traceback."""
    monkeypatch.setattr(command, "load", lambda verb: Broken(RuntimeError("oops")))
    monkeypatch.setenv("DEVSTATE_DEBUG", "1")
    outcome = run("inspect")
    assert BUG == outcome.status and "Traceback" in outcome.err


def test_a_closed_pipe_is_quiet(small: Path) -> None:
    """``devstate inspect ... | head -0``: nothing on stderr, the status that a shell gives for SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-m", "devstate", "inspect", str(small)], stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (BROKEN_PIPE, b"") == (done.returncode, done.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error(small: Path) -> None:
    """Also when it only shows at the flush in the end."""
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "devstate", "inspect", str(small)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (UNUSABLE, "error: standard output: No space left on device\n") == (done.returncode, done.stderr)


def test_standard_input(small: Path) -> None:
    """- is standard input, a file or a pipe."""
    with open(small, "rb") as file:
        direct = subprocess.run([sys.executable, "-m", "devstate", "inspect", "-"], stdin=file, capture_output=True, check=True)
    piped = subprocess.run([sys.executable, "-m", "devstate", "inspect", "-"], input=small.read_bytes(), capture_output=True, check=True)
    assert direct.stdout == piped.stdout
    assert b"luo/session/vm-alpha/1" in direct.stdout


def test_an_ascii_terminal(small: Path) -> None:
    """What the encoding of the output lacks is escaped."""
    done = process("inspect", "/\u00e4", env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"})
    assert (UNUSABLE, True) == (done.returncode, "\\xe4" in done.stderr)


def test_the_quick_verbs_load_little(small: Path) -> None:
    """--version loads nothing of devstate but the door; inspect no module that costs an interpreter start-up."""
    code = "import sys; from devstate.__main__ import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True)
    base = set(bare.stdout.split())

    def loaded(*words: str) -> set[str]:
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        return set(done.stderr.split()) - base

    assert {"devstate", "devstate.__main__", "__future__", "gc"} >= loaded("--version")
    slow = {"argparse", "re", "typing", "dataclasses", "inspect", "json", "numpy", "construct", "pathlib", "enum"}
    assert not slow & loaded("inspect", str(small))
    assert not slow & loaded("inspect", "--json", str(small))
