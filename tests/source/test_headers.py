# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""C headers in the kernel's style and in plain C: what a compiler makes of them, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devstate.errors import HeaderError, LimitError, UsageError
from devstate.layout.declared import Declared
from devstate.layout.model import ArrayType, BytesType, Environment, IntType, Layout
from devstate.layout.registry import Registry
from devstate.source import header_files, headers
from devstate.source.opening import open_layouts

REGISTRY = Registry.shipped()

CARD = """
#include <linux/types.h>
#include <linux/nothing_that_exists.h>
#include <asm/page.h>
/* The version */
#define CARD_COMPATIBLE\t"card-v1"
#define CARD_NAME_LEN 16
#define CARD_ENTRIES ((PAGE_SIZE - sizeof(struct card_header)) / \\
\tsizeof(struct card_entry_ser))
#define CARD_ENTRY_BUSY BIT(0)
#define CARD_ENTRY_GONE (1U << 3)
#define CARD_ALL_MODES (CARD_MODE_FAST | CARD_MODE_SAFE)
#define CARD_MODE_FAST 0x1
#define CARD_MODE_SAFE 0x4
#define CARD_SLOTS_MAX 100
#define CARD_STRANGE(x) (x)
#define CARD_NOT_A_NUMBER struct card_header

enum card_consts { CARD_DEPTH = DIV_ROUND_UP(64 - PAGE_SHIFT, PAGE_SHIFT - 3) };
enum card_kind { CARD_SMALL, CARD_LARGE = 4 };

/**
 * struct card_header - what stands at the beginning
 * @next: the next page,
 *        0 ends the chain
 */
struct card_header { u64 next; } __packed;

/**
 * struct card_entry_ser - one entry
 * @pa: where it is
 *
 * If this structure is modified, `CARD_COMPATIBLE` must be updated.
 */
struct card_entry_ser {
\tu64 pa : 52;
\tu64 flags : 12;
\t__be32 id;
\t/** @kind: what it is */
\tenum card_kind kind;
} __packed;

struct card_ser {
\tchar compatible[ALIGN(sizeof(CARD_COMPATIBLE), 8)];
\tchar name[CARD_NAME_LEN];
\tu32 modes;
\tphys_addr_t first;
\tstruct list_head list;
\tDECLARE_BITMAP(map, PAGE_SIZE);
\tu16 nr;
\tstruct card_entry_ser entries[] __counted_by(nr);
} __packed;

gfp_t card_alloc(struct unknown *x, enum unknown_enum y, foo_t z);
static inline int card_inline(struct card_ser *c) { return unknown_call(c->nothing); }
"""


