# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The pytest plugin: ``pytest --devstate-baseline PATH`` adds tests for the formats in PATH, a file or package with schemas, or headers.

::

    PATH::NAME::baseline    what is declared is what was committed (`devstate baseline check`)
    PATH::NAME::lint        no error by itself (`devstate lint`), under the project's devstate.toml

Committed baselines are in the folder ``baselines`` beside a file or inside a package; ``--devstate-baselines DIR`` names another one. Both
may stand in the project's configuration as well: ``devstate_baseline = schemas``. A format that was committed and is not declared any
more is a test that fails. Nothing is imported before one of the options is there.
"""

from __future__ import annotations

import os

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.compat.lint import Linted
    from devstate.finding import Finding
    from devstate.layout.declared import Declared


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("devstate", "formats that are handed over")
    group.addoption("--devstate-baseline", metavar="PATH", action="append", default=[], help="hold the formats in PATH to their baselines")
    group.addoption("--devstate-baselines", metavar="DIR", help="where the baselines are (default: `baselines` beside or inside PATH)")
    parser.addini("devstate_baseline", "paths whose formats are held to their baselines", type="args", default=[])
    parser.addini("devstate_baselines", "where the baselines are")


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among them
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests. pytest.UsageError for a PATH that has no formats. What stands in the configuration is for runs over everything: who
    names tests on the command line gets these and no others."""
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    for path in config.getoption("devstate_baseline") or (config.getini("devstate_baseline") if everything else ()):
        items.extend(_items(session, config, str(path)))


class FormatItem(pytest.Item):
    """One format held to one thing; ``findings`` are those that make it fail."""

    findings: tuple[Finding, ...] = ()

    def runtest(self) -> None:
        """Fail when there is a finding."""
        if self.findings:
            raise FormatError(self.findings)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The findings, as the verbs print them."""
        if isinstance(excinfo.value, FormatError):
            return "\n".join(f"{each.location}: {each.severity}[{each.rule}]: {each.message}" for each in excinfo.value.findings)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where it stands: the part of its id that is a path."""
        return self.nodeid.partition("::")[0], None, self.name


class FormatError(Exception):
    """A format is not what it was, or has a flaw."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("; ".join(each.message for each in findings))


def _items(session: pytest.Session, config: pytest.Config, path: str) -> Iterator[FormatItem]:
    """The tests for one path."""
    from devstate.compat.committed import GONE, entries, findings, folder_of, read_committed
    from devstate.errors import DevstateError
    from devstate.layout.model import PAGE_SIZES, Environment
    from devstate.layout.registry import Registry
    from devstate.source.opening import open_layouts

    where = path if os.path.isabs(path) else os.path.join(str(config.rootpath), path)
    folder = config.getoption("devstate_baselines") or config.getini("devstate_baselines") or folder_of(where)
    try:
        declared = [open_layouts(where, Environment(size), registry=Registry.shipped()) for size in PAGE_SIZES]
        made = entries(declared, read_committed(os.path.join(str(config.rootpath), str(folder))))
        linted = _linted(declared, where)
    except DevstateError as error:
        raise pytest.UsageError(f"--devstate-baseline: {error}") from error
    for entry in made:
        yield _item(session, path, f"{entry.name}::baseline", findings(entry, str(folder)))
        if entry.state != GONE:
            mine = [each for each in linted if entry.name in each.formats or (not each.formats and entry is made[0])]
            yield _item(session, path, f"{entry.name}::lint", mine)


def _linted(declared: list[Declared], path: str) -> tuple[Linted, ...]:
    """The errors of lint over all formats, under the project's policy; what is wrong with the policy as well."""
    import datetime

    from devstate.compat.lint import Linted, lint
    from devstate.compat.policy import apply
    from devstate.compat.policy_file import find_policy, open_policy
    from devstate.frozen import replace
    from devstate.layout.compiling import add_user_schemas
    from devstate.layout.registry import Registry

    registry = Registry.shipped().copy()
    if declared[0].kind == "schemas":
        add_user_schemas(registry, path)
    found = lint(declared, registry.steps, frozenset(registry.summaries))
    chosen = find_policy(os.path.dirname(os.path.abspath(path)))
    if chosen is None:
        return found
    left = []
    policy, today = open_policy(chosen), datetime.date.today()
    for each in found:
        left += [replace(each, finding=kept.finding) for kept in apply([each.subject], policy, today=today).findings]
    compared = [(None, layout) for layout in declared[0].formats]
    complaints = apply([each.subject for each in found], policy, today=today, compared=compared).complaints
    return (*left, *(Linted(finding, ()) for finding in complaints))


def _item(session: pytest.Session, path: str, name: str, found: Iterable[Linted]) -> FormatItem:
    from devstate.finding import Severity

    item: FormatItem = FormatItem.from_parent(session, name=name, nodeid=f"{path}::{name}")
    item.findings = tuple(each.finding for each in found if each.finding.severity is Severity.ERROR)
    return item
