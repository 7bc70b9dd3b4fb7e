# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`devstate luo ...` on a double of the device: what is said, what is refused, what a command gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from runner import Runner

from devstate.luo.double import Double
from devstate.luo.handlers import FileArgs
from devstate.luo.sessions import Luo, Serialized


class Open(dict[int, Any]):
    """The descriptors of this process: each stands for the inode behind it."""

    def __contains__(self, fd: object) -> bool:
        return True

    def __getitem__(self, fd: int) -> Any:
        return os.fstat(fd).st_ino


class FileHandler:
    """Preserves real files of this process by their path; in the next kernel they are opened again."""

    compatible = "memfd-v2"

    def __init__(self, kept: dict[int, str]) -> None:
        self.kept = kept

    def can_preserve(self, file: Any) -> bool:
        """Every file."""
        return True

    def get_id(self, file: Any) -> int:
        """Its inode."""
        return int(file)

    def preserve(self, args: FileArgs) -> None:
        """Its handle is its inode."""
        args.data = args.file

    def unpreserve(self, args: FileArgs) -> None:
        """Nothing to do."""

    def retrieve(self, args: FileArgs) -> int:
        """A descriptor of this process."""
        return os.open(self.kept[args.data], os.O_RDWR)

    def finish(self, args: FileArgs) -> None:
        """Nothing to do."""


class RealFiles(Double):
    """A double whose retrieved files are descriptors of this process."""

    def new_file(self, file: Any) -> int:
        """The file is a descriptor already."""
        return int(file)


def boot(monkeypatch: pytest.MonkeyPatch, kept: dict[int, str], received: Serialized | None = None) -> RealFiles:
    """A kernel, and this process on it."""
    luo = Luo(received)
    luo.register(FileHandler(kept))
    calls = RealFiles(luo)
    calls.files = Open()
    monkeypatch.setattr("devstate.luo.client.SystemCalls", lambda: calls)
    # Real processes inherit real descriptors: those of the double are numbers only.
    monkeypatch.setattr("devstate.cli.luo_session.run_with", lambda command, fds: ran.append((command, fds)) or 7)
    return calls


ran: list[tuple[list[str], dict[str, int]]] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    """Each test begins with no command."""
    ran.clear()


def test_status(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be used; or why not, with the errno in JSON."""
    boot(monkeypatch, {})
    outcome = run("luo", "status")
    assert (0, True) == (outcome.status, "it can be used" in outcome.out)
    monkeypatch.setattr("devstate.luo.client.SystemCalls", lambda: Double(None))
    assert (1, "ENOENT", False) == (
        (outcome := run("luo", "status", "--json")).status,
        outcome.json["errno"],
        outcome.json["usable"],
    )


def test_preserve_and_retrieve(run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files go into a session, and come out of it in the next kernel."""
    (tmp_path / "ram").write_bytes(b"guest ram")
    kept = {(tmp_path / "ram").stat().st_ino: str(tmp_path / "ram")}
    calls = boot(monkeypatch, kept)
    saved: list[Serialized] = []

    def reboot(command: list[str], fds: dict[str, int]) -> int:
        saved.append(calls.luo.reboot() if calls.luo else Serialized(0))
        raise SystemExit(3)

    monkeypatch.setattr("devstate.cli.luo_session.run_with", reboot)
    run("luo", "preserve", "vm-alpha", "--file", f"7={tmp_path / 'ram'}", "--", "agent", "--hold")
    assert [(7, "vm-alpha")] == [(file.token, session.name) for session in saved[0].sessions for file in session.files]
    boot(monkeypatch, kept, saved[0])
    outcome = run("luo", "retrieve", "vm-alpha", f"7={tmp_path / 'out'}")
    assert (0, b"guest ram") == (outcome.status, (tmp_path / "out").read_bytes())


def test_create_runs_a_command(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the descriptor by its number; its status is the verb's; then the session is gone."""
    calls = boot(monkeypatch, {})
    outcome = run("luo", "create", "vm-alpha", "--", "agent", "--json", "--")
    assert 7 == outcome.status
    assert ["agent", "--json", "--"] == ran[0][0]
    assert ["DEVSTATE_SESSION_FD"] == [*ran[0][1]]
    assert calls.luo is not None
    assert {} == calls.luo.outgoing


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (["create", "x" * 64, "--", "true"], "1 to 63 bytes"),
        (["create", "vm"], "name the command that keeps the session"),
        (["preserve", "vm", "--", "true"], "--file TOKEN=PATH"),
        (["preserve", "--file", "1=/dev/null"], "DEVSTATE_SESSION_FD"),
        (["preserve", "vm", "--file", "x=/dev/null", "--", "true"], "no token"),
        (["preserve", "vm", "--file", "1=", "--", "true"], "not TOKEN=PATH"),
        (["preserve", "vm", "--file", f"{1 << 64}=/dev/null", "--", "true"], "below 2^64"),
        (["preserve", "vm", "--file", "1=/nowhere", "--", "true"], "cannot be opened"),
        (["retrieve", "vm", "1"], "TOKEN=PATH, or a command"),
        (["retrieve", "vm", "1=/dev/null"], "handed over no session of this name"),
        (["finish", "vm"], "handed over no session of this name"),
        (["finish"], "DEVSTATE_SESSION_FD"),
        (["names"], "DEVSTATE_SESSION_FD"),
        (["names", "x"], "no number of a descriptor"),
        (["explode"], "luo has no verb"),
    ],
)
def test_what_is_refused(run: Runner, monkeypatch: pytest.MonkeyPatch, line: list[str], text: str) -> None:
    """Exit status 2, and words."""
    boot(monkeypatch, {})
    monkeypatch.delenv("DEVSTATE_SESSION_FD", raising=False)
    outcome = run("luo", *line)
    assert (2, True) == (outcome.status, text in outcome.err), outcome.err


def test_names_and_finish_of_a_given_session(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number in the variable."""
    calls = boot(monkeypatch, {}, Serialized(1))
    assert calls.luo is not None
    from devstate.luo.client import Client

    with Client.open() as client:
        session = client.create("vm-beta")
    monkeypatch.setenv("DEVSTATE_SESSION_FD", str(session.fd))
    assert ["vm-beta"] == run("luo", "names").lines
    assert "was created in this kernel" in run("luo", "finish").err
    monkeypatch.setenv("DEVSTATE_SESSION_FD", "x")
    assert "no number of a descriptor" in run("luo", "names").err


def test_a_command_that_cannot_be_run() -> None:
    """UsageError, with its name."""
    from devstate.cli.luo_session import run_with
    from devstate.errors import UsageError

    with pytest.raises(UsageError, match="/no/such: cannot be run"):
        run_with(["/no/such"], {})
    assert 5 == run_with(["sh", "-c", "exit 5"], {})
