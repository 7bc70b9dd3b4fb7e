# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What CI and operators wait for: a pre-commit run over two hundred baselines, the manifest of a vmlinux, a matrix of three hundred builds.

The pre-commit run is from start to exit, as a multiple of ``python -c "import argparse"``; once with nothing changed, once with a field
gone from one format. The manifest's peer is pahole, in C, which loads the same BTF and prints one struct, where it is installed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.row import Row, at_most
from bench.startup import ROOT, command, compile_all, race
from devstate.compat.manifest import Manifest, build_manifest, release_manifest
from devstate.compat.matrix import matrix
from devstate.layout.registry import Registry
from devstate.source.build import read_build

BASELINES = ROOT / "schemas" / "baselines"
CAPTURES = ROOT.parent / "shared" / "captures"
FORMATS = 200
BUILDS = 300


def run() -> list[Row]:
    """All of it; what needs the captures is left out where they are not."""
    return [*pre_commit(), *manifests(), *matrices()]


def pre_commit() -> list[Row]:
    """devstate compat on two directories."""
    compile_all()
    with tempfile.TemporaryDirectory() as folder:
        old, same, changed = (Path(folder) / name for name in ("old", "same", "changed"))
        for side in (old, same, changed):
            side.mkdir()
            write_baselines(side, changed=side is changed)
        peer = [sys.executable, "-c", "import argparse"]
        words = [*command(), "compat"]
        times = race(
            {
                "argparse": peer,
                "same": [*words, str(same), "--against", str(old)],
                "changed": [*words, str(changed), "--against", str(old), "-o", str(Path(folder) / "report"), "--direction", "read-old"],
            },
            rounds=11,
            statuses=(0, 1),
        )
    return [
        at_most(f"pre-commit over {FORMATS} baselines, nothing changed", times["same"] / times["argparse"], "x argparse", 5, 4),
        at_most(f"pre-commit over {FORMATS} baselines, one changed", times["changed"] / times["argparse"], "x argparse", 5, 4),
    ]


def write_baselines(folder: Path, *, changed: bool) -> None:
    """FORMATS baselines, made of the shipped ones; with ``changed`` one of them has lost its first field."""
    paths = sorted(BASELINES.glob("*.json"))
    for number in range(FORMATS):
        plain = json.loads(paths[number % len(paths)].read_text())
        plain["name"] = f"{plain['name']}-{number}"
        for group in plain["layouts"]:
            layout = group["layout"]
            layout["name"] = plain["name"]
            for key in {"compatible", "replaces"} & {*layout}:
                layout[key] = f"{layout[key]}-{number}"
            if changed and plain["name"].startswith("memfd-v2-"):
                layout["structs"][-1]["fields"].pop(0)
        (folder / f"{number}.json").write_text(json.dumps(plain, indent=1))


def manifests() -> list[Row]:
    """A manifest of a real vmlinux: its BTF of 2 MB and its strings."""
    path = CAPTURES / "vmlinux-7.3.reduced.zst"
    if not path.exists():
        return []
    registry = Registry.shipped()

    def ours() -> Manifest:
        build = read_build(str(path), registry)
        return build_manifest(registry, path.name, build.release, build.names, build.missing)

    rows = [at_most("manifest of a vmlinux with 2 MB of BTF", busy(ours), "s of CPU", 0.3, 0.1)]
    pahole, raw = shutil.which("pahole"), CAPTURES / "vmlinux-7.3.btf"
    if pahole is not None and raw.exists():
        quiet = ["sh", "-c", '"$0" -C luo_ser "$1" 2>/dev/null', pahole, str(raw)]  # it complains of each kind that is newer than it
        ends = race({"pahole": quiet, "devstate": [*command(), "manifest", str(path)]}, rounds=5)
        rows.append(at_most("the same from start to exit", ends["devstate"] / ends["pahole"], "x pahole -C luo_ser"))
    return rows


def matrices() -> list[Row]:
    """BUILDS builds of the releases there are, each with a name of its own."""
    registry = Registry.shipped()
    releases = [
        release_manifest(registry, f"{major}.{minor}") for major, minor in ((6, 16), (6, 18), (6, 19), (7, 0), (7, 1), (7, 2), (7, 3))
    ]
    builds = [
        Manifest(f"host-{number}", each.release, each.origin, each.formats, each.missing)
        for number in range(BUILDS)
        for each in [releases[number % len(releases)]]
    ]
    return [at_most(f"matrix of {BUILDS} x {BUILDS} builds", busy(lambda: matrix(builds, registry)), "s of CPU", 5, 1)]


def busy(call: Callable[[], object], rounds: int = 5) -> float:
    """The median seconds of processor time of a call in one thread: what else the machine does is not in it."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return median(taken)
