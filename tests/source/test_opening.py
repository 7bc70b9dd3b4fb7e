# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any word for a source: what kind it is, and plain words for what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from btfwriter import BtfWriter, elf, every_kind

from devstate.compat.compare import compare
from devstate.errors import BtfError, DecodeError, UsageError
from devstate.frozen import replace
from devstate.layout.declared import Declared
from devstate.layout.model import ArrayType, BytesType, Environment, FieldLayout, IntType, StructLayout, UnionType
from devstate.layout.registry import Registry
from devstate.source.btf import Btf
from devstate.source.composite import Composite, Member, ValueType
from devstate.source.known import informed
from devstate.source.laying import MAX_NESTING, Laying
from devstate.source.opening import open_layouts

REGISTRY = Registry.shipped()
BASELINES = Path(__file__).resolve().parents[2] / "schemas" / "baselines"


def opened(word: object, name: str | None = None, environment: Environment | None = None) -> Declared:
    """What a source declares."""
    return open_layouts(str(word), environment or Environment(), type_name=name, registry=REGISTRY)


def names(found: Declared) -> set[str]:
    """Its formats."""
    return {each.name for each in found.formats}


# ---- what somebody wrote down ----


def test_names_and_releases() -> None:
    """A format by its name; what kernels of a release write."""
    assert ("schemas", {"luo-v5"}) == (opened("luo-v5").kind, names(opened("luo-v5")))
    assert {"memfd-v1@inline"} == names(opened("memfd-v1@inline"))
    assert {"kho-v4", "luo-v5", "memfd-v2", "memblock-v1", "kexec-metadata"} <= names(opened("7.3"))


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
@pytest.mark.parametrize("order", ["little", "big"])
def test_baselines_are_the_registry(page_size: int, order: str) -> None:
    """The committed layouts, for each environment."""
    environment = Environment(page_size, "big" if order == "big" else "little")
    found = opened(BASELINES, environment=environment)
    assert ("baselines", {*REGISTRY.summaries}) == (found.kind, names(found))
    assert all(layout == REGISTRY.layout(layout.name, environment) for layout in found.formats)
    place = found.place("memfd-v2")
    assert place is not None and str(BASELINES / "memfd-v2.json") == place.source
    assert {"memfd-v2"} == names(opened(BASELINES / "memfd-v2.json"))


def test_schemas_of_ones_own(tmp_path: Path) -> None:
    """A Python file with SCHEMAS."""
    path = tmp_path / "mine.py"
    path.write_text(
        'from devstate.schema import *\nSCHEMAS = [Schema(compatible="mine-v1", root=Struct("it", "a" / U64), '
        'source="mine.h", status="project", doc="mine")]\n',
        encoding="utf-8",
    )
    found = opened(path)
    assert ("schemas", {"mine-v1"}) == (found.kind, names(found))


@pytest.mark.parametrize("word", ["nothing-like-this", "5.4", "no/such/file", "file.h", "x.json"])
def test_nothing_of_the_kind(word: str) -> None:
    """No file, no format, no release that hands over."""
    with pytest.raises(UsageError, match=r"no such file|no file, no format|Kexec HandOver begins"):
        opened(word)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"layouts": 1}', '{"layouts": [{"page_sizes": [4096]}]}', '{"manifest": 1}', "\x81\xa1"]
)
def test_files_that_are_nothing(tmp_path: Path, text: str) -> None:
    """Neither JSON nor a form of ours."""
    path = tmp_path / "file.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DecodeError):
        opened(path)


def test_manifests(tmp_path: Path) -> None:
    """What is known here with the same bytes is there, what is not is missing evidence."""
    from devstate.compat.manifest import release_manifest, to_dict

    plain = to_dict(release_manifest(REGISTRY, "7.3"))
    plain["formats"][0]["fingerprints"]["4096"] = "0" * 16
    plain["formats"][1]["name"] = "nobody-v1"
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(plain), encoding="utf-8")
    found = opened(path)
    assert ("manifest", len(plain["formats"]) - 2, 2) == (found.kind, len(found.formats), len(found.missing))


# ---- what a compiler laid out ----


def test_real_kernels(captures: Path) -> None:
    """The formats of stock kernels, by their version strings and BTF: for 4K pages nothing on the wire tells them from the schemas."""
    for version in ("7.2", "7.3"):
        found = opened(captures / f"vmlinux-{version}.reduced.zst")
        assert ("build", (), Environment()) == (found.kind, found.missing, found.environment)
        assert {"kho-v4", "luo-v5", "memfd-v2", "memblock-v1", "kexec-metadata", "kho-data"} <= names(found)
        for layout in found.formats:
            changes = compare(REGISTRY.layout(layout.name, Environment()), layout).changes
            assert [] == [each for each in changes if each.wire], layout.name


