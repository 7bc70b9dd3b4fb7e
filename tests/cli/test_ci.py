# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What runs in CI: the hooks of pre-commit, the action, and the diff driver, each as their hosts call them, in a real git repository."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

HEADER = """\
#include <linux/types.h>
#include <linux/kho/abi/inner.h>
#define DEMO_COMPATIBLE "demo-v1"
/** If this structure is modified, `DEMO_COMPATIBLE` must be updated. */
struct demo_ser {
	u64 count;
	struct inner_ser in;
} __packed;
"""
INNER = "#include <linux/types.h>\n#define INNER_COMPATIBLE \"inner-v1\"\nstruct inner_ser { u64 a; } __packed;\n"
CHANGE = ("\tu64 count;", "\tu32 flags;\n\tu64 count;")


class Repository:
    """A git repository with two headers in its first commit; ``devstate`` is on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "devstate").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m devstate "$@"\n')
        (bin_folder / "devstate").chmod(0o755)
        (bin_folder / "python").symlink_to(sys.executable)
        self.environment = os.environ | {
            "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"),
            "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }  # fmt: skip
        self.top = folder / "repo"
        self.abi = self.top / "include" / "linux" / "kho" / "abi"
        self.abi.mkdir(parents=True)
        (self.abi / "demo.h").write_text(HEADER)
        (self.abi / "inner.h").write_text(INNER)
        for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
            self.run("git", *words)

    def run(self, *words: str, status: int = 0, **more: str) -> str:
        """Run a command at the top; its output."""
        done = subprocess.run(words, cwd=self.top, env=self.environment | more, capture_output=True, text=True, check=False)
        assert status == done.returncode, done.stdout + done.stderr
        return done.stdout

    def change(self, old: str = CHANGE[0], new: str = CHANGE[1], name: str = "demo.h") -> None:
        """Change a header."""
        (self.abi / name).write_text((self.abi / name).read_text().replace(old, new))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A fresh one."""
    pytest.importorskip("clang.cindex")
    return Repository(tmp_path)


# ---- pre-commit ----

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def hook(repository: Repository, name: str, *arguments: str, status: int = 0) -> str:
    """Run a hook as pre-commit does: the staged files that its pattern takes, behind its entry and its args; not at all without one."""
    data = HOOKS[name]
    repository.run("git", "add", ".")
    staged = repository.run("git", "diff", "--staged", "--name-only").split()
    files = [path for path in staged if re.search(data["files"], path)]
    if not files:
        return "(no files to check)"
    words = [*shlex.split(data["entry"]), *data.get("args", []), *arguments]
    return repository.run(*words, *(files if data.get("pass_filenames", True) else []), status=status)


def test_the_hooks_are_of_the_form_that_pre_commit_takes() -> None:
    """Ids, languages, and patterns that compile; each entry is a verb that there is."""
    for data in HOOKS.values():
        assert {"id", "name", "description", "entry", "language", "files"} <= set(data)
        assert "python" == data["language"] and re.compile(data["files"])
        assert "devstate" == data["entry"].split()[0]


def test_compat_hook(repository: Repository) -> None:
    """A change under the same version is refused; with the next version it is let in; other files are not looked at."""
    assert "(no files to check)" == hook(repository, "devstate-compat")
    repository.change()
    said = hook(repository, "devstate-compat", status=1)
    assert "include/linux/kho/abi/demo.h:6: demo_ser.flags: error[DS102 field-inserted]" in said
    assert "error[DS301 layout-changed-without-bump]: demo-v1 did not change" in said
    repository.change("demo-v1", "demo-v2")
    assert "bump needed, and it is there" in hook(repository, "devstate-compat")
    repository.run("git", "commit", "-q", "-m", "second")
    (repository.top / "README").write_text("text")
    assert "(no files to check)" == hook(repository, "devstate-compat")
    (repository.abi / "new.h").write_text(INNER.replace("inner", "new").replace("INNER", "NEW"))
    assert "" == hook(repository, "devstate-compat"), "a new format breaks nobody"
    repository.change("u64 a", "u32 a", "inner.h")
    assert "inner_ser.a" in hook(repository, "devstate-compat", status=1)


