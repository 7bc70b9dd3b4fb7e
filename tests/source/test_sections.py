# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a build says of itself: the kernel's list of handler versions, and a manifest that was compiled in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from struct import pack

import pytest
from btfwriter import elf
from hypothesis import given
from hypothesis import strategies as st
from test_header_formats import kernel
from test_opening import build, memfd

from devstate.cli.builds import open_manifest
from devstate.compat.manifest import Manifest, from_dict, release_manifest, to_dict
from devstate.compat.manifest_c import to_c
from devstate.compat.predict import Verdict, predict
from devstate.errors import DecodeError
from devstate.frozen import replace
from devstate.layout.registry import Registry
from devstate.source import sections

REGISTRY = Registry.shipped()


def versions(*texts: str, magic: int = 0x4C565550, version: int = 1, order: str = "<") -> bytes:
    """The section as the RFC draws it."""
    return pack(f"{order}II", magic, version) + b"".join(text.encode().ljust(48, b"\0") for text in texts)


@pytest.mark.parametrize("order", ["<", ">"])
def test_handler_versions(order: str) -> None:
    """In both byte orders; a file without the section lists nothing, which is not the same as an empty list."""
    data = elf({".liveupdate_versions": versions("memfd-v2", "vfio-pci-v1", order=order)}, order=order)
    assert ("memfd-v2", "vfio-pci-v1") == sections.handler_versions(memoryview(data), "x")
    assert () == sections.handler_versions(memoryview(elf({".liveupdate_versions": versions()})), "x")
    assert None is sections.handler_versions(memoryview(elf({".other": b""})), "x")


@pytest.mark.parametrize(
    "content",
    [b"", versions("a")[:-1], versions("a", magic=1), versions("a", version=2), versions() + b"x" * 48],
    ids=["empty", "cut", "magic", "version", "no end"],
)
def test_malformed_versions(content: bytes) -> None:
    """Never half a list."""
    with pytest.raises(DecodeError):
        sections.handler_versions(memoryview(elf({".liveupdate_versions": content})), "x")


def test_limit_of_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit, and one above it."""
    data = memoryview(elf({".liveupdate_versions": versions("a", "b")}))
    monkeypatch.setattr(sections, "VERSIONS_MAX", 2)
    assert ("a", "b") == sections.handler_versions(data, "x")
    monkeypatch.setattr(sections, "VERSIONS_MAX", 1)
    with pytest.raises(DecodeError, match="at most 1"):
        sections.handler_versions(data, "x")


def test_a_build_that_lists_its_handlers(tmp_path: Path) -> None:
    """What it does not list it does not read; what nobody knows is there, and said."""
    path = tmp_path / "vmlinux"
    data = elf(
        {
            ".BTF": memfd().bytes(), ".rodata": b"Linux version 9.9.1 (x)\0memfd-v2\0",
            ".liveupdate_versions": versions("vfio-pci-v9", "iommufd-v1"),
        }
    )  # fmt: skip
    path.write_bytes(data)
    made = open_manifest(str(path), REGISTRY)
    files = {each.compatible for each in made.formats if each.place == "luo_file_ser.data"}
    assert {"vfio-pci-v9", "iommufd-v1"} == files
    assert any("vfio-pci-v9" in each for each in made.missing)


def test_a_build_of_tomorrow(tmp_path: Path) -> None:
    """A format that no schema stands for carries its layout, through JSON too; a jump is judged by comparing."""
    found = []
    for name, writer in (("old", memfd()), ("new", memfd(more=True))):
        path = tmp_path / name
        path.write_bytes(build(b"memfd-v2\0", writer))
        found.append(open_manifest(str(path), REGISTRY))
    old, new = found
    assert ([], [56]) == (
        [layout.struct().size for each in old.formats for _, layout in each.layouts],
        [layout.struct().size for each in new.formats for _, layout in each.layouts],
    )
    assert new == from_dict(to_dict(new), "x")
    there, back = predict(old, new, REGISTRY), predict(new, old, REGISTRY)
    assert [("SHORT", "compared")] == [(str(each.outcome), each.reasons[0][0]) for each in there.components]
    assert [Verdict.OK] == [each.verdict for each in back.components]


def test_a_manifest_of_headers(tmp_path: Path) -> None:
    """A kernel tree by its headers is what the schemas say of that release."""
    made = open_manifest(str(kernel(tmp_path / "linux")), REGISTRY)
    known = {each.name: each for each in release_manifest(REGISTRY, "7.3").formats}
    assert {"kho-v4", "luo-v5", "memfd-v2", "memblock-v1", "kexec-metadata"} == {each.name for each in made.formats}
    assert all(each == known[each.name] for each in made.formats)
    assert () == made.missing


def compiled(folder: Path, text: str, *flags: str) -> Path:
    """A manifest in an object file."""
    (folder / "manifest.c").write_text(text, encoding="utf-8")
    made = folder / "manifest.o"
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-std=c99", *flags, "-c", str(folder / "manifest.c"), "-o", str(made)]
    subprocess.run(command, check=True)
    return made


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_c_and_back(tmp_path: Path) -> None:
    """Compiled, the manifest is read back as it was, whatever its texts are; handlers stand in the kernel's section as well."""
    plain = release_manifest(REGISTRY, "7.3")
    for manifest in (plain, replace(plain, name='odd "*/ \\ ??/ \n\u00e9', missing=("a ?? b",)), Manifest("empty", None, "x", ())):
        made = compiled(tmp_path, to_c(manifest))
        assert manifest == open_manifest(str(made), REGISTRY)
        listed = sections.handler_versions(memoryview(made.read_bytes()), "x")
        assert (("memfd-v2",) if manifest.formats else None) == listed
    made = compiled(tmp_path, to_c(plain), "-DDEVSTATE_NO_LIVEUPDATE_VERSIONS")
    assert None is sections.handler_versions(memoryview(made.read_bytes()), "x")


@given(flips=st.integers(0, 8 * 200))
def test_a_damaged_manifest(flips: int) -> None:
    """Every flipped bit is found."""
    import crc32c

    payload = b'{"manifest": 1, "name": "x", "release": null, "origin": "y", "missing": [], "formats": []}'
    section = bytearray(pack("<4I", 0x44565354, 1, len(payload), crc32c.crc32c(payload)) + payload)
    assert payload == sections.manifest_bytes(memoryview(elf({".devstate_manifest": bytes(section)})), "x")
    at = flips % (8 * len(section))
    section[at // 8] ^= 1 << at % 8
    with pytest.raises(DecodeError):
        sections.manifest_bytes(memoryview(elf({".devstate_manifest": bytes(section)})), "x")


def test_every_prefix_of_a_manifest() -> None:
    """Cut short, it is refused."""
    section = pack("<4I", 0x44565354, 1, 2, 0) + b"{}"
    for end in range(len(section)):
        with pytest.raises(DecodeError):
            sections.manifest_bytes(memoryview(elf({".devstate_manifest": section[:end]})), "x")