def test_raw_btf_knows_no_versions(captures: Path) -> None:
    """Formats by their structs alone, called after the family; a page size that the structs contradict is not believed."""
    found = opened(captures / "vmlinux-7.3.btf", environment=Environment(65536))
    assert Environment(4096) == found.environment
    assert {"luo", "memfd", "kho"} <= names(found)
    assert {("unknown", None)} == {(each.carrier, each.compatible) for each in found.formats}


def test_any_struct_of_a_kernel(captures: Path) -> None:
    """Every struct can be laid out, its fields inside it and in order; the largest has hundreds of others in it."""
    found = opened(captures / "vmlinux-7.3.btf", "task_struct").formats[0]
    assert len(found.structs) > 60
    for struct in found.structs:
        at = 0
        for field in struct.fields:
            assert field.offset + field.size <= struct.size or field.size == 0
            assert field.offset >= at - (8 if field.width is not None or at else 0)
            at = field.offset


def build(strings: bytes, writer: BtfWriter | None = None) -> bytes:
    """A little kernel."""
    return elf({".BTF": (writer or memfd()).bytes(), ".rodata": b"Linux version 9.9.1 (x)\0" + strings + b"\0"})


def memfd(order: str = "<", *, more: bool = False) -> BtfWriter:
    """memfd's struct, as BTF has it; with ``more``, a field more."""
    made = BtfWriter(order)
    long = made.add(8, "u64", made.int("long long unsigned int", 8))
    u32 = made.add(8, "u32", made.int("unsigned int", 4))
    ptr = made.struct("", 8, [("phys", long, 0), ("ptr", made.add(2, "", 0), 0)], kind=5)
    u16 = made.int("short unsigned int", 2)
    area = made.struct("kho_vmalloc", 16, [("first", ptr, 0), ("total_pages", u32, 64), ("flags", u16, 96), ("order", u16, 112)])
    members = [
        ("pos", long, 0),
        ("size", long, 64),
        ("seals", u32, 128),
        ("flags", u32, 160),
        ("nr_folios", long, 192),
        ("folios", area, 256),
    ]
    size = 48
    if more:
        members.append(("extra", long, 384))
        size += 8
    made.struct("memfd_luo_ser", size, members)
    return made


def test_a_kernel_of_tomorrow(tmp_path: Path) -> None:
    """A string that is published nowhere, and a struct that is not as its string says: laid out as the kernel has them."""
    path = tmp_path / "vmlinux"
    path.write_bytes(build(b"memfd-v3\0"))
    (later,) = [each for each in opened(path).formats if each.compatible]
    assert ("memfd-v3", "luo_file_ser.data", "project") == (later.compatible, later.found_by, later.status)
    path.write_bytes(build(b"memfd-v2\0", memfd(more=True)))
    (changed,) = [each for each in opened(path).formats if each.compatible]
    assert ("memfd-v2", 56) == (changed.compatible, changed.struct().size)
    found = compare(REGISTRY.layout("memfd-v2", Environment()), changed).changes
    assert ["memfd_luo_ser.extra"] == [each.subject for each in found]


def test_two_versions_of_one_family(tmp_path: Path) -> None:
    """The newest is laid out as the kernel has it; the older one, which its decoder must know, as it was published."""
    path = tmp_path / "vmlinux"
    path.write_bytes(build(b"memfd-v1\0memfd-v2\0", memfd(more=True)))
    made = {each.name: each for each in opened(path).formats}
    assert (56, REGISTRY.layout("memfd-v1", Environment())) == (made["memfd-v2"].struct().size, made["memfd-v1"])


@pytest.mark.parametrize(("page_size", "entries"), [(16384, 2048), (65536, 8192), (12288, 1536)])
def test_the_page_size_that_structs_show(tmp_path: Path, page_size: int, entries: int) -> None:
    """It is believed more than what was asked for; a size that no kernel has is not."""
    made = memfd()
    made.struct("kho_radix_node", page_size, [("table", made.array(1, entries), 0)])
    path = tmp_path / "it.btf"
    path.write_bytes(made.bytes())
    assert (page_size if page_size != 12288 else 4096) == opened(path).environment.page_size


