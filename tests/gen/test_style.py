# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated C as kernel people read it: it compiles in both compilers without a word, and keeps the rules that checkpatch holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from devstate.gen.files import SUPPORT, generate, generate_all, support
from devstate.layout.compiling import add_user_schemas
from devstate.layout.registry import Registry
from devstate.testing.prover import compile_c, layouts_of, write_all

GOLDEN = Path(__file__).parents[1] / "golden" / "gen"
C_FILES = [path for path in sorted(GOLDEN.glob("*.[ch]")) if not path.name.endswith("_fuzzer.c")]
COLUMNS = 100

FAULTS = {
    "blanks at the end of a line": r"[ \t]$",
    "blanks before a tab": r" \t",
    "indented with blanks": r"^ {8}",
    "a // comment": r"^(?!// SPDX-License-Identifier: ).*(?<!:)//",
    "no blank behind a keyword": r"\b(if|for|while|switch)\(",
    "blank behind a function's name": r"\b(sizeof|offsetof|memcpy|memset|memchr) \(",
    "blank inside of parentheses": r"\( |(?<=\S) \)",
    "brace of a function on its line": r"^(static )?(int|void|u64) \w+\(.*\) \{$",
    "a pointer whose star is not at its name": r"\b(struct \w+|u8|u64|void|char)\* ",
    "assignment in a condition": r"if \([^=!<>]*[^=!<>]=[^=]",
    "volatile": r"\bvolatile\b",
    "a type that the kernel does not use": r"\b(uint(8|16|32|64)_t|unsigned long)\b",
    "two statements on a line": r"^(?!.*\bfor \().*;[ \t]*[a-z]\w*.*;$",
}
"""What is wrong with a line that matches."""


def faults(text: str) -> list[str]:
    """Every rule that a C file breaks, with the line."""
    found = []
    lines = text.split("\n")
    if lines[-1] or not lines[-2]:
        found.append("ends in one newline")
    if not re.match(r"(// SPDX-License-Identifier: .*|/\* SPDX-License-Identifier: .* \*/)$", lines[0]):
        found.append("first line says the licence")
    inside = False
    for number, line in enumerate(lines, 1):
        inside = inside or line.lstrip().startswith("/*")
        rules = {name: pattern for name, pattern in FAULTS.items() if not inside or "line" in name}
        found += [f"{number}: {name}" for name, pattern in rules.items() if re.search(pattern, line)]
        if len(line.expandtabs(8)) > COLUMNS:
            found.append(f"{number}: {len(line.expandtabs(8))} columns")
        if number > 1 and not line and not lines[number - 2]:
            found.append(f"{number}: two empty lines")
        inside = inside and "*/" not in line
    return found


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_style(path: Path) -> None:
    """The rules, in every golden file; uapi names, which say everything twice, may be longer."""
    assert [] == faults(path.read_text())


@pytest.mark.parametrize("name", ["devstate.h", "devstate_map.h", "devstate_fdt.h"])
def test_style_of_the_shim(name: str) -> None:
    """It would go into the kernel with them. What stands behind #else is for user space."""
    text = Path(support(name)).read_text()
    start, end = (text.index("#else\n"), text.index("#endif /* __KERNEL__ */")) if name == "devstate.h" else (0, 0)
    assert [] == faults(text[:start] + text[end:])


