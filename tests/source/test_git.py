# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""git:REF[:PATH]: files of a commit as they stood, with the places in the repository; plain words for what git does not have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_header_formats import kernel

from devstate.errors import HeaderError, UsageError
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.source import git
from devstate.source.opening import open_layouts

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")

REGISTRY = Registry.shipped()
MEMFD = "include/linux/kho/abi/memfd.h"


def run(folder: Path, *arguments: str) -> None:
    """A git command."""
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernel tree with two commits: the second one has another memfd struct, and a header that does not compile."""
    folder = tmp_path_factory.mktemp("kernel")
    kernel(folder)
    (folder / "plain").mkdir()
    (folder / "plain" / "one.h").write_text('#include "two.h"\nstruct one { struct two t; };\n', encoding="utf-8")
    (folder / "plain" / "two.h").write_text("#pragma once\nstruct two { int x; };\n", encoding="utf-8")
    run(folder, "init", "-q")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "one")
    run(folder, "tag", "first")
    path = folder / MEMFD
    path.write_text(path.read_text(encoding="utf-8").replace("u64 nr_folios;", "u64 nr_folios; u64 extra;"), encoding="utf-8")
    (folder / "plain" / "bad.h").write_text("struct bad { nothing_t x; };\n", encoding="utf-8")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "two")
    path.write_text("not committed", encoding="utf-8")
    return folder


@pytest.fixture
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, as the current directory."""
    monkeypatch.chdir(repository)
    return repository


def opened(word: str) -> Declared:
    """What a source declares."""
    return open_layouts(word, Environment(), registry=REGISTRY)


def size(found: Declared, struct: str) -> int:
    """The size of a struct."""
    return next(each.size for layout in found.formats for each in layout.structs if each.name == struct)


def test_a_kernel_of_a_commit(inside: Path) -> None:
    """Without a path: the handover headers, and what they include from elsewhere. The working tree does not matter."""
    assert (48, 56) == tuple(size(opened(f"git:{ref}"), "memfd_luo_ser") for ref in ("first", "HEAD"))
    found = opened("git:first")
    assert ("headers", "git:first") == (found.kind, found.origin)
    place = found.place("memfd_luo_ser.seals")
    assert place is not None and MEMFD == place.source
    assert all(layout.source.startswith("include/") for layout in found.formats)


@pytest.mark.parametrize("path", [MEMFD, "include/linux/kho", "include/linux/kho/abi"])
def test_paths(inside: Path, path: str) -> None:
    """A file or a directory, from the top."""
    assert 48 == size(opened(f"git:first:{path}"), "memfd_luo_ser")


def test_paths_from_where_one_stands(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the current directory, and absolute ones that name the repository too."""
    monkeypatch.chdir(inside / "include" / "linux")
    assert 48 == size(opened("git:first:kho/abi/memfd.h"), "memfd_luo_ser")
    monkeypatch.chdir("/")
    assert 48 == size(opened(f"git:first:{inside / MEMFD}"), "memfd_luo_ser")


def test_what_stands_beside_a_file(inside: Path) -> None:
    """An include of a sibling finds it in the same commit."""
    assert 4 == size(opened("git:first:plain/one.h"), "one")


def test_other_sources(inside: Path) -> None:
    """Baselines of a commit."""
    (inside / "base").mkdir(exist_ok=True)
    shutil.copy(Path(__file__).resolve().parents[2] / "schemas" / "baselines" / "memfd-v2.json", inside / "base")
    run(inside, "add", "base")
    run(inside, "commit", "-q", "-m", "base")
    found = opened("git:HEAD:base")
    assert ("baselines", ["memfd-v2"]) == (found.kind, [each.name for each in found.formats])
    place = found.place("memfd-v2")
    assert place is not None and "base/memfd-v2.json" == place.source


def test_errors_have_places_in_the_repository(inside: Path) -> None:
    """Not in the directory where the files were put."""
    with pytest.raises(HeaderError) as caught:
        opened("git:HEAD:plain/bad.h")
    assert str(caught.value).startswith("plain/bad.h:1:14: unknown type name")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("git:", "expected git:REF"),
        ("git:--help", "expected git:REF"),
        ("git:nope", "'nope' is no commit"),
        ("git:first:nope", "there is no nope in first"),
        ("git:first:../..", "there is no ../.. in first"),
        ("git:first:/", "in no git repository|there is no"),
    ],
)
def test_what_git_does_not_have(inside: Path, word: str, said: str) -> None:
    """Plain words."""
    with pytest.raises(UsageError, match=said):
        opened(word)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said, and so is the lack of git."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="in no git repository"):
        opened("git:HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no git to read it with"):
        opened("git:HEAD")


def test_no_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit of something else needs a path."""
    run(tmp_path, "init", "-q")
    (tmp_path / "x.h").write_text("struct x { int a; };", encoding="utf-8")
    run(tmp_path, "add", "-A")
    run(tmp_path, "commit", "-q", "-m", "x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="name what to read: git:HEAD:PATH"):
        opened("git:HEAD")
    assert 4 == size(opened("git:HEAD:."), "x")


def test_a_shallow_clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing there may be fetched: that is said."""
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repository}", str(tmp_path / "clone")], check=True, capture_output=True)
    monkeypatch.chdir(tmp_path / "clone")
    with pytest.raises(UsageError, match="shallow clone"):
        opened("git:first")


def test_limits(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of files it is read, one above it is not."""
    monkeypatch.setattr(git, "FILES_MAX", 7)
    assert 48 == size(opened("git:first"), "memfd_luo_ser")
    monkeypatch.setattr(git, "FILES_MAX", 6)
    with pytest.raises(UsageError, match="more than 6 files"):
        opened("git:first")
