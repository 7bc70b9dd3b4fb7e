# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C of many formats, compiled at once for one way in which it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from devstate.layout.registry import Registry
from devstate.testing.prover import Build, Prover, layouts_of


def missing(build: Build) -> str:
    """Why a build cannot run here, or nothing. AssertionError in CI, which must have everything."""
    if not build.missing:
        return ""
    assert os.environ.get("CI") != "true", f"CI must have {', '.join(build.missing)}"
    return f"not installed: {', '.join(build.missing)}"


def provers(where: Path, build: Build, names: Sequence[str] = ()) -> Iterator[Prover]:
    """All formats of the registry that have structs, or those that are named, for 4K pages. Without its tools a build is skipped, except
    in CI.
    """
    if missing(build):
        pytest.skip(missing(build))
    formats = [layouts_of(name, byte_order=build.byte_order) for name in names or Registry.shipped().summaries]
    made = Prover(where, [layouts for layouts in formats if layouts[0].structs], build=build)
    yield made
    assert made.close() == 0
