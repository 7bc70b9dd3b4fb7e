# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A driver author's driver, from a file of schemas and a module of one's own, through devstate.testing and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.cli.rehearse import open_scenario
from devstate.errors import UsageError
from devstate.pagetable import native
from devstate.rehearsal.run import Fault, Rehearsal, run
from devstate.testing.rehearsal import POLICIES, pairs, rehearse
from tests.rehearsal.toy import Broken, Forgetful, Shy, Toy

pytestmark = pytest.mark.skipif(not native.BUILT, reason="devices do their DMA in the core")

SCHEMAS = [str(Path(__file__).with_name("toy_schema.py"))]


@pytest.mark.parametrize("policy", POLICIES)
def test_pairs_of_versions(policy: str) -> None:
    """Version 2 reads what version 1 left, by the converter; not the other way round: by the merged design, for want of a handler."""
    assert {(1, 1): "updated", (1, 2): "updated", (2, 1): "refused", (2, 2): "updated"} == pairs(Toy, SCHEMAS, policy=policy)


def test_a_handler_of_ones_own() -> None:
    """It refuses to preserve: the old kernel goes on, and says why."""
    result = rehearse(Shy, schemas=SCHEMAS, policy="merged")
    assert ("kept", ["the old kernel, repaired, could not hand over"]) == (result.ended, list(result.wrong))
    assert "the toy is shy" in result.failures[0]


def test_a_driver_that_takes_nothing() -> None:
    """The new kernel refuses, with the driver's reason."""
    result = rehearse(Forgetful, schemas=SCHEMAS)
    assert ("refused", ()) == (result.ended, result.wrong)
    assert "the toy is broken" in result.failures[0]


def test_a_driver_with_a_bug() -> None:
    """What it leaves does not fit its schema: the old kernel goes on, and the field is named."""
    result = rehearse(Broken, schemas=SCHEMAS)
    assert ("kept", ["the old kernel, repaired, could not hand over"]) == (result.ended, list(result.wrong))
    assert "levle" in result.failures[0] or "level" in result.failures[0]


TOML = """
memory = "8M"
schemas = ["toy_schema.py"]
path = ["{path}"]
[[devices]]
name = "toy"
driver = "{driver}"
drivers = [1, {new}]
"""


@pytest.mark.parametrize(
    ("driver", "new", "text"),
    [
        ("tests.rehearsal.toy:Nobody", 2, "cannot be loaded"),
        ("no.such.module:Toy", 2, "cannot be loaded"),
        ("tests.rehearsal.toy:Driver", 2, "is no driver"),
        ("tests.rehearsal.toy:Any", 2, "is no driver"),
        ("tests.rehearsal.toy:Toy", 3, "no version 3"),
    ],
)
def test_drivers_that_are_none(tmp_path: Path, driver: str, new: int, text: str) -> None:
    """UsageError before anything starts."""
    (tmp_path / "toy_schema.py").write_text(Path(SCHEMAS[0]).read_text())
    (tmp_path / "s.toml").write_text(TOML.format(path=Path(__file__).parents[2], driver=driver, new=new))
    with pytest.raises(UsageError, match=text):
        open_scenario(str(tmp_path / "s.toml"))


def test_a_driver_in_a_scenario(tmp_path: Path) -> None:
    """Its schemas and its module are found from the scenario's folder."""
    (tmp_path / "toy_schema.py").write_text(Path(SCHEMAS[0]).read_text())
    (tmp_path / "s.toml").write_text(TOML.format(path=Path(__file__).parents[2], driver="tests.rehearsal.toy:Toy", new=2))
    assert Toy is not None
    assert ("toy-v1", "toy-v2") == Toy.compatibles
    assert "tests.rehearsal.toy:Toy" == open_scenario(str(tmp_path / "s.toml")).devices[0].driver


@pytest.mark.parametrize(("name", "ended"), [("upgrade", "updated"), ("rollback", "refused")])
def test_the_example_drivers(name: str, ended: str) -> None:
    """A controller, a network card and a function of a guest, from one version to the other and back."""
    scenario = open_scenario(str(Path(__file__).parents[2] / "examples" / "drivers" / f"{name}.toml"))
    result = run(scenario)
    assert (ended, ()) == (result.ended, result.wrong), result.failures


def test_pages_of_a_driver_are_preserved() -> None:
    """A byte that changes in them is refused by the driver, with the name of the array."""
    scenario = open_scenario(str(Path(__file__).parents[2] / "examples" / "drivers" / "upgrade.toml"))
    rehearsal = Rehearsal(scenario)
    rehearsal.run()
    page = (rehearsal.machine.programmed()["registers"]["IRTA"] & ~0xFFF) + 4096  # the first driver's pages are behind the interrupt table
    result = run(scenario, Fault("flip", 0, "queues", "", page + 20))
    assert ("refused", ()) == (result.ended, result.wrong)
    assert "queues are not what they were" in result.failures[0]
