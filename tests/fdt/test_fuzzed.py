# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The property of fuzz/fdt_fuzzer.py, on random bytes and on what the fuzzing loop makes; and that the loop finds what is broken."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
import driver  # noqa: E402
from fdt_fuzzer import framed, one_input, seeds  # noqa: E402

from devstate.fdt import read  # noqa: E402


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xd0\x0d\xfe\xed")
@settings(deadline=None)
def test_random_bytes(data: bytes) -> None:
    """Anything at all, as a blob and as a structure block."""
    one_input(data)


@given(st.lists(st.sampled_from([b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3", b"\0\0\0\4", b"\0\0\0\x09", bytes(4), b"a\0\0\0"]), max_size=24))
@settings(max_examples=300, deadline=None)
def test_random_tokens(words: list[bytes]) -> None:
    """Token words in any order, in a sound frame."""
    one_input(b"".join(words))


def test_changed_seeds() -> None:
    """Some thousand rounds of the fuzzing loop, always the same ones."""
    rng = random.Random(1)
    known = seeds()
    for _ in range(4_000):
        one_input(driver.changed(rng, known))


def test_seeds_are_sound() -> None:
    """Each is a blob, or the structure block of one: fuzzing starts from what is accepted."""
    for data in seeds():
        one_input(data)
        if data.startswith(b"\xd0\x0d\xfe\xed"):
            read(data)
        else:
            assert framed(data)


def test_the_loop_finds_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A property that fails on one flipped byte is found within a second, and the input is kept and can be run again."""

    def property_of(data: bytes) -> None:
        if data[:1] == b"\1":
            raise ValueError("planted")

    monkeypatch.setattr(driver, "ROOT", tmp_path)
    assert not driver.run_plain(property_of, [bytes(4)], "planted", 5, 1)
    (kept,) = (tmp_path / "build" / "fuzz").iterdir()
    assert 1 == kept.read_bytes()[0]
    assert str(kept) in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        driver.run(property_of, (), [str(kept)])
    assert 1 == caught.value.code


def test_the_loop_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """A property that holds is run for the time given, without seeds too."""
    assert driver.run_plain(len, [], "none", 0.05, 1)  # type: ignore[arg-type]  # what it returns is dropped
    assert "the property held" in capsys.readouterr().out
