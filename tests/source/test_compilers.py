# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One declaration, every way to learn its layout: libclang on the text, gcc's DWARF 2 to 5 and gcc's BTF of the object. They agree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from declarations import declaration
from hypothesis import HealthCheck, given, settings

from devstate.layout.model import Environment, Layout, StructLayout
from devstate.layout.registry import Registry
from devstate.source.opening import open_layouts

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

REGISTRY = Registry.shipped()
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

ALL = """
#include <stdint.h>
typedef unsigned int __be32;
enum kind { A, B = 7, C = -1 };
typedef struct { uint32_t a : 3, b : 9; uint64_t c; } nameless;
struct __attribute__((packed)) inner { uint8_t x; uint16_t y; };
struct outer {
  uint8_t p; uint32_t q : 5; uint32_t : 0; uint32_t r : 20; struct inner in[3]; union { uint64_t u; struct { uint32_t lo, hi; }; };
  enum kind k; char name[16]; char m[2][4]; void (*fn)(int); __be32 be; float f; double d; union { int i; char c[9]; } un;
  struct { short s; } nested; _Bool flag; nameless n; uint16_t count; uint64_t tail[];
};
union either { int a; char b[12]; };
struct outer outer; nameless n; union either either;
"""


def compiled(folder: Path, text: str, *flags: str) -> str:
    """The object file of a text."""
    source = folder / "text.c"
    source.write_text(text, encoding="utf-8")
    made = folder / f"text{''.join(flags)}.o"
    subprocess.run(["gcc", "-w", *flags, "-c", str(source), "-o", str(made)], check=True, capture_output=True)
    return str(made)


def layout(path: str, name: str | None = None) -> Layout:
    """The one layout of a source."""
    (found,) = open_layouts(path, Environment(), type_name=name, registry=REGISTRY).formats
    return found


def bytes_of(struct: StructLayout) -> object:
    """What decides about bytes and meaning, and whether it is called the same."""
    fields = [(f.name, f.offset, f.size, f.type, f.shift, f.width, f.kind, f.names, f.gap, f.target) for f in struct.fields]
    return struct.name, struct.size, struct.flexible, fields


@pytest.mark.parametrize("version", [("-gdwarf-2", "-gstrict-dwarf"), ("-gdwarf-3", "-gstrict-dwarf"), ("-gdwarf-4",), ("-gdwarf-5",)])
def test_dwarf_of_every_version(tmp_path: Path, version: tuple[str, ...]) -> None:
    """Bit-fields in both encodings, unnamed members, typedefs of nameless structs, unions, enums, arrays of arrays, open ends."""
    from_object = layout(compiled(tmp_path, ALL, *version))
    from_text = layout(str(tmp_path / "text.c"))
    assert {each.name: bytes_of(each) for each in from_text.structs} == {each.name: bytes_of(each) for each in from_object.structs}
    assert {"outer", "inner", "nameless", "either"} <= {each.name for each in from_object.structs}


@pytest.mark.parametrize("flag", ["-gdwarf-5", "-gbtf"])
def test_one_type(tmp_path: Path, flag: str) -> None:
    """--type finds a tag, a typedef of a nameless struct, and a union; what it embeds comes with it, and nothing else does."""
    made = compiled(tmp_path, ALL, flag)
    assert ["inner", "outer.u.lo", "outer.nested", "nameless", "outer"] == [each.name for each in layout(made, "outer").structs]
    assert ["nameless"] == [each.name for each in layout(made, "nameless").structs]
    (either,) = layout(made, "either").structs
    assert [("a", 12)] == [(field.name, field.size) for field in either.fields]


