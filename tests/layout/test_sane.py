# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts in files may hold anything: what no compiler could lay out is refused with the part's name, and nothing else is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.compat.examine import examine
from devstate.errors import DecodeError, DevstateError
from devstate.layout.baseline import layouts_of_baseline
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout
from devstate.layout.sane import PARTS_MAX, SIZE_MAX

BASELINES = Path(__file__).resolve().parents[2] / "schemas" / "baselines"
NAMES = ("memfd-v2", "luo-v5", "kho-v1", "pci", "iommu-v1", "memfd-v1@foliodesc")


def plain(name: str) -> Any:
    """A shipped baseline."""
    return json.loads((BASELINES / f"{name}.json").read_text())


def laid(baseline: Any) -> Layout:
    """Its layout for 4K pages."""
    return layouts_of_baseline(json.dumps(baseline).encode(), "test.json")[4096]


def test_what_is_shipped_is_right() -> None:
    """Every baseline is a layout."""
    for path in BASELINES.glob("*.json"):
        assert layouts_of_baseline(path.read_bytes(), path.name)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (("size",), "8"), (("size",), -1), (("size",), SIZE_MAX + 1), (("size",), True), (("offset",), 1.5), (("name",), 7),
        (("type", "size"), 3), (("type", "order"), "middle"), (("type",), "u64"), (("shift",), 1), (("names",), [["A"]]),
        (("names",), [["A", 1 << 64]]), (("must",), 1 << 64), (("doc",), None), (("target",), {"kind": 1}),
    ],
)  # fmt: skip
def test_what_is_refused(change: tuple[str, ...], value: object) -> None:
    """A part of another type, and a number that nothing could have; the path leads to it."""
    baseline = plain("memfd-v2")
    field = baseline["layouts"][0]["layout"]["structs"][-1]["fields"][0]
    for step in change[:-1]:
        field = field[step]
    field[change[-1]] = value
    with pytest.raises(DecodeError) as error:
        laid(baseline)
    assert "test.json" in str(error.value)


def test_limits() -> None:
    """The largest size is taken, and as many parts as there may be; one more is not."""
    baseline = plain("memfd-v2")
    struct = baseline["layouts"][0]["layout"]["structs"][-1]
    struct["size"] = SIZE_MAX
    assert SIZE_MAX == laid(baseline).struct().size
    struct["size"] += 1
    with pytest.raises(DecodeError, match="not a layout"):
        laid(baseline)
    struct["size"] = 8
    field = {"name": "f", "offset": 0, "size": 8, "type": {"is": "struct", "struct": "s"}}
    struct["fields"] = [field] * (PARTS_MAX // 2 + 1)
    with pytest.raises(DecodeError, match="too many parts"):
        laid(baseline)


def test_bits() -> None:
    """A bit-field lies in its unit, and a flag in its integer."""
    baseline = plain("memfd-v2")
    fields = next(each for each in baseline["layouts"][0]["layout"]["structs"] if each["name"] == "memfd_luo_folio_ser")["fields"]
    assert [52, 12, None] == [field.width for field in laid(baseline).struct("memfd_luo_folio_ser").fields]
    fields[0]["width"] = 65
    with pytest.raises(DecodeError, match="bit-field"):
        laid(baseline)


VALUES = st.sampled_from([0, -1, 1, 7, 1 << 20, 1 << 63, 1 << 70, None, True, "", "x", [], {}, 1.5, [["a", 1]], [["a", -1]]])


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Any, Any]:
    """A baseline, and the same with some parts taken out or replaced."""
    whole = plain(draw(st.sampled_from(NAMES)))
    broken = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        at: Any = broken["layouts"]
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(at[key], dict | list) or draw(st.integers(0, 5)) == 0:
                if draw(st.booleans()):
                    del at[key]
                else:
                    at[key] = copy.deepcopy(draw(VALUES))
                break
            at = at[key]
    return whole, broken


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_files(pair: tuple[Any, Any]) -> None:
    """Any damage is refused, or compared like any other layout: with its proofs, and with errors of ours only."""
    try:
        sides = [Declared(name, "baselines", Environment(), (laid(each),)) for name, each in zip(("a", "b"), pair, strict=True)]
        examine([(sides[0], sides[1])])
        examine([(sides[1], sides[0])])
    except (DevstateError, KeyError) as error:
        assert isinstance(error, DevstateError) or error.args == (4096,)
