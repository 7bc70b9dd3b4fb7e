# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C is kernel code: it compiles with a kernel's own headers and flags, where such headers are installed.

Debian's ``linux-headers-VERSION-common`` and ``-ARCH`` under /usr/src, or under the directory in DEVSTATE_KERNEL_HEADERS.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devstate.gen.files import folder
from devstate.layout.registry import Registry
from devstate.testing.prover import layouts_of, write_all

FLAGS = [
    "-std=gnu11", "-O2", "-Wall", "-Wundef", "-Werror", "-fno-strict-aliasing", "-fno-common", "-fshort-wchar", "-fno-PIE",
    "-mcmodel=kernel", "-fcf-protection=branch",
    "-mno-sse", "-mno-mmx", "-mno-sse2", "-mno-red-zone", "-fno-stack-protector", "-Wframe-larger-than=1024", "-Wvla", "-D__KERNEL__",
    "-DMODULE",
    "-nostdinc", "-c",
]  # fmt: skip


def headers() -> tuple[Path, Path] | None:
    """The common headers of a kernel and those of its x86-64 build."""
    base = Path(os.environ.get("DEVSTATE_KERNEL_HEADERS", "/usr/src"))
    for common in sorted(base.glob("linux-headers-*-common"), reverse=True):
        built = base / f"{common.name.removesuffix('-common')}-amd64"
        if built.is_dir():
            return common, built
    return None


def test_as_kernel_code(tmp_path: Path) -> None:
    """Every codec, with the warnings of a kernel build; it needs nothing that a kernel does not have."""
    found = headers()
    if found is None:
        pytest.skip("no kernel headers (linux-headers-*-common and -amd64) under /usr/src or DEVSTATE_KERNEL_HEADERS")
    common, built = found
    arch = "arch/x86/include"
    parts = (arch, f"{arch}/generated", "include", f"{arch}/uapi", f"{arch}/generated/uapi", "include/uapi", "include/generated/uapi")
    include = [f"-I{base / part}" for part in parts for base in (common, built) if (base / part).is_dir()]
    forced = [f"-include{common / 'include' / 'linux' / name}" for name in ("compiler-version.h", "kconfig.h", "compiler_types.h")]
    write_all(tmp_path, [layouts_of(name) for name in Registry.shipped().summaries])
    includes = [line for line in (tmp_path / "all.c").read_text().splitlines() if "proof" not in line]
    (tmp_path / "kernel.c").write_text("\n".join(includes) + "\n")
    command = ["gcc", *FLAGS, *include, *forced, f"-I{folder()}", "kernel.c", "-o", "kernel.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "" == done.stderr
    undefined = subprocess.run(["nm", "-u", "kernel.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert set(undefined) <= {"U", "memcpy", "memset", "memcmp", "memchr", "strlen", "strcmp", "__fentry__", "__x86_return_thunk"}
