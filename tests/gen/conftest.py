# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C of every format, compiled once for each way in which it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstate.testing.prover import GUARDED, LOADED, Prover
from tests.gen.builds import provers


@pytest.fixture(scope="session")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A process under sanitizers."""
    yield from provers(tmp_path_factory.mktemp("generated"), GUARDED)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A library in this process, through cffi."""
    yield from provers(tmp_path_factory.mktemp("generated"), LOADED)
