# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""QuickParser: where it does not give up, it says what argparse says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runner import PRESENT

from devstate.cli import command
from devstate.cli.arguments import Declined, QuickParser
from devstate.cli.verbs import VERBS
from devstate.errors import UsageError

WORDS = [
    "-", "--", "x", "y", "0x10", "4K", "1", "-1", "", "a=b", "--json", "--raw", "--base", "--base=0x1000", "--base=", "--fdt",
    "--page-size", "--byte-order", "little", "--byte-order=big", "--schemas", "--schemas=p", "--force", "-o", "-o-", "--output",
    "--output=f", "-h", "--hash", "--partial", "--bas", "--json=1", "--status", "posted", "--as", "memfd-v2", "--array", "--fail-on",
    "error", "--struct", "--format", "text",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PRESENT), st.lists(st.sampled_from(WORDS), max_size=7))
def test_equal_to_argparse(verb: str, words: list[str]) -> None:
    """For every verb and command line: equal results, or the quick one declines."""
    module = command.load(verb)
    quick = QuickParser()
    try:
        module.add_arguments(quick)
        found = vars(quick.parse_args(words))
    except Declined:
        return
    assert vars(command.make_parser(verb, module).parse_intermixed_args(words)) == found


@pytest.mark.parametrize(
    "words", [["x"], ["x", "luo"], ["--json", "x"], ["x", "--base", "0x1000", "--raw"], ["-"], ["x", "--schemas", "a", "--schemas", "b"]]
)
def test_plain_command_lines_are_quick(words: list[str]) -> None:
    """These must not need argparse."""
    quick = QuickParser()
    command.load("inspect").add_arguments(quick)
    assert words[0] == vars(quick.parse_args(words))["input"] or words[0].startswith("--")


@pytest.mark.parametrize("words", [["-h"], ["--help"], [], ["a", "b", "c"], ["--js", "x"], ["--base", "x"], ["--", "x"], ["x", "--base"]])
def test_it_gives_up(words: list[str]) -> None:
    """Help and every mistake are argparse's."""
    quick = QuickParser()
    command.load("inspect").add_arguments(quick)
    with pytest.raises(Declined):
        quick.parse_args(words)


def test_options_of_one_command_line_do_not_reach_the_next() -> None:
    """Lists that options append to start empty each time."""
    for _ in range(2):
        parsed = command.parse("inspect", command.load("inspect"), ["x", "--schemas", "a"])
        assert ["a"] == parsed.schemas


def test_numbers() -> None:
    """Decimal, hexadecimal, with the suffix of a power of 1024."""
    parsed = command.parse("inspect", command.load("inspect"), ["x", "--base", "0x1000", "--page-size", "16K"])
    assert (0x1000, 16384) == (parsed.base, parsed.page_size)
    for wrong in ("1.5", "K", "0x", "1KB", "0x1_"):
        with pytest.raises(UsageError):
            command.parse("inspect", command.load("inspect"), ["x", "--base", wrong])


def test_every_verb_is_known_in_order() -> None:
    """The table has the verbs of the command, inspect first."""
    assert "inspect" == next(iter(VERBS))
