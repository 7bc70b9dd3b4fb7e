# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fuzz the generated readers of every format: ``python fuzz/generated.py [--seconds N]``.

One program for all of them: the first byte of an input chooses the format, the rest goes to its own target (devstate_fuzz.h). With clang
it is guided by libFuzzer, from a corpus in build/fuzz/corpus/generated; with gcc alone it runs on made-up inputs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "fuzz" / "c")]

from run import FLAGS, run_guided, run_made_up  # noqa: E402

from devstate.gen.files import everything, folder, generate_all  # noqa: E402
from devstate.layout.model import PAGE_SIZES, Environment  # noqa: E402
from devstate.layout.registry import Registry  # noqa: E402

TARGET = """
#include "devstate_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = 0;

	while (devstate_proofs[count])
		count++;
	return size ? devstate_fuzz(devstate_proofs[data[0] % count], data + 1, size - 1) : 0;
}
"""


def build(out: Path, compiler: str, *, guided: bool) -> Path:
    """The program, in ``out``."""
    sources = out / "generated.src"
    sources.mkdir(parents=True, exist_ok=True)
    registry, formats = Registry.shipped(), []
    for name in registry.summaries:
        layouts = [registry.layout(name, Environment(size)) for size in PAGE_SIZES]
        if layouts[0].structs:
            formats.append(layouts)
            for file, text in generate_all(layouts).items():
                (sources / file).write_text(text)
    (sources / "all.c").write_text(everything(formats) + TARGET)
    sanitize = f"-fsanitize={'fuzzer,' if guided else ''}address,undefined"
    flags = ["-O0" if flag == "-O1" else flag for flag in FLAGS]  # the readers of all formats take a minute to optimize, one second not to
    include = [f"-I{folder()}", f"-I{sources}", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'fuzz' / 'c'}"]
    main = [] if guided else [str(ROOT / "fuzz" / "c" / "standalone.c")]
    subprocess.run([compiler, *flags, sanitize, *include, str(sources / "all.c"), *main, "-o", str(out / "generated")], check=True)
    return out / "generated"


def main() -> int:
    """Build and run. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    clang = shutil.which("clang-14") or shutil.which("clang")
    program = build(ROOT / "build" / "fuzz", clang or "gcc", guided=clang is not None)
    return int(bool((run_guided if clang else run_made_up)(program, options.seconds)))


if __name__ == "__main__":
    sys.exit(main())
