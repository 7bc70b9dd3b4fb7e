# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sources on the command line: what was built has its own page size and byte order, headers take macros, manifests become C."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "source"))

from btfwriter import BtfWriter, elf

from devstate.__main__ import main

MEMFD = "memfd_luo_folio_ser"


def folio(order: str) -> bytes:
    """BTF of memfd's folio record."""
    made = BtfWriter(order)
    u64 = made.add(8, "u64", made.int("long long unsigned int", 8))
    made.struct(MEMFD, 16, [("pfn", u64, 52 << 24), ("flags", u64, 12 << 24 | 52), ("index", u64, 64)], kflag=1)
    return made.bytes()


def tree(page_size: int) -> bytes:
    """BTF of a kernel for pages of this size: a node of KHO's tree."""
    made = BtfWriter()
    u64 = made.add(8, "u64", made.int("long long unsigned int", 8))
    made.struct("kho_radix_node", page_size, [("table", made.array(u64, page_size // 8), 0)])
    return elf({".BTF": made.bytes(), ".rodata": b"Linux version 9.9.1 (x)\0kho-v4\0"})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_byte_order_of_what_was_built(tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str, swapped: bool) -> None:
    """Schemas are laid out for it, whichever side it is on; two byte orders are not compared, and that is said."""
    path = tmp_path / "it.btf"
    path.write_bytes(folio(order))
    words = ["memfd-v2", str(path)]
    old, new = words[::-1] if swapped else words
    assert 0 == main(["compat", new, "--against", old, "--type", MEMFD]), capsys.readouterr().out
    other = tmp_path / "other.btf"
    other.write_bytes(folio("<" if order == ">" else ">"))
    assert 3 == main(["compat", str(other), "--against", str(path), "--type", MEMFD])
    assert "no kernel reads both" in capsys.readouterr().out


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_the_page_size_of_a_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str], page_size: int) -> None:
    """Schemas are laid out for it; asking for another one is a mistake, and said."""
    path = tmp_path / "vmlinux"
    path.write_bytes(tree(page_size))
    assert 0 == main(["compat", str(path), "--against", "kho-v4"]), capsys.readouterr().out
    assert 0 == main(["compat", str(path), "--against", "kho-v4", "--page-size", str(page_size)])
    asked = 4096 if page_size != 4096 else 16384
    assert 2 == main(["compat", str(path), "--against", "kho-v4", "--page-size", str(asked)])
    assert f"was built for pages of {page_size} bytes, not {asked}" in capsys.readouterr().err


def test_macros_for_headers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--define and --include reach the compiler."""
    for name, packed in (("old", ""), ("new", " __mine")):
        (tmp_path / f"{name}.h").write_text(
            f"#include <linux/types.h>\n#include <more.h>\nstruct it {{ u8 a; u32 b; struct more m; }}{packed};\n", encoding="utf-8"
        )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "more.h").write_text("struct more { int x; };\n", encoding="utf-8")
    words = ["compat", str(tmp_path / "new.h"), "--against", str(tmp_path / "old.h")]
    assert 2 == main(words)
    assert "incomplete type 'struct more'" in capsys.readouterr().err
    words += ["--include", str(tmp_path / "more")]
    assert 2 == main(words)
    assert "--define __mine=..." in capsys.readouterr().err
    assert 1 == main([*words, "--define", "__mine=__packed"])
    assert "old.h" not in capsys.readouterr().err


def test_manifest_as_c(tmp_path: Path) -> None:
    """--c writes C."""
    path = tmp_path / "manifest.c"
    assert 0 == main(["manifest", "7.3", "--c", "-o", str(path)])
    assert '"kho-v4' in path.read_text(encoding="utf-8").replace('\\"', '"')
