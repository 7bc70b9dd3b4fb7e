# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated fuzz targets run, and see a reader or writer that is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import write
from devstate.gen.files import folder, generate_all
from devstate.testing.prover import SANITIZED, STRICT, layouts_of

ROOT = Path(__file__).resolve().parents[2]


def target(where: Path, name: str, *changes: tuple[str, str, str]) -> Path:
    """The fuzz target of a format, with (file, text, other text) changed in what it is made of; made-up inputs."""
    for file, text in generate_all(layouts_of(name)).items():
        for changed, old, new in changes:
            if changed == file:
                assert old in text
                text = text.replace(old, new)
        (where / file).write_text(text)
    stem = next(where.glob("*_fuzzer.c")).name.removesuffix("_fuzzer.c")
    sources = [f"{stem}_codec.c", f"{stem}_proof.c", f"{stem}_fuzzer.c", str(ROOT / "fuzz" / "c" / "standalone.c")]
    include = [f"-I{folder()}", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'fuzz' / 'c'}"]
    flags = ["-std=gnu11" if flag == "-std=c11" else flag for flag in (*STRICT, *SANITIZED)]
    subprocess.run(["gcc", *flags, *include, *sources, "-o", "fuzzer"], cwd=where, check=True)
    return where / "fuzzer"


def test_a_target_of_one_format(tmp_path: Path) -> None:
    """As a driver would build it; ten thousand inputs."""
    assert 0 == subprocess.run([target(tmp_path, "memfd-v2"), "-runs=10000"], check=False, stdout=subprocess.DEVNULL).returncode


def test_the_target_of_all_formats(tmp_path: Path) -> None:
    """What `make fuzz` builds, without a guide."""
    sys.path[:0] = [str(ROOT / "fuzz"), str(ROOT / "fuzz" / "c")]
    try:
        import generated
    finally:
        del sys.path[:2]
    for trees in (False, True):
        program = generated.build(tmp_path, "gcc", guided=False, trees=trees)
        assert 0 == subprocess.run([program, "-runs=4000"], check=False, stdout=subprocess.DEVNULL).returncode
    seeds = sorted((tmp_path / "corpus" / "generated_trees").iterdir())
    assert len(seeds) > 20
    assert 0 == subprocess.run([program, *seeds], check=False, stdout=subprocess.DEVNULL).returncode


def test_the_target_of_a_devicetree_sees_what_is_wrong(tmp_path: Path) -> None:
    """A reader that looks for the end of a name behind that of the blob."""
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    for file, text in generate_all(layouts_of("memblock-v1")).items():
        (tmp_path / file).write_text(text)
    bound = "u32 most = room < DEVSTATE_FDT_NAME_MAX + 1 ? room : DEVSTATE_FDT_NAME_MAX + 1;"
    for path in Path(folder()).glob("*.h"):
        text = path.read_text()
        assert path.name != "devstate_fdt.h" or bound in text
        (tmp_path / path.name).write_text(text.replace(bound, "u32 most = DEVSTATE_FDT_NAME_MAX + 1;"))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "sound").write_bytes(b"\0\xff" + bytes(write(Fdt(Node("", {"compatible": b"memblock-v1\0"})))))
    flags = ["-std=gnu11", "-O1", "-fsanitize=fuzzer,address,undefined", "-I."]
    subprocess.run([clang, *flags, "memblock_v1_codec.c", "memblock_v1_tree_fuzzer.c", "-o", "fuzzer"], cwd=tmp_path, check=True)
    command = [tmp_path / "fuzzer", "-runs=200000", "-seed=1", "corpus"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode and "heap-buffer-overflow" in done.stderr


def test_libfuzzer_takes_it(tmp_path: Path) -> None:
    """The file that is generated has the entry that libFuzzer wants."""
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    for file, text in generate_all(layouts_of("pstore-kho")).items():
        (tmp_path / file).write_text(text)
    sources = [f"pstore_kho_{part}.c" for part in ("codec", "proof", "fuzzer")]
    flags = ["-fsanitize=fuzzer,address,undefined", f"-I{folder()}"]
    subprocess.run([clang, "-std=c11", *flags, *sources, "-o", "fuzzer"], cwd=tmp_path, check=True)
    assert 0 == subprocess.run([tmp_path / "fuzzer", "-runs=3000"], check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("memfd_v2_codec.c", "bad |= (it->flags & 4092ULL) != 0;", "bad |= (it->flags & 4096ULL) != 0;"),
        ("memfd_v2_codec.c", "memcpy(to, it, sizeof(*it));", "memcpy(to, it, sizeof(*it) - 1);"),
    ],
)
def test_the_target_sees_what_is_wrong(tmp_path: Path, file: str, old: str, new: str) -> None:
    """An array that judges less than one record; a writer that forgets a byte."""
    program = target(tmp_path, "memfd-v2", (file, old, new))
    assert 0 != subprocess.run([program, "-runs=20000"], check=False, capture_output=True).returncode