def test_places(tmp_path: Path) -> None:
    """DWARF and headers know the line of each struct and field."""
    made = compiled(tmp_path, ALL, "-gdwarf-5")
    for path in (made, str(tmp_path / "text.c")):
        found = open_layouts(path, Environment(), registry=REGISTRY)
        places = [found.place(each) for each in ("inner.y", "outer", "outer.nested.s", "outer.name.deeper")]
        assert [6, 7, 10, 9] == [None if place is None else place.line for place in places]


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(text=declaration())
def test_gcc_and_libclang_agree(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """On any declaration, packed or not; DWARF in both encodings of bit-fields."""
    folder = tmp_path_factory.mktemp("text")
    new = layout(compiled(folder, text, "-gdwarf-5"), "it")
    old = layout(compiled(folder, text, "-gdwarf-3", "-gstrict-dwarf"), "it")
    from_text = layout(str(folder / "text.c"))
    wanted = {each.name: bytes_of(each) for each in new.structs}
    assert wanted == {each.name: bytes_of(each) for each in old.structs}
    assert wanted == {each.name: bytes_of(each) for each in from_text.structs if each.name in wanted}


@pytest.mark.parametrize("flags", [("-gdwarf-3", "-gstrict-dwarf"), ("-gdwarf-5",)])
def test_a_bit_field_across_its_unit(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Packed bit-fields run over the end of their unit: old formats count from its top, so below zero, in a number without a sign."""
    text = "struct it { int a; int b : 1; int c : 1; int d : 31; long e : 60; } __attribute__((packed)); struct it it;"
    (it,) = layout(compiled(tmp_path, text, *flags), "it").structs
    spots = [(field.name, 8 * field.offset + (field.shift or 0), field.width) for field in it.fields]
    assert [("a", 0, None), ("b", 32, 1), ("c", 33, 1), ("d", 34, 31), ("e", 65, 60)] == spots[:5]


def test_units_that_differ(tmp_path: Path) -> None:
    """Two units may define one name; a struct that differs is no answer."""
    one, two = tmp_path / "one.c", tmp_path / "two.c"
    one.write_text("struct it { int a; } one;", encoding="utf-8")
    two.write_text("struct it { long a; } two;", encoding="utf-8")
    made = str(tmp_path / "both.o")
    for name in (one, two):
        subprocess.run(["gcc", "-g", "-c", str(name), "-o", str(name.with_suffix(".o"))], check=True)
    subprocess.run(["ld", "-r", str(one.with_suffix(".o")), str(two.with_suffix(".o")), "-o", made], check=True)
    from devstate.errors import UsageError

    with pytest.raises(UsageError, match="2 times a struct 'it', and they differ"):
        layout(made, "it")
    assert ["it"] == [each.name for each in layout(str(one.with_suffix(".o"))).structs]


def test_plain_classes(tmp_path: Path) -> None:
    """Classes of C++ are structs; bases are unnamed members."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    source = tmp_path / "text.cc"
    source.write_text("struct base { int a; }; struct it : base { static int s; long b; }; it x;", encoding="utf-8")
    subprocess.run(["g++", "-g", "-c", str(source), "-o", str(tmp_path / "it.o")], check=True)
    (found,) = [each for each in layout(str(tmp_path / "it.o"), "it").structs if each.name == "it"]
    assert [("a", 0), ("_pad4", 4), ("b", 8)] == [(field.name, field.offset) for field in found.fields]


def test_nothing_is_described(tmp_path: Path) -> None:
    """An object or a header without any struct is missing evidence, and no pass."""
    for path in (compiled(tmp_path, "int x;", "-g"), str(tmp_path / "text.c")):
        found = open_layouts(path, Environment(), registry=REGISTRY)
        assert ((), 1) == (found.formats, len(found.missing))


def test_damage_has_the_name_of_its_file(tmp_path: Path) -> None:
    """Whatever reader meets it."""
    data = Path(compiled(tmp_path, ALL, "-g")).read_bytes()
    path = tmp_path / "cut.o"
    path.write_bytes(data[: len(data) // 2])
    from devstate.errors import DecodeError

    with pytest.raises(DecodeError, match=r"cut\.o"):
        layout(str(path))


def test_no_debug_information(tmp_path: Path) -> None:
    """Said plainly, with what to do."""
    from devstate.errors import UsageError

    with pytest.raises(UsageError, match="neither BTF nor DWARF; compile it with -g"):
        layout(compiled(tmp_path, ALL))
    with pytest.raises(UsageError, match="no struct or union 'nope'"):
        layout(compiled(tmp_path, ALL, "-g"), "nope")