def test_changed_since(repository: Repository) -> None:
    """Against another commit; one that is not there, and no repository, are errors of usage."""
    repository.change()
    repository.run("git", "commit", "-q", "-a", "-m", "second")
    path = "include/linux/kho/abi/demo.h"
    assert "" == repository.run("devstate", "compat", "changed", path)
    repository.run("devstate", "compat", "changed", path, "--since", "HEAD~1", status=1)
    assert 1 == json.loads(repository.run("devstate", "compat", "changed", path, "--since", "HEAD~1", "--json", status=1))["exit"]
    repository.run("devstate", "compat", "changed", path, "--since", "nowhere", status=2)
    repository.run("devstate", "compat", "changed", str(repository.folder / "bin" / "x.h"), status=2)


def test_lint_and_baseline_hooks(repository: Repository) -> None:
    """What they judge stands in args."""
    repository.change()
    assert "in 2 formats" in hook(repository, "devstate-lint", "include/linux/kho/abi")
    repository.change("u64 count", "void *count")
    assert "error[DS503 unportable-type]" in hook(repository, "devstate-lint", "include/linux/kho/abi", status=1)
    where = ("include/linux/kho/abi", "--baselines", "baselines")
    assert "it has no baseline" in hook(repository, "devstate-baseline", *where, status=1)
    repository.run("devstate", "baseline", "update", *where)
    assert "nothing found in 2 formats" in hook(repository, "devstate-baseline", *where)


# ---- git ----


def test_diff_driver(repository: Repository) -> None:
    """git diff, git show and git log print what happens to layouts, then the text; new, gone, renamed, odd and broken files as well."""
    (repository.top / ".gitattributes").write_text("*.h diff=devstate\n")
    repository.run("git", "config", "diff.devstate.command", "devstate compat git-diff")
    repository.change()
    said = repository.run("git", "diff")
    assert "devstate: include/linux/kho/abi/demo.h:6: demo_ser.flags: error[DS102 field-inserted]" in said
    assert "--- a/include/linux/kho/abi/demo.h\n+++ b/include/linux/kho/abi/demo.h\n" in said and "\n+\tu32 flags;\n" in said
    repository.run("git", "commit", "-q", "-a", "-m", "second")
    for words in (("log", "-p", "--ext-diff", "-1"), ("show", "--ext-diff")):
        assert "devstate: bump needed" in repository.run("git", *words)
    assert "devstate:" not in repository.run("git", "log", "-p", "-1")
    (repository.abi / "demo.h").rename(repository.abi / "other.h")
    (repository.abi / "inner.h").write_text("struct inner_ser { u65 a; };\n")
    repository.run("git", "add", "-A")
    said = repository.run("git", "diff", "--staged", "-M")
    assert "devstate: include/linux/kho/abi/inner.h: no layouts in the new side" in said and "+struct inner_ser { u65 a; };" in said
    said = repository.run("git", "diff", "--staged", "--no-renames")
    assert "abi/demo.h: there is no new side" in said and "abi/other.h: there is no old side" in said
    assert "has conflicts" in repository.run("devstate", "compat", "git-diff", "include/x.h")


# ---- the action ----

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action" / "action.yml").read_text())