@pytest.mark.parametrize("compiler", ["gcc", "clang-14", "clang"])
def test_frames_are_small(compiler: str, tmp_path: Path) -> None:
    """Codecs of every kind, as a kernel is built: no frame above 1024 bytes, no array of variable length, no allocator."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    codecs = []
    for name in ("kho-v1", "kho-v4", "kho-xarray", "luo-v1", "luo-v5", "memfd-v1@fdt", "memblock-v1", "devstate-v1", "iommu-liveupdate"):
        for kind in ("c-header", "c-codec-header", "c-codec"):
            file, text = generate(kind, layouts_of(name))
            (tmp_path / file).write_text(text)
            codecs += [file] if file.endswith(".c") else []
    flags = ("-c", "-O2", "-fno-builtin-malloc", "-Wvla", "-Wframe-larger-than=1024")
    assert "" == compile_c(tmp_path, *flags, *codecs, compiler=compiler)
    assert not [path.name for path in tmp_path.glob("*.[ch]") if re.search(r"\b(k?[mcz]alloc|alloca|free)\(", path.read_text())]


PLANTED = ["\tif(x)\n", "\treturn 0; \n", "        return 0;\n", "int f(void) {\n", "\tx = 1; // y\n", "\tu8* x;\n", "\ta = 1; b = 2;\n"]


@pytest.mark.parametrize("planted", PLANTED)
def test_the_rules_see(planted: str) -> None:
    """A planted fault is called."""
    assert faults("// SPDX-License-Identifier: x\n" + planted)


def test_golden_files_are_of_the_shipped_formats() -> None:
    """What tools/golden.py --check holds: a changed generator shows in review."""
    for name in ("memfd-v2", "luo-v5", "kho-v4"):
        for file, text in generate_all(layouts_of(name)).items():
            assert (GOLDEN / file).read_text() == text


@pytest.mark.parametrize("compiler", ["gcc", "clang-14", "clang"])
@pytest.mark.parametrize("page_size", [4096, 65536])
def test_both_compilers_have_nothing_to_say(compiler: str, page_size: int, tmp_path: Path) -> None:
    """-Wall -Wextra -Werror, C11, every format, every assertion of a size and an offset; small and large pages."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    write_all(tmp_path, [layouts_of(name) for name in Registry.shipped().summaries])
    assert "" == compile_c(tmp_path, "-fsyntax-only", f"-DPAGE_SIZE={page_size}", "all.c", compiler=compiler)


def test_each_file_stands_alone(tmp_path: Path) -> None:
    """A header needs nothing before it, a codec only its header; another page size is refused at compile time."""
    for name, text in generate_all(layouts_of("memfd-v2")).items():
        (tmp_path / name).write_text(text)
    for name in ("memfd_v2.h", "memfd_v2_codec.h", "memfd_v2_codec.c", "memfd_v2_proof.c", "memfd_v2_fuzzer.c"):
        assert "" == compile_c(tmp_path, "-fsyntax-only", *(("-Wno-unused",) if name.endswith(".h") else ()), "-x", "c", name)
    assert "no layout for this page size" in compile_c(tmp_path, "-fsyntax-only", "-DPAGE_SIZE=8192", "memfd_v2_codec.c")


def test_the_shim_is_shipped() -> None:
    """What generated C includes is in the package."""
    assert all(Path(support(name)).is_file() for name in SUPPORT)


def test_two_versions_in_one_file(tmp_path: Path) -> None:
    """A driver reads the old version and writes the new one: both headers go into one file, and a struct that differs is called."""
    registry = Registry()
    add_user_schemas(registry, str(Path(__file__).parents[2] / "examples" / "drivers"))
    drivers = [layouts_of(name, registry) for name in registry.summaries if "settings" not in name]
    for layouts in (layouts_of("memfd-v1"), layouts_of("memfd-v2"), *drivers):
        for file, text in generate_all(layouts).items():
            (tmp_path / file).write_text(text)
    for old, new in (("memfd_v1", "memfd_v2"), ("example_network_v1", "example_network_v2")):
        (tmp_path / "both.c").write_text(f'#include "{old}_codec.h"\n#include "{new}_codec.h"\n')
        assert "static assertion failed" in compile_c(tmp_path, "-fsyntax-only", "both.c")  # one name, two structs: the root
        root = "memfd_luo_ser" if old == "memfd_v1" else "example_network_state"
        renamed = f'#define {root} old_{root}\n#include "{old}_codec.h"\n#undef {root}\n#undef {root.upper()}_DECLARED\n'
        (tmp_path / "both.c").write_text(f'{renamed}#include "{new}_codec.h"\n')
        assert "" == compile_c(tmp_path, "-fsyntax-only", "both.c")
