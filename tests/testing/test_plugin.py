# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The pytest plugin, run by pytest on projects made for it."""

from __future__ import annotations

import importlib.metadata

import pytest

pytest_plugins = ["pytester"]

MINE = """
from devstate.schema import *
SCHEMAS = [Schema(compatible="mine-v1", doc="mine", source="here", status="project", found_by="x", owner="us",
  root=Struct("mine_ser", "pos" / U64 * "a position", "count" / U64 * "how many"))]
"""

INSTALLED = any(
    each.name == "devstate" and each.group == "pytest11" for found in importlib.metadata.distributions() for each in found.entry_points
)
"""Whether pytest loads the plugin by itself; it looks at all distributions, also at two of one name."""


class Project:
    """A project with a schema and its committed baseline."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.schema = pytester.path / "mine.py"
        self.schema.write_text(MINE)
        (pytester.path / ".git").mkdir()

    def commit(self) -> None:
        """Write the baseline."""
        from devstate.__main__ import main

        assert 0 == main(["baseline", "update", str(self.schema)])

    def run(self, *words: str) -> pytest.RunResult:
        """Run pytest on it."""
        return self.pytester.runpytest_inprocess(*([] if INSTALLED else ["-p", "devstate.testing.plugin"]), *words)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One whose baseline is committed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    made = Project(pytester)
    made.commit()
    return made


def test_a_project_in_order(project: Project) -> None:
    """Two tests a format; none without the option; the option may stand in the configuration."""
    project.run("--devstate-baseline", "mine.py").assert_outcomes(passed=2)
    project.run().assert_outcomes()
    project.pytester.makeini("[pytest]\ndevstate_baseline = mine.py\n")
    result = project.run("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["mine.py::mine-v1::baseline PASSED*", "mine.py::mine-v1::lint PASSED*"])


def test_what_is_chosen(project: Project) -> None:
    """-k chooses among them; who names a test gets that one, unless the option stands beside it."""
    project.run("--devstate-baseline", "mine.py", "-k", "lint").assert_outcomes(passed=1, deselected=1)
    project.pytester.makeini("[pytest]\ndevstate_baseline = mine.py\n")
    project.pytester.makepyfile(test_one="def test_it(): pass")
    project.run().assert_outcomes(passed=3)
    project.run("test_one.py").assert_outcomes(passed=1)
    project.run("test_one.py", "--devstate-baseline", "mine.py").assert_outcomes(passed=3)


def test_a_changed_format(project: Project) -> None:
    """The failure says which field does what, and what to do instead."""
    project.schema.write_text(MINE.replace('"count" / U64', '"extra" / U64 * "e", "count" / U64'))
    result = project.run("--devstate-baseline", "mine.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*mine_ser.extra: error?DS102]: new: extra (u64 at 8)*"])
    result.stdout.fnmatch_lines(["*error?DS302]: it is published, and what it stands for changed*the next version is \"mine-v2\"*"])
    assert "Traceback" not in result.stdout.str()


def test_what_is_missing(project: Project) -> None:
    """A format without a baseline, a baseline without a format, a path that is none."""
    (project.pytester.path / "baselines" / "mine-v1.json").rename(project.pytester.path / "baselines" / "old-v1.json")
    result = project.run("--devstate-baseline", "mine.py")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*it has no baseline*", "*readable for ever*"])
    result = project.run("--devstate-baseline", "none.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--devstate-baseline:*none.py: no such file or directory"])


def test_flaws_and_the_policy(project: Project) -> None:
    """An error of lint fails its test, a level of the project's policy counts, and so does what is wrong with the policy."""
    flawed = MINE.replace('"pos" / U64 *', '"pos" / KernelPointer() *')
    project.schema.write_text(flawed)
    (project.pytester.path / "baselines" / "mine-v1.json").unlink()
    project.commit()
    result = project.run("--devstate-baseline", "mine.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*mine_ser.pos: error?DS503]: a raw kernel pointer*"])
    policy = project.pytester.path / "devstate.toml"
    policy.write_text('[levels]\nDS503 = "warn"\n')
    project.run("--devstate-baseline", "mine.py").assert_outcomes(passed=2)
    policy.write_text('[levels]\nDS503 = "none"\n')
    assert pytest.ExitCode.USAGE_ERROR == project.run("--devstate-baseline", "mine.py").ret


def test_another_folder(project: Project) -> None:
    """Baselines may be elsewhere."""
    (project.pytester.path / "baselines").rename(project.pytester.path / "published")
    project.run("--devstate-baseline", "mine.py").assert_outcomes(passed=1, failed=1)
    project.run("--devstate-baseline", "mine.py", "--devstate-baselines", "published").assert_outcomes(passed=2)


def test_loading_it_costs_nothing() -> None:
    """Without the option nothing of devstate but the plugin is loaded."""
    import subprocess
    import sys

    code = "import sys, devstate.testing.plugin; print([n for n in sys.modules if n.startswith('devstate.') and 'testing' not in n])"
    assert "[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