def test_what_only_names_and_places_say(tmp_path: Path) -> None:
    """The byte order of a typedef, an open array at the end, char or not, and that a struct must be packed."""
    made = BtfWriter()
    u32, char, u8 = made.int("unsigned int", 4), made.int("char", 1, encoding=1), made.int("unsigned char", 1)
    big, little = made.add(8, "__be32", u32), made.add(8, "__le32", u32)
    members = [("b", big, 0), ("l", little, 32), ("n", u32, 64), ("c", made.array(char, 4), 96), ("u", made.array(u8, 3), 128)]
    made.struct("it", 19, [*members, ("tail", made.array(u32, 0), 152)])
    path = tmp_path / "it.btf"
    path.write_bytes(made.bytes())
    (it,) = opened(path, "it").formats[0].structs
    kinds = {field.name: field.type for field in it.fields}
    assert [IntType(4, order=order) for order in ("big", "little", "native")] == [kinds[name] for name in ("b", "l", "n")]
    assert (BytesType(4, text=True), ArrayType(IntType(1), 1, 3), None) == (kinds["c"], kinds["u"], getattr(kinds["tail"], "count", 0))
    assert (True, True, 1) == (it.flexible, it.packed, it.align)


def test_what_a_schema_adds() -> None:
    """Of the same version everything that it knows, and that bytes are text; of another one only where fields lead."""
    known = REGISTRY.layout("memfd-v2", Environment())
    bare = replace(known.struct(), fields=tuple(replace(each, target=None, names=(), must=None, kind="") for each in known.struct().fields))
    same, other = (informed(bare, known, exact=exact) for exact in (True, False))
    assert known.struct() == same
    assert ("vmalloc", ()) == (getattr(other.field("folios").target, "kind", ""), other.field("seals").names)
    create = REGISTRY.layout("liveupdate-ioctl-create-session", Environment())
    raw = replace(create.struct().field("name"), type=ArrayType(IntType(1), 1, 64))
    struct = replace(create.struct(), fields=(raw,))
    assert BytesType(64, text=True) == informed(struct, create, exact=True).fields[0].type
    assert raw.type == informed(struct, create, exact=False).fields[0].type


@pytest.mark.parametrize("text", [b"memfd-v2x\0", b"xmemfd-v2\0", b"memfd-v\0", b"memfd-v2;\0", b"memfd-v2"])
def test_strings_that_are_no_version(tmp_path: Path, text: bytes) -> None:
    """Only a whole string counts."""
    path = tmp_path / "vmlinux"
    path.write_bytes(elf({".BTF": memfd().bytes(), ".rodata": b"Linux version 9.9.1 (x)\0" + text + b"tail"}))
    assert [] == [each.compatible for each in opened(path).formats if each.compatible]


def test_big_endian(tmp_path: Path) -> None:
    """The file's own byte order counts, whatever was asked for."""
    path = tmp_path / "be.btf"
    path.write_bytes(every_kind(">").bytes())
    found = opened(path, "all")
    assert "big" == found.environment.byte_order
    low = found.formats[0].struct("all").field("low")
    assert (12, 52) == (low.shift, low.width)


def test_modules_count_on(tmp_path: Path) -> None:
    """A module's types begin where its kernel's end: with the kernel they are read, with .BTF.base too, without either that is said."""
    kernel = every_kind()
    own = BtfWriter()
    base = len(bytes(kernel.strings))
    text = b"module_struct\0pairs\0"
    own.types = (base).to_bytes(4, "little") + (4 << 24 | 1).to_bytes(4, "little") + (16).to_bytes(4, "little")
    pair = Btf(kernel.bytes()).find("pair")[0]
    own.types += (base + 14).to_bytes(4, "little") + pair.to_bytes(4, "little") + (0).to_bytes(4, "little")
    head = (0xEB9F).to_bytes(2, "little") + b"\x01\x00" + (24).to_bytes(4, "little")
    head += b"".join(each.to_bytes(4, "little") for each in (0, len(own.types), len(own.types), len(text)))
    section = head + own.types + text
    (tmp_path / "vmlinux").write_bytes(kernel.bytes())
    (tmp_path / "it.ko").write_bytes(elf({".BTF": section}))
    (tmp_path / "whole.ko").write_bytes(elf({".BTF": section, ".BTF.base": kernel.bytes()}))
    for path, include in ((tmp_path / "it.ko", (str(tmp_path / "vmlinux"),)), (tmp_path / "whole.ko", ())):
        found = open_layouts(str(path), Environment(), type_name="module_struct", registry=REGISTRY, include=include)
        assert ["pair", "module_struct"] == [each.name for each in found.formats[0].structs]
    with pytest.raises(BtfError, match="--include VMLINUX"):
        opened(tmp_path / "it.ko", "module_struct")