def act(repository: Repository, status: int = 0, **given: str) -> tuple[str, dict[str, str], str]:
    """Run the shell steps as a runner does, with the inputs in the environment; annotations, outputs and summary."""
    inputs = {name: str(data.get("default", "")) for name, data in ACTION["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()} | {"install": "none"}
    files = {name: repository.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        path.write_text("")
    said = ""
    for step in ACTION["runs"]["steps"]:
        condition = re.fullmatch(r"inputs\.([\w-]+) != '(\w*)'", step.get("if", ""))
        if "run" not in step or (condition is not None and inputs[condition[1]] == condition[2]):
            continue
        environment = {key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda at: inputs[at[1]], text) for key, text in step["env"].items()}
        environment |= {name: str(path) for name, path in files.items()} | {"GITHUB_ACTION_PATH": str(ROOT / "action")}
        said += repository.run("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"], status=status, **environment)
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return said, outputs, files["GITHUB_STEP_SUMMARY"].read_text()


def test_the_action_is_of_the_form_that_github_takes() -> None:
    """Every input is used, every output comes from the step, no input is put into a script's text."""
    text = (ROOT / "action" / "action.yml").read_text()
    assert "composite" == ACTION["runs"]["using"]
    for name, data in ACTION["inputs"].items():
        assert data["description"] and f"inputs.{name}" in text
    for name, data in ACTION["outputs"].items():
        assert f"${{{{ steps.compat.outputs.{name} }}}}" == data["value"]
    for step in ACTION["runs"]["steps"]:
        assert "run" not in step or ("bash" == step["shell"] and "${{" not in step["run"])


def test_the_action_installs_its_own_devstate(repository: Repository) -> None:
    """The one beside it when nothing else is asked for; python is a double that writes down what it is called with."""
    double, called = repository.folder / "bin" / "python", repository.folder / "called"
    double.unlink()
    double.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(called))}\n')
    double.chmod(0o755)
    (step,) = [each for each in ACTION["runs"]["steps"] if "pip install" in each.get("run", "")]
    for given, installed in (("", f"{ROOT}[headers]"), ("devstate==0.1", "devstate==0.1")):
        repository.run("bash", "-c", step["run"], INSTALL=given, GITHUB_ACTION_PATH=str(ROOT / "action"))
        assert ["-m", "pip", "install", "--quiet", installed] == called.read_text().splitlines()


def test_the_action(repository: Repository) -> None:
    """Annotations, outputs, a summary and a SARIF file; the status is the verdict."""
    new = "include/linux/kho/abi"
    said, outputs, summary = act(repository, new=new, against=f"git:HEAD:{new}")
    assert {"verdict": "pass", "read-old": "OK", "read-new": "OK", "required-bump": "none", "sarif": "devstate.sarif"} == outputs
    assert "::notice title=devstate compat::" in said and "::notice title=devstate lint::" in said
    repository.change()
    said, outputs, summary = act(repository, 1, new=new, against=f"git:HEAD:{new}\n", sarif="out.sarif")
    assert ("fail", "MISREAD", "needed") == (outputs["verdict"], outputs["read-old"], outputs["required-bump"])
    assert "::error file=include/linux/kho/abi/demo.h,line=6,title=DS102 field-inserted::" in said
    assert summary.startswith("### devstate compat: read-old MISREAD")
    assert "2.1.0" == json.loads((repository.top / "out.sarif").read_text())["version"]
    repository.change("demo-v1", "demo-v2")
    _, outputs, _ = act(repository, new=new, against=f"git:HEAD:{new}", lint="false")
    assert ("pass", "REFUSED", "present") == (outputs["verdict"], outputs["read-old"], outputs["required-bump"])


def test_the_action_with_a_window_a_config_and_mistakes(repository: Repository) -> None:
    """A promise that is broken fails; a policy counts; a flaw that lint finds fails; wrong usage is status 2 without outputs."""
    (repository.top / "support.toml").write_text('[[pair]]\nold = "7.0"\nnew = "7.1"\nformats = ["memfd-*"]\n')
    assert "fail" == act(repository, 1, new="memfd-v2", window="support.toml", lint="false")[1]["verdict"]
    (repository.top / "policy.toml").write_text('[levels]\nDS303 = "allow"\nDS102 = "warn"\n')
    assert "pass" == act(repository, new="memfd-v2", window="support.toml", config="policy.toml")[1]["verdict"]
    repository.change("u64 count", "void *count")
    new = "include/linux/kho/abi/demo.h"
    assert "fail" == act(repository, 1, new=new, against=new)[1]["verdict"]
    assert {} == act(repository, 2, new="nothere", against="7.2")[1]
