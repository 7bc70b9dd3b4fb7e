# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns a session: systemd's mapping, QEMU's CPR state, CRIU's names; and silence about everything else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.handover import cprluo, systemd
from devstate.handover.conventions import CONTENT_LIMIT, labels
from devstate.handover.labels import MAX_PROBLEMS, Labels, shown

ROOT = Path(__file__).resolve().parents[2]

MAPPING = {
    "version": 1,
    "state": {"kexecsCount": 3, "shutdownTimestamp": {"realtime": 17}},
    "units": {
        "store.service": {
            "fdstore": [
                {"type": "fd", "name": "cache", "token": 1},
                {"type": "fd", "name": "stored", "token": "2", "future": [1, {"x": None}]},
                {"type": "luo_session", "name": "vm", "sessionName": "vm-alpha"},
            ],
            "also": 1,
        },
        "db@main.service": {"fdstore": [{"type": "fd", "name": "pages", "token": 18446744073709551614}]},
    },
}


def ask(contents: Mapping[int, bytes | None], name: str = "systemd") -> Labels:
    """The labels of a session with these files."""
    return labels(name, contents.get, list(contents))


def mapped(mapping: object, tokens: range = range(5)) -> Labels:
    """The labels of systemd's session with this mapping."""
    content = mapping if isinstance(mapping, bytes) else json.dumps(mapping).encode()
    return systemd.labels(content, tokens)


def unit(*entries: object) -> dict[str, object]:
    return {"version": 1, "units": {"a.service": {"fdstore": list(entries)}}}


def test_systemd_units_are_named() -> None:
    """Each token has its unit and name, each session its unit; unknown keys and numbers written as text are allowed."""
    found = ask({0: json.dumps(MAPPING).encode(), 1: b"", 2: b"", 18446744073709551614: b"", 7: b""})
    assert Labels(
        owner="systemd",
        tokens={
            0: "systemd mapping",
            1: "unit store.service fd cache",
            2: "unit store.service fd stored",
            18446744073709551614: "unit db@main.service fd pages",
        },
        sessions={"vm-alpha": "unit store.service"},
        problems=(),
    ) == found  # fmt: skip


def test_the_bytes_that_systemd_writes() -> None:
    """The text as systemd formats it: one line, no spaces, no end of line."""
    wire = (
        b'{"version":1,"state":{"kexecsCount":0},'
        b'"units":{"test.service":{"fdstore":['
        b'{"type":"fd","name":"my-memfd","token":1},'
        b'{"type":"luo_session","name":"my-session","sessionName":"test-session"}]}}}'
    )
    found = ask({0: wire, 1: None})
    assert {0: "systemd mapping", 1: "unit test.service fd my-memfd"} == found.tokens
    assert ({"test-session": "unit test.service"}, ()) == (found.sessions, found.problems)


def test_forms_of_the_time_of_review() -> None:
    """Keyed by unit without a version; keyed by control group with other names for the same things."""
    by_unit = mapped({"a.service": {"fdstore": [{"type": "fd", "name": "x", "token": 1}]}})
    assert ({0: "systemd mapping", 1: "unit a.service fd x"}, ()) == (by_unit.tokens, by_unit.problems)
    session = {"type": "luo_session", "name": "y", "session_name": "s"}
    by_group = mapped({"/system.slice/a.service": [{"type": "fd", "name": "x", "fd_index": 2}, session]})
    assert {0: "systemd mapping", 2: "cgroup /system.slice/a.service fd x"} == by_group.tokens
    assert ({"s": "cgroup /system.slice/a.service"}, ()) == (by_group.sessions, by_group.problems)


