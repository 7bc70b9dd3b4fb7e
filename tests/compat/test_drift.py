# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Drift: pictures of one struct held to each other, texts held to what is declared, kernel-doc held to members; and types as spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.compat.drift import Picture, common, drift, kernel_doc, strings_of, structs_in_texts, versions_in_texts
from devstate.compat.spelling import spelled
from devstate.finding import Location
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.source.claims import claims_of, mentions_of, structs_named_in
from devstate.source.opening import open_layouts


def layout(name: str) -> Layout:
    """A shipped layout."""
    return Registry.shipped().layout(name, Environment())


def picture(word: str, *formats: Layout, places: tuple[tuple[str, Location], ...] = ()) -> Picture:
    """A picture of some formats."""
    return Picture(word, Declared(word, "schemas", Environment(), formats, places))


def test_equal_pictures() -> None:
    """Names of bits, links, docs and versions may differ: they are not what a compiler knows."""
    memfd = layout("memfd-v2")
    plain = tuple(
        replace(each, doc="", fields=tuple(replace(field, target=None, names=(), kind="", doc="", must=None) for field in each.fields))
        for each in memfd.structs
    )
    other = replace(memfd, structs=plain, compatible=None, carrier="unknown", limits=(("x", 1),))
    assert [] == list(drift([picture("schema", memfd), picture("BTF", other)]))
    assert len(memfd.structs) == common([picture("schema", memfd), picture("BTF", other)])
    assert 0 == common([picture("schema", memfd), picture("BTF", layout("luo-v5"))])


def test_a_different_struct() -> None:
    """Each pair is held to each other; the place is that of the second source, else of the first."""
    place = Location("memfd.h", line=84)
    old = picture("schema", layout("memfd-v1"))
    new = picture("header", layout("memfd-v2"), places=(("memfd_luo_ser.seals", place),))
    btf = picture("BTF", layout("memfd-v2"))
    (one,) = drift([old, new])
    assert ("DS502", "error", "memfd.h:84:memfd_luo_ser.seals") == (one.rule, str(one.severity), str(one.location).replace("+0x10:", ""))
    assert one.message.startswith("schema and header: new: seals (u32 at 16)")
    assert ["schema and header", "schema and BTF"] == [each.message.partition(":")[0] for each in drift([old, new, btf])]
    assert ["memfd.h"] == [each.location.source for each in drift([new, picture("BTF", layout("memfd-v1"))])]


@pytest.mark.parametrize("release", ["7.2", "7.3"])
def test_real_kernels(captures: Path, release: str) -> None:
    """The shipped schemas of a release are what its kernel was built with: no false alarm over all its structs."""
    registry = Registry.shipped()
    schema = Picture("schema", open_layouts(release, Environment(), registry=registry))
    btf = Picture("BTF", open_layouts(str(captures / f"vmlinux-{release}.btf"), Environment(), registry=registry))
    assert 15 < common([schema, btf])
    assert [] == [f"{each.location}: {each.message}" for each in drift([schema, btf])]


def test_versions_in_texts() -> None:
    """A text that names another version of what is declared drifts; a current one, one of two, or an unknown family does not."""
    strings = [("kho-v4", "KHO_FDT_COMPATIBLE"), ("luo-v1", "A"), ("luo-v2", "B")]
    text = 'compatible = "kho-v3";\n"kho-v4"\n"luo-v1" "luo-v2"\n"other-v1"\n"luo-v7"'
    found = list(versions_in_texts(mentions_of(text, "kho.rst"), strings))
    assert ["kho.rst:1:kho-v3", "kho.rst:5:luo-v7"] == [str(each.location) for each in found]
    assert "the text says kho-v3, KHO_FDT_COMPATIBLE is kho-v4" == found[0].message
    assert {"warning"} == {str(each.severity) for each in found}
    assert [("memfd-v2", "the schema memfd-v2")] == strings_of([layout("memfd-v1"), layout("memfd-v2"), layout("kho-block")])


def test_structs_in_texts() -> None:
    """A struct that nothing declares, and that is nearly one that something does; what is like none is somebody else's."""
    named = structs_named_in("struct luo_session_ser\nstruct luo_sesion_ser\nstruct other_thing_ser", "luo.rst")
    (found,) = structs_in_texts(named, ["luo_session_ser", "luo_file_ser"])
    assert ("luo.rst:2:luo_sesion_ser", "warning") == (str(found.location), str(found.severity))
    assert found.message.endswith("which nothing declares; is luo_session_ser meant?")


def test_kernel_doc() -> None:
    """Members that are explained and not there, and the other way round. Structs without kernel-doc, and macros, are let be."""
    text = (
        "/**\n * struct a - b\n * @x: y\n * @gone: z\n * @first: p\n */\n"
        "struct a { u8 x; u8 silent; DECLARE_KHOSER_PTR(first, struct b *); };\nstruct c { u8 d; };"
    )
    assert [("a.gone", 4), ("a.silent", 7)] == [(each.location.path, each.location.line) for each in kernel_doc(claims_of(text, "h.h"))]


SPELLED = [
    ("u64", None), ("__le32", None), ("char", None), ("struct b", None), ("s8", None), ("unsigned int", "info"), ("short", "info"),
    ("long long", "info"), ("unsigned long", "warning"), ("long", "warning"), ("size_t", "warning"), ("phys_addr_t", "warning"),
    ("bool", "warning"), ("enum kind", "warning"), ("struct page *", "error"), ("void *", "error"), ("struct list_head", "error"),
    ("spinlock_t", "error"), ("const char *", "error"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "severity"), SPELLED)
def test_types_as_they_are_spelled(kind: str, severity: str | None) -> None:
    """What says its size everywhere is fine; the rest by what it costs."""
    found = list(spelled(claims_of(f"struct a {{\n {kind} x;\n}};", "h.h")))
    assert ([] if severity is None else [(severity, "DS503", "h.h:2:a.x")]) == [
        (str(each.severity), each.rule, str(each.location)) for each in found
    ]