def write(folder: Path, text: str, name: str = "card.h") -> str:
    """A header in a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def opened(path: str, page_size: int = 4096, order: str = "little", **settings: object) -> Declared:
    """What the source declares."""
    environment = Environment(page_size, "big" if order == "big" else "little")
    return open_layouts(path, environment, registry=REGISTRY, **settings)  # type: ignore[arg-type]  # named settings


def only(path: str, **settings: object) -> Layout:
    """The one format of a source."""
    (found,) = opened(path, **settings).formats  # type: ignore[arg-type]  # named settings
    return found


def test_a_header_in_the_style_of_the_kernel(tmp_path: Path) -> None:
    """Types, attributes, macros and enums of the kernel; unknown includes are empty; unknown types in functions lay nothing out."""
    card = only(write(tmp_path, CARD))
    assert ("card-v1", "card-v1", "card_ser", "field:compatible", "CARD_COMPATIBLE") == (
        card.name, card.compatible, card.root, card.carrier, card.owner,
    )  # fmt: skip
    assert {"card_header": 8, "card_entry_ser": 16, "list_head": 16, "card_ser": 8 + 16 + 4 + 8 + 16 + 512 + 2} == {
        each.name: each.size for each in card.structs
    }
    fields = {field.name: field for field in card.struct().fields}
    assert (BytesType(8, text=True), BytesType(16, text=True)) == (fields["compatible"].type, fields["name"].type)
    assert ArrayType(IntType(8), 8, 64) == fields["map"].type
    assert (None, "nr", 16) == (fields["entries"].type.count, fields["entries"].type.counted_by, fields["entries"].type.stride)  # type: ignore[union-attr]
    assert card.struct().flexible and card.struct().packed
    entry = {field.name: field for field in card.struct("card_entry_ser").fields}
    assert [(0, 8, 0, 52), (0, 8, 52, 12)] == [(f.offset, f.size, f.shift, f.width) for f in (entry["pa"], entry["flags"])]
    assert "big" == entry["id"].type.order  # type: ignore[union-attr]
    assert ("enum", (("CARD_SMALL", 0), ("CARD_LARGE", 4))) == (entry["kind"].kind, entry["kind"].names)
    assert ["kernel", "kernel"] == [each.target.kind for each in card.struct("list_head").fields if each.target is not None]


def test_names_of_bits_limits_and_constants(tmp_path: Path) -> None:
    """Macros that name bits of a field are its names; what a struct mentions is no constant; the rest are limits and constants."""
    card = only(write(tmp_path, CARD))
    flags, modes = card.struct("card_entry_ser").field("flags"), card.struct().field("modes")
    assert ("flags", (("BUSY", 0), ("GONE", 3))) == (flags.kind, flags.names)
    assert ("flags", (("FAST", 0), ("SAFE", 2))) == (modes.kind, modes.names)
    assert (("CARD_SLOTS_MAX", 100),) == card.limits
    assert {"CARD_ENTRIES": 255, "CARD_MODE_FAST": 1, "CARD_MODE_SAFE": 4, "CARD_DEPTH": 6} == dict(card.constants)


def test_documentation(tmp_path: Path) -> None:
    """Kernel-doc above a struct and beside a member, over several lines."""
    card = only(write(tmp_path, CARD))
    assert "the next page, 0 ends the chain" == card.struct("card_header").field("next").doc
    assert ["where it is", "what it is"] == [card.struct("card_entry_ser").field(name).doc for name in ("pa", "kind")]
    assert "what stands at the beginning" == card.struct("card_header").doc


def test_places_and_owners(tmp_path: Path) -> None:
    """Every struct, field, macro and constant has its line, below continued lines too; comments that name a version are kept."""
    path = write(tmp_path, CARD)
    found = opened(path)
    lines = CARD.splitlines()
    for subject, text in (
        ("card-v1", "#define CARD_COMPATIBLE"), ("CARD_COMPATIBLE", "#define CARD_COMPATIBLE"),
        ("CARD_SLOTS_MAX", "#define CARD_SLOTS_MAX"),
        ("CARD_DEPTH", "enum card_consts"), ("card_entry_ser", "struct card_entry_ser {"), ("card_entry_ser.flags", "\tu64 flags"),
        ("card_ser.nr", "\tu16 nr"),
    ):  # fmt: skip
        place = found.place(subject)
        assert place is not None and place.source == path
        assert place.line is not None and lines[place.line - 1].startswith(text), subject
    assert (("card_entry_ser", "CARD_COMPATIBLE"),) == found.owners


@pytest.mark.parametrize(("page_size", "depth", "entries", "bits"), [(4096, 6, 255, 64), (16384, 5, 1023, 256), (65536, 4, 4095, 1024)])
def test_page_sizes(tmp_path: Path, page_size: int, depth: int, entries: int, bits: int) -> None:
    """Sizes and constants follow the kernel's pages."""
    card = only(write(tmp_path, CARD), page_size=page_size)
    constants = dict(card.constants)
    assert (depth, entries, bits) == (constants["CARD_DEPTH"], constants["CARD_ENTRIES"], card.struct().field("map").type.count)  # type: ignore[union-attr]


def test_big_endian(tmp_path: Path) -> None:
    """Bit-fields are allocated from the top, and headers see the byte order."""
    text = CARD + "#ifdef __BIG_ENDIAN_BITFIELD\nstruct big { u8 x; };\n#endif\n"
    card = only(write(tmp_path, text), order="big")
    entry = {field.name: field for field in card.struct("card_entry_ser").fields}
    assert [12, 0] == [entry["pa"].shift, entry["flags"].shift]
    assert "big" in {each.name for each in card.structs}


def test_plain_c(tmp_path: Path) -> None:
    """A file with C's own types, and with function bodies that nobody can compile here."""
    text = "#include <stdint.h>\n#include <stdbool.h>\nstruct it { uint8_t a; int64_t b; size_t c; bool d; };\n"
    it = only(write(tmp_path, text + "int main(void) { return x(FILE); }\n", "it.c"))
    assert ("structs", None, "unknown") == (it.name, it.compatible, it.carrier)
    assert [("a", 0), ("_pad1", 1), ("b", 8), ("c", 16), ("d", 24), ("_pad25", 25)] == [
        (field.name, field.offset) for field in it.structs[0].fields
    ]


