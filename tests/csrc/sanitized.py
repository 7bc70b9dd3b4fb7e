# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Python with the C core under AddressSanitizer and UBSan, beside the core that is installed.

``python -m tests.csrc.sanitized`` runs every rehearsal that ships, with all of its processes; with arguments, Python with these, such as
``-m pytest tests/pagetable``. Exit status 1 when a sanitizer has reported anything, in whatever process, or what was run failed.

A folder holds all that is needed. Processes get it by their environment, and so do those that they start or become::

    _core.abi3.so        the core; the interpreter preloads libasan
    sitecustomize.py     imports devstate._core from here, whatever else is there
    report.*             what AddressSanitizer said, a file for each process; UBSan says it on the error stream

A process that is reported ends at once, with status 99.

Leaks are not looked for: the core allocates nothing, and an interpreter frees little when it ends.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

from devstate.cli.rehearse import open_scenario, shipped
from devstate.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
# It imports next to nothing: some tests look at what is imported at the start.
CUSTOMIZE = """import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec


class Sanitized:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, ExtensionFileLoader(name, CORE), origin=CORE) if name == "devstate._core" else None


sys.meta_path.insert(0, Sanitized)
"""


def module_of(path: Path) -> ModuleType:
    """A Python file that is in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = module_of(ROOT / "fuzz" / "c" / "run.py")


def build(folder: Path, compiler: str, core: list[str]) -> None:
    """The extension module from the object files of the core (``fuzz/c/run.py``), and what makes an interpreter import it."""
    source, module = folder / "_core.c", folder / "_core.abi3.so"
    module_of(ROOT / "csrc" / "build_core.py").make_builder().emit_c_code(str(source))
    include = [f"-I{ROOT / 'csrc'}", f"-I{sysconfig.get_path('include')}", "-DPy_LIMITED_API=0x030b0000"]
    flags = ["-shared", "-fPIC", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([compiler, *flags, *include, str(source), *core, "-o", str(module)], check=True)
    (folder / "sitecustomize.py").write_text(f"CORE = {str(module)!r}\n{CUSTOMIZE}")


def environment(folder: Path, compiler: str) -> dict[str, str]:
    """The environment of processes that use the core in ``folder``: small objects are allocated one by one, so that their ends are seen."""
    preload = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    options = f"log_path={folder / 'report'}:halt_on_error=1:exitcode=99"
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ, "LD_PRELOAD": preload, "ASAN_OPTIONS": f"detect_leaks=0:{options}", "UBSAN_OPTIONS": f"print_stacktrace=1:{options}",
        "PYTHONPATH": os.pathsep.join(paths), "PYTHONMALLOC": "malloc",
    }  # fmt: skip


def reports(folder: Path) -> str:
    """All that AddressSanitizer said."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("report.*")))


def rehearsals() -> list[list[str]]:
    """Arguments that run each of the shipped scenarios, but for those that need what this host does not have."""
    found = []
    for name in shipped():
        try:
            open_scenario(name)
        except UsageError as error:
            print(f"{name}: {error}", file=sys.stderr)
        else:
            found.append(["-m", "devstate", "rehearse", name])
    return found


def main(arguments: list[str]) -> int:
    """Build the core, run Python, say what was seen."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        build(folder, "gcc", RUNNER.compile_core(folder, "gcc"))
        failed = 0
        for each in [arguments] if arguments else rehearsals():
            failed |= subprocess.run([sys.executable, *each], env=environment(folder, "gcc")).returncode
        said = reports(folder)
    print(said or "no report of a sanitizer", file=sys.stderr)
    return int(bool(failed or said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