# ---- composites to layouts ----


class Given:
    """Composites that a test made."""

    def __init__(self, **composites: Composite) -> None:
        self.composites = composites

    def composite(self, key: object) -> Composite:
        """By its name."""
        return self.composites[str(key)]


def laid(*, big: bool = False, **composites: Composite) -> dict[str, StructLayout]:
    """The layouts of a root ``it`` and of what is in it."""
    return {each.name: each for each in Laying(Given(**composites), big=big).run([("it", "it")])}


U8, U32, U64 = ValueType("int", 1), ValueType("int", 4), ValueType("int", 8)


def field(struct: StructLayout, name: str) -> FieldLayout:
    """One field."""
    return struct.field(name)


@pytest.mark.parametrize(
    ("at", "width", "size", "little", "big"),
    [
        (0, 3, 4, (0, 4, 0), (0, 4, 29)),
        (8, 5, 8, (0, 4, 8), (0, 4, 19)),
        (30, 4, 8, (3, 2, 6), (3, 2, 6)),
        (8, 9, 3, (1, 2, 0), (1, 2, 7)),
    ],
)
def test_the_unit_of_a_bit_field(at: int, width: int, size: int, little: tuple[int, int, int], big: tuple[int, int, int]) -> None:
    """Where its type is aligned, if it fits there and in the struct; else the fewest bytes. (offset, size, shift) in both byte orders."""
    it = Composite("it", "struct", size, (Member("b", at, U32, width),))
    for order, wanted in ((False, little), (True, big)):
        made = field(laid(big=order, it=it)["it"], "b")
        assert wanted == (made.offset, made.size, made.shift)


def test_unnamed_members() -> None:
    """Structs dissolve, unions are called after their first member, padding without a name drops out, names of two things differ."""
    inner = Composite("", "struct", 8, (Member("lo", 0, U32), Member("hi", 32, U32)))
    either = Composite("", "union", 8, (Member("all", 0, U64), Member("", 0, ValueType("struct", 8, inner="inner"))))
    deep = Composite("", "struct", 16, (Member("", 0, ValueType("struct", 8, inner="inner")), Member("", 64, U8, 3), Member("z", 72, U8)))
    it = Composite(
        "it", "struct", 24, (Member("", 0, ValueType("union", 8, inner="either")), Member("", 64, ValueType("struct", 16, inner="deep")))
    )
    made = laid(inner=inner, either=either, deep=deep, it=it)
    assert ["all", "lo", "hi", "_pad16", "z", "_pad18"] == [each.name for each in made["it"].fields]
    union = field(made["it"], "all").type
    assert isinstance(union, UnionType)
    assert [("all", "int"), ("lo", "struct")] == [(arm.name, "int" if arm.name == "all" else "struct") for arm in union.arms]
    assert {"it", "it.all.lo"} == {*made}


def test_an_endless_struct() -> None:
    """A struct that embeds itself without a name, or ever deeper ones, meets a limit."""
    loop = Composite("", "struct", 8, (Member("", 0, ValueType("struct", 8, inner="it")),))
    with pytest.raises(DecodeError, match="too large"):
        laid(it=loop)
    chain = {
        f"c{n}": Composite("", "union", 8, (Member(f"m{n}", 0, ValueType("union", 8, inner=f"c{n + 1}")),)) for n in range(MAX_NESTING)
    }
    chain[f"c{MAX_NESTING}"] = Composite("", "union", 8, (Member("end", 0, U64),))
    whole = Composite("it", "struct", 8, (Member("u", 0, ValueType("union", 8, inner="c1")),))
    assert {"it"} == {*laid(it=whole, **chain)}
    with pytest.raises(DecodeError, match="nested too deeply"):
        laid(it=replace(whole, members=(Member("u", 0, ValueType("union", 8, inner="c0")),)), **chain)


def test_two_structs_of_one_name() -> None:
    """They keep apart."""
    one, two = Composite("same", "struct", 4, (Member("a", 0, U32),)), Composite("same", "struct", 8, (Member("a", 0, U64),))
    it = Composite(
        "it", "struct", 16, (Member("x", 0, ValueType("struct", 4, inner="one")), Member("y", 64, ValueType("struct", 8, inner="two")))
    )
    made = laid(one=one, two=two, it=it)
    assert {"same": 4, "same@2": 8, "it": 16} == {name: each.size for name, each in made.items()}
