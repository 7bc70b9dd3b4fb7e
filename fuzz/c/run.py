# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Builds the fuzz targets of the C core under ASan and UBSan, and runs each: ``python fuzz/c/run.py [--seconds N] [TARGET...]``.

With clang they are libFuzzer targets, guided by coverage, with a corpus that stays in build/fuzz/corpus/TARGET. With gcc alone they run
on inputs made up by standalone.c, from another seed each second. Exit status 1 when a property does not hold.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu11", "-O1", "-g", "-fPIC", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"]


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(path.name.removesuffix("_fuzzer.c") for path in (ROOT / "fuzz" / "c").glob("*_fuzzer.c"))


def compile_core(out: Path, compiler: str, *flags: str, guided: bool = False) -> list[str]:
    """The object files of csrc, in ``out``, under sanitizers; ``guided``: with what libFuzzer wants to know."""
    return compile_sources(out, compiler, sorted((ROOT / "csrc").glob("*.c")), *flags, guided=guided)


def compile_sources(out: Path, compiler: str, sources: list[Path], *flags: str, guided: bool = False) -> list[str]:
    """The object files of some sources, as those of the core."""
    out.mkdir(parents=True, exist_ok=True)
    sanitize = "-fsanitize=fuzzer-no-link,address,undefined" if guided else "-fsanitize=address,undefined"
    subprocess.run([compiler, *FLAGS, sanitize, *flags, "-c", *map(str, sources)], check=True, cwd=out)
    return [str(out / f"{source.stem}.o") for source in sources]


def compile_program(program: Path, compiler: str, sources: list[Path], core: list[str], *, guided: bool = False) -> None:
    """A program from sources of its own and the core; ``guided``: libFuzzer is its main()."""
    sanitize = "-fsanitize=fuzzer,address,undefined" if guided else "-fsanitize=address,undefined"
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'fuzz' / 'c'}"]
    subprocess.run([compiler, *FLAGS, sanitize, *include, *map(str, sources), *core, "-o", str(program)], check=True)


def compile_target(name: str, out: Path, compiler: str, core: list[str], *, guided: bool = False) -> Path:
    """The target as a program in ``out``: with libFuzzer if ``guided``, else with standalone.c."""
    sources = [ROOT / "fuzz" / "c" / f"{name}_fuzzer.c", *([] if guided else [ROOT / "fuzz" / "c" / "standalone.c"])]
    compile_program(out / name, compiler, sources, core, guided=guided)
    return out / name


def run_guided(program: Path, seconds: int) -> int:
    """libFuzzer for ``seconds``."""
    corpus = ROOT / "build" / "fuzz" / "corpus" / program.name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-print_final_stats=0", "-verbosity=1", f"-artifact_prefix={program.parent}/"]
    result = subprocess.run([str(program), *options, str(corpus)], stderr=subprocess.PIPE, text=True)
    lines = result.stderr.splitlines()
    print(f"{program.name}: {lines[-1] if lines else 'nothing said'}", flush=True)
    if result.returncode:
        print(result.stderr[-4000:], file=sys.stderr)
    return result.returncode


def run_made_up(program: Path, seconds: int) -> int:
    """The standalone program with one seed after the other for ``seconds``."""
    end, seed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        seed += 1
        if subprocess.run([str(program), f"-seed={seed}", "-runs=2000"], stdout=subprocess.DEVNULL).returncode:
            print(f"{program.name}: fails with -seed={seed} -runs=2000", file=sys.stderr)
            return 1
    print(f"{program.name}: {2000 * seed} inputs", flush=True)
    return 0


def main() -> int:
    """Build and run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long each target runs")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(targets())}")
    options = parser.parse_args()
    clang = shutil.which("clang-14") or shutil.which("clang")
    out, compiler, guided = ROOT / "build" / "fuzz", clang or "gcc", clang is not None
    core = compile_core(out, compiler, guided=guided)
    failed = 0
    for name in options.targets or targets():
        program = compile_target(name, out, compiler, core, guided=guided)
        failed |= (run_guided if clang else run_made_up)(program, options.seconds)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