def test_types_of_its_own(tmp_path: Path) -> None:
    """A header may define what the kernel has as well, when it does not ask for the kernel's."""
    it = only(write(tmp_path, "typedef unsigned long u64_t;\nstruct list_head { int x; };\nstruct it { u64_t a; struct list_head l; };\n"))
    assert {"it": 16, "list_head": 4} == {each.name: each.size for each in it.structs}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("#include <linux/types.h>\nstruct a {\n  foo_t x;\n};\n", 3, "unknown type name 'foo_t'"),
        ("struct a {\n  struct b c;\n};\n", 2, "incomplete type"),
        ("#include <linux/types.h>\nstruct a { u8 x; };\nstatic_assert(sizeof(struct a) == 2);\n", 3, "static assertion failed"),
        ("#error not today\n", 1, "not today"),
        ("struct a { int x; };\nstruct a { int y; };\n", 2, "redefinition"),
    ],
)
def test_what_a_compiler_refuses(tmp_path: Path, text: str, line: int, said: str) -> None:
    """The compiler's own words, with the line of the user's file."""
    path = write(tmp_path, text)
    with pytest.raises(HeaderError, match=said) as caught:
        opened(path)
    assert f"{path}:{line}:" in str(caught.value)


def test_an_attribute_from_nowhere(tmp_path: Path) -> None:
    """A macro that no header defines would be a variable, and the struct would silently not be packed."""
    text = "#include <linux/types.h>\nstruct a {\n  u8 x; u32 y;\n} __card_packed;\n"
    with pytest.raises(HeaderError, match=r"card.h:4: __card_packed behind a struct is no attribute .*--define __card_packed"):
        opened(write(tmp_path, text))
    found = only(write(tmp_path, text), defines=("__card_packed=__packed",))
    assert 5 == found.structs[0].size


def test_what_only_one_type_needs(tmp_path: Path) -> None:
    """A C file is full of types that only its kernel knows: with --type what the struct embeds must compile, and nothing else."""
    text = """#include <linux/module.h>
#include "internal.h"
static DEFINE_MUTEX(lock);
struct state { struct mutex lock; int x; };
struct it { u32 a; struct part p; } __packed;
struct other { struct broken b; };
static const struct ops ops = {
\t.owner = THIS_MODULE,
};
static int run(struct nobody *x) { return x->y; }
MODULE_LICENSE("GPL");
"""
    write(tmp_path, "#pragma once\nstruct part { u8 z; };\nstruct broken { nothing_t x; };\n", "internal.h")
    path = write(tmp_path, text, "it.c")
    with pytest.raises(HeaderError, match=r"it.c:4:.*incomplete type 'struct mutex'"):
        opened(path)
    (found,) = opened(path, type_name="it").formats
    assert {"it": 5, "part": 1} == {each.name: each.size for each in found.structs if each.name in ("it", "part")}
    for name, said in (("state", "it.c:4:.*incomplete type"), ("other", "internal.h:3:.*unknown type name 'nothing_t'")):
        with pytest.raises(HeaderError, match=said):
            opened(path, type_name=name)


def test_faults_of_what_is_only_included(tmp_path: Path) -> None:
    """They count for the structs that embed what they spoil."""
    write(tmp_path, "#pragma once\nstruct part { unsigned char z; };\nstruct broken { nothing_t x; };\n", "other/internal.h")
    text = '#include <linux/types.h>\n#include "other/internal.h"\nstruct it { struct part p; };\n'
    assert {"part": 1, "it": 1} == {each.name: each.size for each in only(write(tmp_path, text)).structs}
    with pytest.raises(HeaderError, match=r"internal.h:3:"):
        opened(write(tmp_path, text + "struct bad { struct broken b; };\n"))


def test_user_space_headers_of_a_kernel(tmp_path: Path) -> None:
    """What stands under uapi is read as user space reads it, with the machine's own headers."""
    write(tmp_path, "struct part { __u32 x; };\n", "arch/x86/include/uapi/asm/card.h")
    text = "#include <linux/types.h>\n#include <asm/card.h>\n#ifdef __KERNEL__\n#error no\n#endif\n"
    path = write(tmp_path, text + "struct it { struct part p; __aligned_u64 y; };\n", "include/uapi/linux/card.h")
    assert {"part": 4, "it": 16} == {each.name: each.size for each in only(path).structs}


