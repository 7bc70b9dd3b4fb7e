# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which format is which: by name, by what is replaced, by family; what is gone, and what a source would not show."""

from __future__ import annotations

import pytest

from devstate.compat.examine import examine
from devstate.compat.pairing import only_type, pairs_of, would_show
from devstate.finding import Location
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry

HERE = Environment()


def shipped(*names: str) -> tuple[Layout, ...]:
    """Shipped formats."""
    return tuple(Registry.shipped().layout(name, HERE) for name in names)


def source(kind: str, *names: str, origin: str = "there", places: tuple[tuple[str, Location], ...] = ()) -> Declared:
    """A source that declares them."""
    return Declared(origin, kind, HERE, shipped(*names), places)


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        (("memfd-v1",), ("memfd-v2",), [("memfd-v1", "memfd-v2")]),
        (("memfd-v1",), ("memfd-v1", "memfd-v2"), [("memfd-v1", "memfd-v1"), ("memfd-v1", "memfd-v2")]),
        (("memfd-v1", "memfd-v2"), ("memfd-v1", "memfd-v2"), [("memfd-v1", "memfd-v1"), ("memfd-v2", "memfd-v2")]),
        (("luo-v2",), ("luo-v5", "luo-v4", "luo-v3"), [("luo-v2", "luo-v5")]),
        (("memfd-v1", "luo-v5"), ("luo-v5",), [("luo-v5", "luo-v5"), ("memfd-v1", "")]),
        (("memfd-v1",), ("memfd-v1", "luo-v5"), [("memfd-v1", "memfd-v1")]),
        (("chosen",), ("chosen@7.4",), [("chosen", "chosen@7.4")]),
        (("memfd-v1",), ("luo-v5",), [("memfd-v1", "")]),
    ],
)
def test_pairs(old: tuple[str, ...], new: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    """A published format is held to itself, the newest of a family to the newest; one that is only new is in no pair."""
    assert pairs == [each.names for each in pairs_of(shipped(*old), shipped(*new))]


def test_ancestors() -> None:
    """What came before, the nearest first; a format that says it replaces itself, or what replaces it, has an end."""
    before = shipped("luo-v1", "luo-v2", "luo-v3", "luo-v4")
    pair = pairs_of(before, shipped("luo-v5"))[0]
    assert ("luo-v4", ["luo-v3", "luo-v2", "luo-v1"]) == (pair.old.name, [each.name for each in pair.ancestors])
    one, two = shipped("memfd-v1", "memfd-v2")
    for known in ([replace(one, replaces="memfd-v1")], [replace(one, replaces="memfd-v2"), two]):
        assert all(len(each.ancestors) < 2 for each in pairs_of(known, shipped("memfd-v2")))


def test_what_would_show() -> None:
    """A build shows strings where they are known, headers what their files declare, one file of a list not the whole of it."""
    memfd, chosen = shipped("memfd-v1", "chosen")
    build, btf = source("build", "luo-v5"), source("build", "kho-data")
    everything = source("baselines", "memfd-v1", "luo-v5")
    headers = source("headers", "luo-v5", origin="abi", places=(("luo-v5", Location("abi/luo.h")), ("x", Location("abi/memfd.h"))))
    assert (True, False) == (would_show(everything, build, memfd), would_show(everything, build, chosen))
    assert (False, False) == (would_show(everything, btf, memfd), would_show(everything, source("object", "luo-v5"), memfd))
    assert (True, False) == (would_show(everything, headers, memfd), would_show(everything, replace(headers, places=()), memfd))
    assert (True, True) == (would_show(everything, source("schemas", "luo-v5"), chosen), would_show(headers, headers, memfd))
    assert not would_show(everything, source("schemas", "luo-v5", origin="luo.py"), memfd)


def test_versions_that_one_side_does_not_know() -> None:
    """Bytes are judged by themselves when a source knows no version: nobody is told apart by it."""
    bare = replace(shipped("memfd-v1")[0], compatible=None, carrier="unknown", name="memfd")
    for old, new in ((shipped("memfd-v2"), (bare,)), ((bare,), shipped("memfd-v2"))):
        report = examine([(Declared("a", "schemas", HERE, old), Declared("b", "build", HERE, new))])
        assert ("MISREAD", "MISREAD") == (str(report.read_old), str(report.read_new))


def test_one_type() -> None:
    """Of one struct only what it leads to is left, by its own name or that of a typedef; a name that nobody has is missing."""
    one = only_type(source("schemas", "luo-v5"), "luo_session_ser")
    assert [{"luo_session_ser", "luo_file_set_ser", "luo_file_ser"}] == [{each.name for each in layout.structs} for layout in one.formats]
    aliased = replace(source("headers", "memfd-v2"), aliases=(("folio_t", "memfd_luo_folio_ser"),))
    assert ["memfd_luo_folio_ser"] == [layout.root for layout in only_type(aliased, "folio_t").formats]
    assert ("there has no struct nope",) == only_type(source("schemas", "luo-v5"), "nope").missing


def test_two_byte_orders() -> None:
    """No kernel reads the other order: evidence that is missing, not a verdict."""
    big = replace(source("build", "luo-v5"), environment=Environment(4096, "big"))
    report = examine([(source("build", "luo-v5"), big)])
    assert (None, 1) == (report.read_old, len(report.missing))