def test_a_mapping_that_is_not_there() -> None:
    """Not in the capture and not in the session are told apart; the owner is known by the session's name all the same."""
    missing, none = ask({0: None, 1: b""}), ask({1: b""})
    assert ("systemd", {0: "systemd mapping"}) == (missing.owner, missing.tokens)
    assert ("the mapping (token 0) is not in the capture",) == missing.problems
    assert ("systemd", {}, ("the session has no mapping (token 0)",)) == (none.owner, none.tokens, none.problems)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no mapping"),
        (b"\xff{}", "cannot be read: 'utf-8' codec"),
        (b'\xff\xfe{\0}\0', "cannot be read: 'utf-8' codec"),
        (b"{", "cannot be read: Expecting property name"),
        (b"{} x", "cannot be read: Extra data"),
        (b"[]", "is no JSON object"),
        (b'"text"', "is no JSON object"),
        (b"7", "is no JSON object"),
        (b'{"version": NaN}', "NaN is no JSON number"),
        (b'{"version": 2, "units": {}}', "is of version 2, 1 is known"),
        (b'{"version": "2"}', "is of version 2, 1 is known"),
        (b'{"units": {}}', "has no version"),
        (b'{"version": -1}', "has no version"),
        (b'{"version": true}', "has no version"),
        (b'{"version": 1.0}', "has no version"),
        (b'{"version": 1, "units": []}', "units of the mapping is no object"),
        (b'{"version": 1, "units": {"a.service": []}}', ""),
        (b'{"version": 1, "units": {"a.service": 5}}', "unit a.service: its fdstore is no list"),
        (b'{"version": 1, "units": {"a.service": {"fdstore": {}}}}', "unit a.service: its fdstore is no list"),
        (b'{"a.service": {}}', "unit a.service: its fdstore is no list"),
        (b'{"version": 1}', ""),
        (b"{}", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_mapping_is_said(content: bytes, problem: str) -> None:
    """Bytes that are no mapping, or one of another version, label nothing but the mapping itself."""
    found = mapped(content)
    assert {0: "systemd mapping"} == found.tokens and {} == found.sessions
    assert len(found.problems) == bool(problem) and problem in "".join(found.problems)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (7, "unit a.service: an entry has no type or no name"),
        ({"type": "fd", "token": 1}, "an entry has no type or no name"),
        ({"type": 1, "name": "x"}, "an entry has no type or no name"),
        ({"type": "fd", "name": "x"}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": 0}, "fd x has token 0, which is the mapping's"),
        ({"type": "fd", "name": "x", "token": "0"}, "fd x has token 0, which is the mapping's"),
        ({"type": "fd", "name": "x", "token": -1}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": 1.5}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": True}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": (1 << 64) - 1}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": 1 << 64}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": int("9" * 21)}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": "\u0661"}, "fd x has no token"),
        ({"type": "fd", "name": "x", "fd_index": 1}, "fd x has no token"),
        ({"type": "fd", "name": "x", "token": 9}, "unit a.service fd x: token 9 is not in the session"),
        ({"type": "pidfd", "name": "x", "token": 1}, "fd x is of unknown type 'pidfd'"),
        ({"type": "luo_session", "name": "x"}, "fd x has no session name"),
        ({"type": "luo_session", "name": "x", "sessionName": ""}, "fd x has no session name"),
        ({"type": "luo_session", "name": "x", "sessionName": "systemd"}, "fd x names the session systemd, which is systemd's own"),
    ],
)
def test_what_systemd_refuses_gives_no_label(entry: object, problem: str) -> None:
    """A bad entry is a problem; the good one beside it is labelled all the same."""
    found = mapped(unit(entry, {"type": "fd", "name": "good", "token": 2}))
    assert {0: "systemd mapping", 2: "unit a.service fd good"} == found.tokens and {} == found.sessions
    assert 1 == len(found.problems) and problem in found.problems[0]


def test_a_token_or_session_belongs_to_one() -> None:
    """The first that claims it has it, the second is a problem; one unit may name a session twice."""
    found = mapped(
        {
            "version": 1,
            "units": {
                "a": {
                    "fdstore": [{"type": "fd", "name": "x", "token": 1}, *[{"type": "luo_session", "name": "s", "sessionName": "s"}] * 2]
                },
                "b": {"fdstore": [{"type": "fd", "name": "y", "token": 1}, {"type": "luo_session", "name": "t", "sessionName": "s"}]},
            },
        }
    )
    assert ("unit a fd x", {"s": "unit a"}) == (found.tokens[1], found.sessions)
    assert ("unit b fd y: token 1 is unit a fd x already", "unit b fd t: session s belongs to unit a already") == found.problems


def nested(depth: int) -> bytes:
    """A mapping of one level with an unknown key, its value as deep as it takes to have ``depth`` levels in all."""
    return b'{"version":1,"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def sized(size: int) -> bytes:
    return json.dumps(unit({"type": "fd", "name": "x", "token": 1})).encode().ljust(size)


def long_names(size: int) -> bytes:
    return json.dumps({"version": 1, "units": {"u" * size: {"fdstore": [{"type": "fd", "name": "x", "token": 1}]}}}).encode()


def stored(**entry: object) -> bytes:
    return json.dumps(unit({"type": "fd", "name": "x"} | entry)).encode()