def test_includes_by_name(tmp_path: Path) -> None:
    """Beside the file, in the directory that was copied flat, in a directory that the user names; never outside of these."""
    write(tmp_path, "#pragma once\nstruct inner { int x; };\n", "abi/inner.h")
    write(tmp_path, "struct other { int x; };\n", "more/sub/other.h")
    write(
        tmp_path,
        '#include <linux/kho/abi/inner.h>\n#include "inner.h"\n#include <sub/other.h>\nstruct it { struct inner i; struct other o; };\n',
        "abi/it.h",
    )
    with pytest.raises(HeaderError, match="incomplete type 'struct other'"):
        opened(str(tmp_path / "abi"))
    it = only(str(tmp_path / "abi"), include=(str(tmp_path / "more"),))
    assert ["inner", "other", "it"] == [each.name for each in it.structs]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('#include "/etc/hostname"\n', "leads out of the source"),
        ("#include </etc/hostname>\n", "leads out of the source"),
        ('#include "../../etc/passwd.h"\n', "leads out of the source.*--include"),
        ('#include "../../etc/nothing.h"\n', "leads out of the source"),
        ('#define X "/dev/zero"\n#include X\n', "include by macro"),
        ("#include <../../../../../../../dev/zero>\n", "leads out of the source"),
        ("#include <linux/../../../../../../../dev/zero>\n", "leads out of the source"),
    ],
)
def test_includes_that_lead_out(tmp_path: Path, text: str, said: str) -> None:
    """Nothing outside of the source is opened."""
    path = write(tmp_path, text + "struct it { int x; };\n", "deep/er/it.h")
    write(tmp_path, "this is no C", "etc/passwd.h")
    with pytest.raises(HeaderError, match=said):
        opened(path)


def test_no_compiler_runs_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Macros that expand without end meet the limit of the process, and that is an error of ours."""
    monkeypatch.setattr(headers, "SECONDS_MAX", 2)
    lines = ["#define A0 x,"] + [f"#define A{n} A{n - 1} A{n - 1}" for n in range(1, 40)]
    path = write(tmp_path, "\n".join(lines) + "\nenum e { A39 };\n")
    with pytest.raises((LimitError, HeaderError)):
        opened(path)


def test_limits_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is read, one above it is not; what is no text is not C."""
    text = "struct it { int x; };\n"
    path = write(tmp_path, text)
    monkeypatch.setattr(header_files, "FILE_MAX", len(text))
    assert ["it"] == [each.name for each in only(path).structs]
    monkeypatch.setattr(header_files, "FILE_MAX", len(text) - 1)
    with pytest.raises(HeaderError, match="no C source"):
        opened(path)
    monkeypatch.undo()
    Path(path).write_bytes(b"struct it { int x; \0 };")
    with pytest.raises(HeaderError, match="NUL"):
        opened(path)
    monkeypatch.setattr(header_files, "FILES_MAX", 0)
    with pytest.raises(UsageError, match="more than 0 headers"):
        opened(str(tmp_path))


def test_no_libclang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "clang", None)
    monkeypatch.setitem(sys.modules, "clang.cindex", None)
    with pytest.raises(UsageError, match=r"devstate\[headers\]"):
        opened(write(tmp_path, CARD))


def test_no_directory_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that compilers take includes from are not for this one."""
    write(tmp_path, "struct more { int x; };\n", "more/more.h")
    for name in ("CPATH", "C_INCLUDE_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "more"))
    with pytest.raises(HeaderError, match="incomplete type 'struct more'"):
        opened(write(tmp_path, "#include <more.h>\nstruct it { struct more m; };\n", "it/it.h"))


def test_other_languages_and_names(tmp_path: Path) -> None:
    """C++ is not read, and that is said; preprocessed C is; a path that no include can name is refused."""
    with pytest.raises(UsageError, match="compile it with -g"):
        opened(write(tmp_path, "struct it { int x; };\n", "it.cc"))
    assert ["it"] == [each.name for each in only(write(tmp_path, '# 1 "it.c"\nstruct it { int x; };\n', "it.i")).structs]
    with pytest.raises(UsageError, match="quotes"):
        opened(write(tmp_path, "struct it { int x; };\n", 'i"t.h'))


def test_a_directory_without_headers(tmp_path: Path) -> None:
    """Said plainly."""
    with pytest.raises(UsageError, match="no C header"):
        opened(str(tmp_path))
