# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Scenario files: the shipped ones are read, and every mistake has its line and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.cli.rehearse import open_scenario, shipped
from devstate.errors import UsageError
from devstate.rehearsal.scenario import from_plain, read_scenario, to_plain


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_are_read(name: str) -> None:
    """Each, and it survives the way to another process."""
    scenario = open_scenario(name)
    assert scenario == from_plain(to_plain(scenario))


DEVICE = '[[devices]]\nname = "nvme0"\n'

WRONG = [
    ("nmae = 'x'\n", "1: unknown key 'nmae'; did you mean 'name'?"),
    ("vcpus = 0\n", "1: vcpus is a number from 1 to 64, not 0"),
    ("vcpus = true\n", "1: vcpus is a number"),
    ("name = 'x'\nmemory = '3M'\n", "2: memory is a text such as '32M'"),
    ("memory = 32\n", "1: memory is a text"),
    ("kernels = ['7.3']\n", "1: expected 2 to 9 releases"),
    ("kernels = ['7.3', 'x']\n", "1: 'x' is no kernel release"),
    ("kernels = '7.3'\n", "1: kernels is a list of texts"),
    ("jump = 'leap'\n", "1: jump is one of exec, kill, not 'leap'"),
    ("devices = 1\n", "1: expected at most 512 tables"),
    ("budgets = 1\n", "1: expected a table [budgets]"),
    ("[budgets]\nfreez = 1\n", "2: unknown key 'freez' in budgets; did you mean 'freeze'?"),
    ("name = 'x'\n[[devices]]\nslots = 1\n", "each device has a name without slashes"),
    (DEVICE + "slot = 1\n", "3: unknown key 'slot' in devices; did you mean 'slots'?"),
    (DEVICE + "drivers = [1]\n", "3: nvme0: expected 2 versions"),
    (DEVICE + "drivers = [1, 0]\n", "3: nvme0: expected 2 versions, each 1 to 99"),
    (DEVICE + "driver = 'nothing'\n", "3: nvme0: the driver is a text module:Class"),
    ("policy = 'mine'\n", "1: policy is one of rfc, merged, not 'mine'"),
    ("kernels = ['7.3', '6.19']\npolicy = 'merged'\n", "2: kernel 6.19 has no shared objects, which the policy merged needs: 7.0 or later"),
    ("[budgets]\nretreive = 1\n", "2: unknown key 'retreive' in budgets; did you mean 'retrieve'?"),
    ("preflight = 'maybe'\n", "1: preflight is one of off, refuse, drop, rederive"),
    ("schemas = 'mine.py'\n", "1: schemas is a list of texts"),
    (DEVICE + "parent = 'port0'\n", "nvme0: there is no device port0 that could be its parent"),
    (DEVICE + "parent = 7\n", "3: nvme0: the parent is the name of a device"),
    (DEVICE + "reclaim = 1\n", "3: reclaim is true or false"),
    (DEVICE + DEVICE, "two devices are called nvme0"),
    (DEVICE + 'parent = "a"\n[[devices]]\nname = "a"\nparent = "nvme0"\n', "the devices nvme0 -> a -> nvme0 lead in a circle"),
    ("name = \n", "at line 1"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """The file, the line, what is wrong and what was meant."""
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        read_scenario(str(tmp_path / "s.toml"))
    assert str(error.value).startswith(str(tmp_path / "s.toml"))
    assert message in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Nothing there, a folder, bytes, too much."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_bytes(b"#" * ((1 << 20) + 1))
    for path, text in (("none", "cannot be read"), (".", "cannot be read"), ("bytes", "utf-8"), ("long", "larger than")):
        with pytest.raises(UsageError, match=text):
            read_scenario(str(tmp_path / path))
