# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""May this host jump? The real history of releases, real kernels, real handovers, damaged manifests."""

from __future__ import annotations

import json
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.cli.predict import carried_by
from devstate.compat.manifest import build_manifest, from_dict, load_manifest, release_manifest, to_dict
from devstate.compat.matrix import matrix
from devstate.compat.predict import CHOSEN, FILES, Carried, Outcome, Verdict, predict
from devstate.errors import DecodeError, UsageError
from devstate.frozen import replace
from devstate.layout.registry import Registry
from devstate.source.build import read_build

REGISTRY = Registry.shipped()

HISTORY = [
    ("6.16", "6.17", "OK", {}),
    ("6.17", "6.18", "BLOCK", {"KHO root": ("MISREAD", "silent-wrong", "changed-without-bump")}),
    ("6.18", "6.19", "OK", {}),
    ("6.19", "7.0", "BLOCK", {"LUO": ("REFUSED", "panic", "node-missing"), "preserved files": ("REFUSED", "panic", "not-reached")}),
    ("7.0", "6.19", "OK", {"LUO": ("OK", "accepted", "superset")}),
    ("6.19", "6.18", "BLOCK", {"LUO": ("REFUSED", "ignored", "no-reader")}),
    ("7.0", "7.1", "BLOCK", {"KHO root": ("REFUSED", "ignored", "string-differs"), "LUO": ("REFUSED", "ignored", "not-reached")}),
    ("7.1", "7.2", "BLOCK", {"KHO root": ("REFUSED", "ignored", "string-differs")}),
    ("7.2", "7.3", "OK", {"LUO": ("OK", "accepted", "same-format")}),
    ("7.3", "7.2", "OK", {}),
    ("7.3", "7.4", "OK", {"carrier setup_data": ("OK", "accepted", "names-differ")}),
]


@pytest.mark.parametrize(("old", "new", "verdict", "components"), HISTORY)
def test_releases(old: str, new: str, verdict: str, components: dict[str, tuple[str, str, str]]) -> None:
    """What the schemas say of each step is what upstream's history says."""
    prediction = predict(release_manifest(REGISTRY, old), release_manifest(REGISTRY, new), REGISTRY)
    assert verdict == str(prediction.verdict)
    found = {each.name: (str(each.outcome), each.reaction, each.reasons[0][0]) for each in prediction.components}
    assert components == {name: found[name] for name in components}


@pytest.mark.parametrize(("old", "new", "asked"), [("7.3", "7.4", "linux,kho-bootmem"), ("7.4", "7.3", "linux,kho-scratch")])
def test_the_renamed_carrier(old: str, new: str, asked: str) -> None:
    """7.4 renames a property of /chosen, which nothing versions: a silent break on devicetree machines, and on those only."""
    one, other = release_manifest(REGISTRY, old), release_manifest(REGISTRY, new)
    first = predict(one, other, REGISTRY, devicetree=True).components[0]
    assert ("carrier /chosen", Verdict.BLOCK, "ignored") == (first.name, first.verdict, first.reaction)
    assert asked in first.reasons[0][1]
    assert Verdict.OK is predict(one, other, REGISTRY).verdict


def test_page_size_decides() -> None:
    """7.1's release candidates have another tree depth on 16K pages, and there only: string and other page sizes are the same."""
    old, new = release_manifest(REGISTRY, "7.1-rc5"), release_manifest(REGISTRY, "7.1")
    verdicts = {size: predict(old, new, REGISTRY, page_size=size).verdict for size in (4096, 16384, 65536)}
    assert {4096: Verdict.OK, 16384: Verdict.BLOCK, 65536: Verdict.OK} == verdicts


