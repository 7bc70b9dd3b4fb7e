# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The three example drivers: their C is proven, every record of a version has its form in the other, and a client in C takes over."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from devstate.codec.convert import convert_record
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.tagged import encode_tagged, validate_tagged
from devstate.codec.validate import validate
from devstate.errors import EncodeError
from devstate.gen.files import generate, support
from devstate.gen.names import identifier
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.testing.proof import prove, strategies
from devstate.testing.prover import layouts_of

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
    """Queues, commands, filters with a union of three, vectors, BARs: all of them, under sanitizers; settings as a tagged map."""
    assert 26 == prove(str(DRIVERS), tmp_path)


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


def client(where: Path, name: str, *formats: str) -> Callable[..., str]:
    """The committed client with the committed codecs, compiled under sanitizers; called, it runs with some words and gives its output."""
    sources = [DRIVERS / f"{name}_client.c", *(DRIVERS / "generated" / f"{each}_codec.c" for each in formats)]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *flags, f"-I{DRIVERS / 'generated'}", *sources, "-o", where / name], check=True)
    return lambda *words: subprocess.run([where / name, *words], check=True, capture_output=True, text=True, errors="replace").stdout


def test_a_controller_is_taken_over(tmp_path: Path) -> None:
    """The committed C: a controller frozen and resumed; each damaged byte of the state is refused or a value that is allowed."""
    run = client(tmp_path, "controller", "example_controller_v2")
    whole = run()
    assert ["queue 0: 64 entries, head 7, tail 9", "command 7: opcode 2, 29000 ms left"] == whole.splitlines()[:2]
    outcomes = {at: run(str(at)) for at in [*range(72), *range(8192, 8192 + 16 + 64)]}
    assert "cold probe: status is 254 (rule 8, error -22)\n" == outcomes[4]
    assert "cold probe: zero is" in outcomes[28] and "cold probe: commands is" in outcomes[8192 + 8]
    refused = [at for at, text in outcomes.items() if text.startswith("cold probe")]
    assert 60 < len(refused) < len(outcomes)
    assert all(len(text.splitlines()) == (1 if at in refused else 3) for at, text in outcomes.items())


def test_a_card_is_taken_over(tmp_path: Path) -> None:
    """Rings and filters as packed records, settings as a tagged map: all or nothing, and the field that is not known is handed on."""
    run = client(tmp_path, "network", "example_network_v2", "example_network_settings_v1")
    whole = run().splitlines()
    assert ["ring 0/1: 512 entries, head 17, tail 500", "ring 0/2: 256 entries, head 9, tail 9"] == whole[:2]
    assert ["filter: vlan 7 to queue 0", "filter: port 443 to queue 0"] == whole[2:4]
    assert ["settings of eth0: mtu 9000, speed 0 (absent)", "vlan 7: seven", "vlan 4095: last"] == whole[4:7]
    assert ["handed on: 41 bytes, the last two are 4d c3"] == whole[7:]
    page = 4096
    places = [range(40), range(page, page + 80, 2), range(2 * page, 2 * page + 48, 2), range(3 * page, 3 * page + 41)]
    outcomes = {at: run(str(at)) for each in places for at in each}
    refused = [at for at, text in outcomes.items() if text.startswith("cold probe")]
    assert "cold probe: example_network_settings is" in outcomes[3 * page + 1] and "cold probe: filters is" in outcomes[2 * page + 8]
    assert 40 < len(refused) < len(outcomes)
    assert all(len(text.splitlines()) == (1 if at in refused else 8) for at, text in outcomes.items())


def test_a_function_is_taken_over_or_given_up(tmp_path: Path) -> None:
    """What was handed over is held against the device: a difference gives the function up, whatever else is right."""
    run = client(tmp_path, "passthrough", "example_function_v2")
    whole = run().splitlines()
    assert ["function 0000:03:00.0 of the guest's file 7, pasid 42", "bar 0: 0xfebd0000", "bar 1: 0xfe000000"] == whole[:3]
    assert "vector 2: data 0x43 to gsi 26, waits" == whole[5]
    assert "given up: config is 249 (rule 6, error -22)\n" == run("180")
    outcomes = {at: run(str(at)) for at in [*range(0, 440, 3), *range(4096, 4096 + 96)]}
    refused = [at for at, text in outcomes.items() if text.startswith("given up")]
    assert 40 < len(refused) < len(outcomes)
    assert all(1 == len(outcomes[at].splitlines()) for at in refused)


def test_the_committed_c_is_what_the_schemas_say() -> None:
    """As `devstate gen` writes it, with the headers that it includes."""
    for path in sorted((DRIVERS / "generated").iterdir()):
        name, kind = path.name, "c-codec" if path.name.endswith(".c") else "c-codec-header" if "_codec" in path.name else "c-header"
        if name.startswith("devstate"):
            expected = Path(support(name)).read_text()
        else:
            found = next(each for each in REGISTRY.summaries if name.startswith(identifier(each)))
            expected = generate(kind, layouts_of(found, REGISTRY))[1]
        assert (name, expected) == (name, path.read_text())


def test_settings_that_are_absent() -> None:
    """They have what their absence means."""
    layout = REGISTRY.layout("example-network-settings-v1", Environment())
    values = {"name": b"eth0".ljust(16, b"\0"), "features": 1, "vlans": []}
    record = validate_tagged(layout, encode_tagged(layout, values))
    assert (1500, 0) == (record["mtu"], record["speed"])
