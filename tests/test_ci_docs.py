# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The examples of docs/policy.md and docs/ci.md: they are read by what they are for, and what they name is there."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import yaml

from devstate.compat.complaints import COMPLAINTS, complaint_titles
from devstate.compat.policy_file import read_policy
from devstate.compat.window import read_window

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The examples of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.S)


def test_policy_examples() -> None:
    """Both files are what their readers take, and not out of date."""
    policy, window = blocks("policy.md", "toml")
    read = read_policy(policy.encode())
    assert (2, 1, 1) == (len(read.levels), len(read.subsystems), len(read.waivers))
    today = datetime.date.today()
    assert all(waiver.expires > today for waiver in read.waivers)
    pairs = read_window(window.encode()).current(today)
    assert {("7.1", "7.2"): "refuse", ("7.1", "7.3"): "refuse", ("7.2", "7.3"): "restore"} == {
        (pair.old, pair.new): pair.promise for pair in pairs
    }


def test_the_waiver_of_the_page_is_the_real_one() -> None:
    """Its fingerprint is that of the finding that it speaks of."""
    from devstate.compat.compare import compare
    from devstate.compat.judge import judge
    from devstate.compat.waivers import Subject, covers
    from devstate.layout.model import Environment
    from devstate.layout.registry import Registry

    old, new = (Registry.shipped().layout(name, Environment()) for name in ("kho-v1@6.16", "kho-v1"))
    (waiver,) = read_policy(blocks("policy.md", "toml")[0].encode()).waivers
    subjects = [Subject(finding, old, new) for finding in judge(compare(old, new)).findings]
    assert waiver.fingerprints == tuple(each.print() for each in subjects if covers(waiver, each))


def test_ci_examples() -> None:
    """The hooks, inputs and outputs that the page uses are there."""
    hooks, workflow = (yaml.safe_load(text) for text in blocks("ci.md", "yaml"))
    known = {hook["id"] for hook in yaml.safe_load((DOCS.parent / ".pre-commit-hooks.yaml").read_text())}
    assert {each["id"] for each in hooks["repos"][0]["hooks"]} == known
    action = yaml.safe_load((DOCS.parent / "action" / "action.yml").read_text())
    steps = workflow["jobs"]["layouts"]["steps"]
    assert set(next(step["with"] for step in steps if step.get("id") == "devstate")) <= set(action["inputs"])
    used = set(re.findall(r"steps\.devstate\.outputs\.([\w-]+)", (DOCS / "ci.md").read_text()))
    assert used <= set(action["outputs"])
    assert set(action["outputs"]) <= set(re.findall(r"`([\w-]+)`", (DOCS / "ci.md").read_text()))


def test_complaints_are_documented() -> None:
    """Every id in the sources has a text that `devstate rules` shows, and a word in the page."""
    sources = "".join(path.read_text() for path in (DOCS.parent / "devstate" / "compat").glob("*.py"))
    used = set(re.findall(r"\"((?:waiver|level|window|baseline)-[a-z]+)\"", sources.replace("COMPLAINTS", "")))
    assert used == set(COMPLAINTS)
    assert all(title.endswith(".") for title in complaint_titles().values())
    text = (DOCS / "policy.md").read_text() + (DOCS / "ci.md").read_text()
    assert [] == [complaint for complaint in COMPLAINTS if f"`{complaint}`" not in text]
