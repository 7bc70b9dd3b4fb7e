# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``git:REF[:PATH]``: the files of a commit, read with ``git ls-tree`` and ``git cat-file``. No clone, no checkout, no filters, no network.

PATH counts from the top of the repository, or from where the user stands; without one REF must be a kernel tree, of which the handover
formats' headers are read. An absolute PATH names the repository as well. What else the headers of a kernel need is taken from the same
commit: the other handover headers, and those of ``include/uapi`` that they include.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import contextmanager

from devstate.errors import UsageError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "git:"
ABI = "include/linux/kho/abi"
BESIDE = (ABI, "include/uapi/linux/liveupdate.h", "include/uapi/linux/types.h")
"""What headers of a kernel may include from elsewhere in the tree."""

FILES_MAX = 8192
"""Files that are taken out of a commit: all of a kernel's include/uapi is 1,100."""

BYTES_MAX = 256 << 20
"""Bytes of these files together."""

SECONDS_MAX = 60
"""For one call of git: a packed kernel answers in a tenth of a second."""

REGULAR = ("100644", "100755")


@frozen
class Blob:
    """One file of a commit."""

    path: str
    oid: str
    size: int


@contextmanager
def checked_out(text: str) -> Iterator[tuple[str, str, str]]:
    """(folder, path in it, PATH) with the files of ``git:REF[:PATH]`` in a directory that goes when the context ends.

    UsageError, in plain words, for what git does not have.
    """
    import tempfile

    ref, _, path = text.removeprefix(PREFIX).partition(":")
    if not ref or ref.startswith("-"):
        raise UsageError(f"{text}: expected git:REF or git:REF:PATH")
    where = os.getcwd()
    if os.path.isabs(path):
        where = path if os.path.isdir(path) else os.path.dirname(path)
        while not os.path.isdir(where):
            where = os.path.dirname(where)
    git = Git(where, text)
    git.require(ref)
    path = git.find(ref, path)
    with tempfile.TemporaryDirectory(prefix="devstate-git-") as folder:
        git.write(git.blobs(ref, path), folder)
        yield folder, os.path.join(folder, *path.split("/")), path


class Git:
    """The repository that holds ``where``; ``text`` is what the user asked for, for messages."""

    def __init__(self, where: str, text: str) -> None:
        self.text, self.where = text, where
        self.top = where
        self.top = self.run("rev-parse", "--show-toplevel").decode().strip() or where

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """What a git command prints. UsageError when there is no git, no repository, or the command fails."""
        code, output, said = self.call(*arguments, given=given)
        if code:
            if "not a git repository" in said:
                raise UsageError(f"{self.text}: {self.where} is in no git repository")
            raise UsageError(f"{self.text}: git {arguments[0]} failed: {said[:300] or code}")
        return output

    def call(self, *arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
        """Exit status, output and message of a git command."""
        import subprocess

        environment = os.environ | {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            done = subprocess.run(
                ["git", "-C", self.top, *arguments], input=given, capture_output=True, timeout=SECONDS_MAX, check=False, env=environment
            )
        except FileNotFoundError as error:
            raise UsageError(f"{self.text}: there is no git to read it with") from error
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"{self.text}: git {arguments[0]} took more than {SECONDS_MAX} s") from error
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()

    def require(self, ref: str) -> None:
        """UsageError when there is no such commit here."""
        if not self.call("rev-parse", "--verify", "--quiet", f"{ref}^{{tree}}")[0]:
            return
        shallow = self.run("rev-parse", "--is-shallow-repository").strip() == b"true"
        why = "; this is a shallow clone: `git fetch --depth=1 origin REF` brings one commit more" if shallow else ""
        raise UsageError(f"{self.text}: {ref!r} is no commit that this repository has{why}")

    def find(self, ref: str, path: str) -> str:
        """The path from the top of the repository. UsageError when the commit has no such file or directory."""
        if not path:
            if self.exists(ref, ABI):
                return ABI
            raise UsageError(f"{self.text}: {ref} is no kernel with {ABI}; name what to read: git:{ref}:PATH")
        if os.path.isabs(path):
            tries = [os.path.relpath(os.path.realpath(path), os.path.realpath(self.top))]
        else:
            here = os.path.relpath(os.path.realpath(self.where), os.path.realpath(self.top))
            tries = [path, posixpath.join(here, path)]
        for each in tries:
            clean = posixpath.normpath(each)
            if not clean.startswith("..") and self.exists(ref, clean):
                return clean
        raise UsageError(f"{self.text}: there is no {path} in {ref}")

    def exists(self, ref: str, path: str) -> bool:
        return path == "." or not self.call("cat-file", "-e", f"{ref}:{path}")[0]

    def blobs(self, ref: str, path: str) -> list[Blob]:
        """The files to take out: what was named, what stands beside a file, what headers of a kernel include. UsageError for too many."""
        kind = "tree" if path == "." else self.run("cat-file", "-t", f"{ref}:{path}").decode().strip()
        wanted = [path] if kind == "tree" else [posixpath.dirname(path) or "."]
        found = self.listed(ref, wanted[0], recursive=kind == "tree")
        if "include/" in f"{path}/":
            top = path[: path.find("include/")] if not path.startswith("include/") else ""
            for each in BESIDE:
                found += self.listed(ref, top + each, recursive=True)
        found = list({blob.path: blob for blob in found}.values())
        if len(found) > FILES_MAX or sum(blob.size for blob in found) > BYTES_MAX:
            raise UsageError(f"{self.text}: more than {FILES_MAX} files or {BYTES_MAX} bytes; name a directory below it")
        return found

    def listed(self, ref: str, path: str, *, recursive: bool) -> list[Blob]:
        """The regular files below a path, or in it; the file that it is. Links and submodules are left out."""
        options = ["-z", "-l", "--full-tree", *(["-r"] if recursive else [])]
        what = [] if path == "." else [path if recursive else f"{path}/"]
        code, output, _ = self.call("ls-tree", *options, ref, "--", *what)
        blobs = []
        for line in output.split(b"\0") if not code else []:
            about, _, name = line.decode("utf-8", "surrogateescape").partition("\t")
            parts = about.split()
            if len(parts) == 4 and parts[0] in REGULAR and parts[1] == "blob":
                blobs.append(Blob(name, parts[2], int(parts[3])))
        return blobs

    def write(self, blobs: list[Blob], folder: str) -> None:
        """Write the files. UsageError for one that a partial clone does not have."""
        output = self.run("cat-file", "--batch", given="".join(f"{blob.oid}\n" for blob in blobs).encode())
        at = 0
        for blob in blobs:
            end = output.find(b"\n", at)
            about = output[at:end].split()
            if end < 0 or len(about) != 3 or int(about[2]) != blob.size:
                raise UsageError(f"{self.text}: the content of {blob.path} is not here; a partial clone must fetch it first")
            place = os.path.join(folder, *blob.path.split("/"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(output[end + 1 : end + 1 + blob.size])
            at = end + 2 + blob.size