LIMITS = {
    "depth": (nested, systemd.MAX_DEPTH, "nested deeper than 32 levels"),
    "size": (sized, systemd.MAX_MAPPING, "has more than 1048576 bytes"),
    "unit": (long_names, systemd.MAX_NAME, "the name is too long"),
    "fd": (lambda n: stored(name="n" * n, token=1), systemd.MAX_NAME, "name of an entry is too long"),
    "session": (
        lambda n: stored(type="luo_session", sessionName="\u00e9" * (n // 2) + "s" * (n % 2)),
        systemd.MAX_SESSION_NAME, "has no session name",
    ),
    "digits": (lambda n: stored(token="1".rjust(n, "0")), systemd.MAX_DIGITS, "has no token"),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS)
def test_limits_of_a_mapping(case: str) -> None:
    """At a limit there is no problem; one above it is one, in words."""
    make, limit, problem = LIMITS[case]
    assert () == mapped(make(limit)).problems
    found = mapped(make(limit + 1))
    assert 1 == len(found.problems) and problem in found.problems[0]


def test_brackets_in_texts_do_not_nest() -> None:
    """Depth counts brackets that are brackets: not those in texts, behind escaped quotes or backslashes."""
    deep = "[" * 99 + '"' + "{" * 99 + "\\"
    assert () == mapped({"version": 1, deep: deep, "units": {}}).problems


def test_numbers_without_an_end_are_no_tokens() -> None:
    """A number of a hundred thousand digits in an unknown key is nobody's business; as a token it is none."""
    digits = b"7" * 100_000
    found = mapped(b'{"version":1,"x":' + digits + b',"units":{"a":{"fdstore":[{"type":"fd","name":"x","token":' + digits + b"}]}}}")
    assert ("unit a: fd x has no token",) == found.problems


def test_hostile_nesting_is_no_recursion() -> None:
    """A hundred thousand brackets are refused before a recursive parser sees them."""
    for content in (b"[" * 100_000, b'{"a":' * 100_000, b'{"version":1,"units":' + b"[" * 500_000):
        assert "nested deeper" in mapped(content).problems[0]


def test_problems_are_counted_not_piled() -> None:
    """A hundred thousand bad entries give MAX_PROBLEMS texts and a number, in little time."""
    started = time.process_time()
    found = mapped(b'{"version":1,"units":{"a":{"fdstore":[' + b"1," * 99_999 + b"1]}}}")
    assert MAX_PROBLEMS + 1 == len(found.problems)
    assert f"{100_000 - MAX_PROBLEMS} more problems" == found.problems[-1]
    assert time.process_time() - started < 3


def test_names_are_safe_to_show() -> None:
    """Escape sequences, line ends, text direction and lone surrogates in names do not reach a terminal."""
    content = rb'{"version":1,"units":{"a\u001b[31m\nb":{"fdstore":[{"type":"fd","name":"\u202ex\ud800","token":1}]}}}'
    assert r"unit a\x1b[31m\nb fd \u202ex\ud800" == mapped(content).tokens[1]
    session = mapped(unit({"type": "luo_session", "name": "x", "sessionName": "s\ud800"}))
    assert {"s\ud800": "unit a.service"} == session.sessions
    assert "caf\u00e9 \U0001f600" == shown("caf\u00e9 \U0001f600")


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_survived(value: object) -> None:
    """Whatever stands where: labels and problems, no exception; only tokens of the session are labelled."""
    for content in (value, {"version": 1, "units": value}, unit(value), {"version": 1, "units": {"a": value}}, {"g": [value]}):
        found = mapped(content)
        assert set(found.tokens) <= set(range(5))
        assert all(text.isprintable() for text in (*found.tokens.values(), *found.sessions.values(), *found.problems))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_survived(data: bytes, cut: int) -> None:
    """Random bytes and prefixes of a good mapping, as any file of any session."""
    wire = json.dumps(MAPPING).encode()
    for content in (data, wire[:cut], wire[:cut] + data, b"QCPR" + data, cpr(("pc.ram", 0, 2))[:cut] + data):
        ask({0: content, 1: b"", 2: b""})
        ask({0: b"", 1: content, 2: b""}, "vm")


def cpr(*blocks: tuple[str, int, int], tail: bytes = b"", before: bytes = b"\xff\xff\xff\xff\x01", after: bytes = b"") -> bytes:
    """A CPR state: (name, id, token) a block, the token between bytes that the reader does not know."""
    wire = b"QCPR"  # magic
    wire += b"\0\0\0\x01"  # version
    for name, number, token in blocks:
        wire += b"\x01"  # one more entry
        wire += (len(name.encode()) + 1).to_bytes(4, "big")  # namelen
        wire += name.encode() + b"\0"  # name
        wire += number.to_bytes(4, "big")  # id
        wire += before + token.to_bytes(8, "big") + after  # rest
    return wire + b"\0" + tail  # end of the list


@pytest.mark.parametrize("before", [b"", b"\x01", b"\0\0\0\x0c", b"\xff\xff\xff\xff\x01", b"\x05\x0acpr fd/luo\0\0\0\x01\x01"])
@pytest.mark.parametrize("after", [b"", b"\x01", b"\0\0\0\0"])
def test_ram_blocks_are_named_wherever_their_tokens_stand(before: bytes, after: bytes) -> None:
    """The place of the token is found by the session's own tokens; descriptors that LUO does not keep have 0 there."""
    state = cpr(("pc.ram", 0, 2), ("0000:00:02.0/vga.vram", 0, 5), ("vhost", 3, 0), ("hot", 1, 3), before=before, after=after)
    found = ask({1: state, 2: None, 3: None, 5: None}, "vm-7")
    assert ("QEMU", {}, ()) == (found.owner, found.sessions, found.problems)
    assert {1: "QEMU CPR state", 2: "RAM block pc.ram", 5: "RAM block 0000:00:02.0/vga.vram", 3: "RAM block hot id 1"} == found.tokens


def test_a_subsection_may_follow_the_list() -> None:
    """Behind the end of the list stand subsections (vfio devices); anything else there means that the list was misread."""
    block = ("pc.ram", 0, 2)
    assert 2 in ask({1: cpr(block, tail=b"\x05\x10CprState/devices\0\0\0\x01\0"), 2: None}, "vm").tokens
    for tail in (b"\x07rest", b"\x05\x04rest\0\0\0\x01", b"\x07\x10CprState/devices", b"\x05\x10CprStat"):
        assert [1] == list(ask({1: cpr(block, tail=tail), 2: None}, "vm").tokens)


def test_no_token_looks_like_the_end_of_the_list() -> None:
    """The bytes of a token may look like an end (00) with a subsection (05) or another entry (01) behind it."""
    for token in (5, 256, 257, 261, 0x0500, 1 << 32, 5 << 56, (1 << 64) - 1):
        found = ask({1: cpr(("ram", 0, token), ("other", 0, 0)), token: None}, "vm")
        assert {1: "QEMU CPR state", token: "RAM block ram"} == found.tokens
        assert found == ask({1: cpr(("other", 0, 0), ("ram", 0, token)), token: None}, "vm")


@pytest.mark.parametrize(
    "state",
    [
        cpr(("pc.ram", 0, 2)),  # token 3 of the session is nowhere
        cpr(("pc.ram", 0, 2), ("b", 0, 2)),  # twice the same
        cpr(("pc.ram", 0, 2), ("b", 0, 4)),  # a token that the session does not have
        cpr(("pc.ram", 0, 2), ("", 0, 3)),  # no name
        cpr(("pc.ram", 0, 2), ("b\0c", 0, 3)),  # a NUL inside a name
        cpr(("pc.ram", 0, 2), ("b", 0, 3), after=(2).to_bytes(8, "big"), before=b"")[:-1],  # no end
        cpr(),
        cpr(("pc.ram", 0, 2), ("b", 0, 3))[:-1],
        b"QCPR\0\0\0\x01",
    ],
)
def test_blocks_are_named_all_or_none(state: bytes) -> None:
    """When the session's tokens are not exactly what the list holds, the layout was not understood: only the state is named."""
    found = ask({1: state, 2: None, 3: None}, "vm")
    assert ("QEMU", {1: "QEMU CPR state"}, {}, ()) == (found.owner, found.tokens, found.sessions, found.problems)


def test_a_token_stands_once() -> None:
    """Two blocks with the one token of the session: not read, rather than the second taken for it."""
    assert [1] == list(ask({1: cpr(("a", 0, 2), ("b", 0, 2)), 2: None}, "vm").tokens)


def test_two_readings_are_none() -> None:
    """Tokens of two blocks at one place, exchanged at another: nobody can say which is meant. Twice the same order is no doubt."""
    two = [
        b"\x01\0\0\0\x02" + name + b"\0\0\0\0\0" + b"".join(token.to_bytes(8, "big") for token in pair)
        for name, pair in ((b"a", (2, 3)), (b"b", (3, 2)))
    ]
    head = b"QCPR\0\0\0\x01"
    assert {1: "QEMU CPR state"} == ask({1: head + b"".join(two) + b"\0", 2: None, 3: None}, "vm").tokens
    same = b"\x01\0\0\0\x02a\0\0\0\0\0" + 2 * (2).to_bytes(8, "big")
    assert {1: "QEMU CPR state", 2: "RAM block a"} == ask({1: head + same + b"\0", 2: None}, "vm").tokens


def test_versions_and_prefixes_of_a_cpr_state() -> None:
    """Another version is said and not read; a stream that is cut in its head is said to be."""
    later = ask({1: b"QCPR\0\0\0\x02" + cpr(("pc.ram", 0, 2))[8:], 2: None}, "vm")
    assert ({1: "QEMU CPR state"}, ("the CPR state (token 1) is of version 2, 1 is known",)) == (later.tokens, later.problems)
    assert ("the CPR state (token 1) is cut short",) == ask({1: b"QCPR\0\0\0"}, "vm").problems
    whole = cpr(("pc.ram", 0, 2))
    for length in range(8, len(whole)):
        assert {1: "QEMU CPR state"} == ask({1: whole[:length], 2: None}, "vm").tokens


def state_of(size: int) -> bytes:
    return cpr(("pc.ram", 0, 2), tail=b"\x05\x10CprState/devices".ljust(size - len(cpr(("pc.ram", 0, 2))), b"\0"))


CPR_LIMITS = {
    "size": (state_of, cprluo.MAX_STATE),
    "name": (lambda n: cpr(("n" * (n - 1), 0, 2)), cprluo.MAX_NAME),
    "rest": (lambda n: cpr(("pc.ram", 0, 2), before=b"\xff" * (n - 8)), cprluo.MAX_REST),
    "entries": (lambda n: cpr(("pc.ram", 0, 2), *((f"fd{i}", 0, 0) for i in range(n - 1))), cprluo.MAX_ENTRIES),
}


@pytest.mark.parametrize("case", CPR_LIMITS)
def test_limits_of_a_cpr_state(case: str) -> None:
    """At a limit blocks are named; one above, only the state is."""
    make, limit = CPR_LIMITS[case]
    assert [1, 2] == list(ask({1: make(limit), 2: None}, "vm").tokens)
    assert [1] == list(ask({1: make(limit + 1), 2: None}, "vm").tokens)


def test_a_hostile_cpr_state_takes_little_time() -> None:
    """The list is read for each length of the rest and each place in it: all of it bounded."""
    started = time.process_time()
    period = b"\x01\0\0\0\x02a\0\0\0\0\0" + b"\0" * 8
    for state in (
        b"QCPR\0\0\0\x01" + period * 256 + b"\0",
        b"QCPR\0\0\0\x01" + b"\x01" * 200_000,
        b"QCPR\0\0\0\x01" + b"\x01\0\0\0\x02a\0" * 9_000,
    ):
        assert [1] == list(ask({1: state, 2: None}, "vm").tokens)
    assert time.process_time() - started < 3


def test_nothing_is_said_about_what_is_not_known() -> None:
    """A session without a convention has no owner and no labels, whatever its files hold; CRIU's dumps have their names."""
    nothing = Labels(None, {}, {}, ())
    for name in ("vm-alpha", "", "SYSTEMD", "systemd ", "criu-dump-", "criu-dump-x", "criu-dump-\u0661"):
        assert nothing == ask({0: json.dumps(MAPPING).encode(), 1: b"QCP", 2: b"QCPR"}, name)
    assert nothing == ask({}, "vm") == ask({1: None}, "vm")
    assert Labels("CRIU, dump of process 4711", {}, {}, ()) == ask({77: b"QCPR"}, "criu-dump-4711")


def test_only_what_a_convention_needs_is_read() -> None:
    """Files may be terabytes: one file is asked for, once, and one that is not in the session never."""
    for name, tokens, expected in (
        ("systemd", [0, 1, 2], [0]),
        ("systemd", [1], []),
        ("vm", [0, 1, 2], [1]),
        ("vm", [0, 2], []),
        ("criu-dump-1", [1], []),
    ):
        asked = []
        labels(name, lambda token, asked=asked: asked.append(token), tokens)
        assert expected == asked
    assert CONTENT_LIMIT > max(systemd.MAX_MAPPING, cprluo.MAX_STATE)


def test_importing_costs_nothing() -> None:
    """json is loaded when there is a mapping to read, not before: the start of the tool is a measured figure."""
    heavy = "'json', 're', 'typing', 'dataclasses', 'numpy'"
    code = f"import sys, devstate.handover.conventions; print([m for m in ({heavy}) if m in sys.modules])"
    run = subprocess.run([sys.executable, "-S", "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert "[]" == run.stdout.strip()