def test_only_what_is_carried_counts(shipped: Path) -> None:
    """A host without files does not mind that the next kernel lacks their handler."""
    old = release_manifest(REGISTRY, "7.3")
    new = replace(old, formats=tuple(each for each in old.formats if each.place != FILES))
    assert Verdict.BLOCK is predict(old, new, REGISTRY).verdict
    small, empty = (carried_by(str(shipped / f"{name}.core.zst"), REGISTRY) for name in ("small-7.3", "empty-7.3"))
    assert Verdict.BLOCK is predict(old, new, REGISTRY, carried=small).verdict
    assert Verdict.OK is predict(old, new, REGISTRY, carried=empty).verdict
    assert {"memfd-v2"} == small.at(FILES)
    assert Carried((("KHO subtree kexec-metadata", "kexec-metadata"),)).formats[0] in empty.formats


def test_real_kernels(captures: Path) -> None:
    """Two stock kernels, from their BTF and strings alone: both ways accepted, nothing missing."""
    builds = {}
    for version in ("7.2", "7.3"):
        build = read_build(str(captures / f"vmlinux-{version}.reduced.zst"), REGISTRY)
        assert build.release is not None and build.release.startswith(f"{version}.")
        assert ((), {"kho-v4", "luo-v5", "memblock-v1", "memfd-v2", "kexec-metadata", "kho-data"}) == (build.missing, {*build.names})
        builds[version] = build_manifest(REGISTRY, version, build.release, build.names, build.missing)
    for old, new in (("7.2", "7.3"), ("7.3", "7.2")):
        prediction = predict(builds[old], builds[new], REGISTRY)
        assert ("OK", {Outcome.OK}, ()) == (
            str(prediction.verdict),
            {each.outcome for each in prediction.components},
            prediction.incomplete,
        )


def test_matrix_and_the_way_round() -> None:
    """Equal builds share their cells; a blocked jump is answered with a path over allowed ones."""
    names = ("7.0", "7.1", "7.2", "7.3")
    table = matrix([release_manifest(REGISTRY, name) for name in names], REGISTRY)
    assert names == table.names
    assert [[0], None, [2, 3]] == [table.path(0, 0), table.path(0, 3), table.path(2, 3)]
    a, b, c = (release_manifest(REGISTRY, name) for name in ("7.2", "7.3", "7.3"))
    both = replace(a, name="both", formats=(*a.formats, *release_manifest(REGISTRY, "7.1").formats))
    table = matrix([release_manifest(REGISTRY, "7.1"), both, b, c], REGISTRY)
    assert Verdict.BLOCK is table.cells[0][2].verdict
    assert table.cells[0][1].verdict is Verdict.OK


def test_round_trip() -> None:
    """JSON and msgpack give the manifest back."""
    manifest = release_manifest(REGISTRY, "7.3")
    assert manifest == load_manifest(json.dumps(to_dict(manifest)).encode(), "x")
    assert manifest == load_manifest(msgpack.packb(to_dict(manifest)), "x")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["manifest", "formats", "name", "release", "origin", "missing", "place", "mismatch"]), inner, max_size=6
            )
        ),
        max_leaves=12,
    )
)
def test_any_plain_data(plain: object) -> None:
    """What is no manifest is a DecodeError."""
    with pytest.raises(DecodeError):
        from_dict(plain, "x")


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    """What is no file of one is a DecodeError."""
    with pytest.raises(DecodeError):
        load_manifest(data, "x")


@pytest.mark.parametrize("word", ["newest", "", "7", "6.1", "5.15"])
def test_no_release(word: str) -> None:
    """A word that is no release, and releases before KHO."""
    with pytest.raises(UsageError):
        release_manifest(REGISTRY, word)


def test_a_build_for_another_kind_of_machine() -> None:
    """One that leads to its root by setup_data alone says nothing of a machine with a devicetree: that is no pass."""
    registry = Registry.shipped()
    whole = release_manifest(registry, "7.3")
    x86 = replace(whole, name="x86", formats=tuple(each for each in whole.formats if each.place != CHOSEN))
    assert () == predict(x86, whole, registry).incomplete
    (missing,) = predict(x86, whole, registry, devicetree=True).incomplete
    assert "x86: it leads to the root by setup_data type 10, not by /chosen" in missing
