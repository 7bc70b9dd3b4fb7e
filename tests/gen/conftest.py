# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C of every format, compiled once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstate.layout.registry import Registry
from devstate.testing.prover import Prover, layouts_of


@pytest.fixture(scope="session")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """All formats of the registry that have structs, for 4K pages."""
    formats = [layouts_of(name) for name in Registry.shipped().summaries]
    made = Prover(tmp_path_factory.mktemp("generated"), [layouts for layouts in formats if layouts[0].structs])
    yield made
    assert made.close() == 0
