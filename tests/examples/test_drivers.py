# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The three example drivers: their C is proven, every record of a version has its form in the other, and a client in C takes over."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from devstate.codec.convert import convert_record
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.validate import validate
from devstate.errors import EncodeError
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.testing.proof import prove, strategies

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = ROOT / "examples" / "drivers"
REGISTRY = Registry()
add_user_schemas(REGISTRY, str(DRIVERS))
NAMES = ("example-controller", "example-network", "example-function")


def test_there_are_three_in_two_versions() -> None:
    """Each replaced by the next."""
    layouts = {name: REGISTRY.layout(name, Environment()) for name in REGISTRY.summaries}
    assert {*(f"{name}-v{version}" for name in NAMES for version in (1, 2)), "example-network-settings-v1"} == set(layouts)
    assert all(f"{name}-v1" == layouts[f"{name}-v2"].replaces for name in NAMES)


def test_c_and_python_mean_the_same(tmp_path: Path) -> None:
    """Queues, commands, filters with a union of three, vectors, BARs: all of them, under sanitizers."""
    assert 24 == prove(str(DRIVERS), tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_up_and_down_again(name: str) -> None:
    """A v1 record is a v2 record that a reader takes, and comes back as it was; a v2 record says what it loses on the way down."""
    old, new = (REGISTRY.layout(f"{name}-v{version}", Environment()) for version in (1, 2))

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategies(old)[old.struct().name])
    def up(values: dict[str, Any]) -> None:
        record = decode(old, encode(old, values))
        raised = convert_record(REGISTRY, old.name, new.name, record, Environment())
        assert () == tuple(raised.losses)
        assert raised.record == validate(new, encode(new, raised.record))
        lowered = convert_record(REGISTRY, new.name, old.name, raised.record, Environment())
        assert (record, ()) == (lowered.record, tuple(lowered.losses))

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategies(new)[new.struct().name])
    def down(values: dict[str, Any]) -> None:
        record = decode(new, encode(new, values))
        try:
            lowered = convert_record(REGISTRY, new.name, old.name, record, Environment())
        except EncodeError as error:  # a keep-alive of 50 days and more does not fit
            assert "keep_alive" in str(error)
            return
        raised = convert_record(REGISTRY, old.name, new.name, lowered.record, Environment())
        assert (raised.record == record) == (not lowered.losses)

    up()
    down()


def test_a_client_takes_over(tmp_path: Path) -> None:
    """The committed C: a controller frozen and resumed; each damaged byte of the state is refused or a value that is allowed."""
    sources = [DRIVERS / "controller_client.c", DRIVERS / "generated" / "example_controller_v2_codec.c"]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *flags, f"-I{DRIVERS / 'generated'}", *sources, "-o", tmp_path / "client"], check=True)

    def run(*words: str) -> str:
        return subprocess.run([tmp_path / "client", *words], check=True, capture_output=True, text=True).stdout

    whole = run()
    assert ["queue 0: 64 entries, head 7, tail 9", "command 7: opcode 2, 29000 ms left"] == whole.splitlines()[:2]
    outcomes = {at: run(str(at)) for at in [*range(72), *range(8192, 8192 + 16 + 64)]}
    assert "cold probe: status is 254 (rule 8, error -22)\n" == outcomes[4]
    assert "cold probe: zero is" in outcomes[28] and "cold probe: commands is" in outcomes[8192 + 8]
    refused = [at for at, text in outcomes.items() if text.startswith("cold probe")]
    assert 60 < len(refused) < len(outcomes)
    assert all(len(text.splitlines()) == (1 if at in refused else 3) for at, text in outcomes.items())
