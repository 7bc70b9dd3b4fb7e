# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What holds for every shipped schema: it says what it is and where it comes from, its names are found, its numbers are the format's."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from types import ModuleType

import pytest
from releases import release

import devstate_schemas
from devstate.errors import SchemaError
from devstate.finding import Severity
from devstate.layout.compiling import schemas_of
from devstate.layout.lower import lower, tree_depth
from devstate.layout.model import PAGE_SIZES, ArrayType, BytesType, Environment, Layout, NodeLayout, TargetLayout
from devstate.layout.passes import run_passes
from devstate.schema import Phys, Schema, Struct, Tree

SCHEMAS = {schema.name: schema for schema in schemas_of(devstate_schemas)}
EACH = pytest.mark.parametrize("name", SCHEMAS)

SHADOWED = {"kho-xarray.kho_xarray_leaf.values"}
"""Fields whose name hides a method of the reference decoder's record: the kernel chose the name."""


def modules() -> list[ModuleType]:
    """Every file with a SCHEMAS list."""
    infos = pkgutil.walk_packages(devstate_schemas.__path__, "devstate_schemas.")
    return [module for info in infos if hasattr(module := importlib.import_module(info.name), "SCHEMAS")]


def layout(name: str, page_size: int = 4096) -> Layout:
    return lower(SCHEMAS[name], Environment(page_size))


def root_of(name: str, page_size: int = 4096) -> NodeLayout:
    root = layout(name, page_size).root
    assert isinstance(root, NodeLayout)
    return root


def target(name: str, field: str, page_size: int = 4096) -> TargetLayout:
    """The target of a property of a root node."""
    found = next(each.target for each in root_of(name, page_size).properties if each.name == field)
    assert found is not None
    return found


def elements(name: str, struct: str, field: str) -> list[int | None]:
    """The length of an array in each page size."""
    kinds = [layout(name, page_size).struct(struct).field(field).type for page_size in PAGE_SIZES]
    return [kind.count for kind in kinds if isinstance(kind, ArrayType)]


def test_names_are_unique() -> None:
    """A name stands for one form."""
    counts = Counter(schema.name for schema in schemas_of(devstate_schemas))
    assert {name: count for name, count in counts.items() if count > 1} == {}


def test_the_files_open_with_contract_and_drawing() -> None:
    """A schema file says what its readers hold the writer to, and draws its bytes."""
    bad = [module.__name__ for module in modules() if "::\n" not in (module.__doc__ or "")]
    assert bad == []
    exempt = {"carriers", "liveupdate"}  # no compatible covers them
    found = [module.__name__ for module in modules() if "Contract" not in (module.__doc__ or "")]
    assert [name for name in found if name.rsplit(".", 1)[-1] not in exempt] == []


@EACH
def test_a_schema_says_where_it_comes_from(name: str) -> None:
    """doc, source, status, owner and a range of releases where there is one."""
    schema = SCHEMAS[name]
    assert (schema.doc and schema.source and schema.owner) or schema.status == "project"
    if schema.status == "mainline":
        assert schema.since is not None
        assert schema.until is None or release(schema.since) <= release(schema.until)
    else:
        assert (schema.since, schema.until) == (None, None)


@EACH
def test_a_name_is_compatible_and_variant(name: str) -> None:
    """Forms that share a string are told apart behind an @, and one of them bears the string alone: the merged or the latest one."""
    schema = SCHEMAS[name]
    base = name.split("@")[0]
    assert name == (f"{base}@{schema.variant}" if schema.variant else base)
    if schema.compatible is not None:
        assert base == schema.compatible
        same = [each for each in SCHEMAS.values() if each.compatible == schema.compatible]
        plain = [each for each in same if not each.variant]
        assert len(plain) == 1
        assert plain[0].status == ("mainline" if any(each.status == "mainline" for each in same) else schema.status)


@EACH
def test_what_is_replaced_exists(name: str) -> None:
    """``replaces`` names a schema, and following it comes to an end."""
    seen = [name]
    while (older := SCHEMAS[seen[-1]].replaces) is not None:
        assert older in SCHEMAS and older not in seen
        seen.append(older)


@EACH
def test_the_version_is_a_field_with_that_value(name: str) -> None:
    """A format with an integer version holds the field to it."""
    schema = SCHEMAS[name]
    if schema.version is not None:
        field, value = schema.version
        assert value == layout(name).struct().field(field).must
    if schema.compatible is not None and schema.found_by == "luo_file_ser.data":
        assert len(schema.compatible) <= 47


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if schema.carrier == "field:compatible"])
def test_a_string_in_a_struct_has_room(name: str) -> None:
    """luo_ser's string is as long as it needs to be with its NUL, rounded up to 8."""
    compatible = SCHEMAS[name].compatible
    assert compatible is not None
    assert -(-(len(compatible) + 1) // 8) * 8 == layout(name).struct().field("compatible").size


@EACH
def test_passes_find_nothing_wrong(name: str) -> None:
    """No link without its struct, no hidden name that is not listed, on any page size."""
    for page_size in PAGE_SIZES:
        findings = [each for each in run_passes(layout(name, page_size)) if each.severity > Severity.INFO]
        assert [each for each in findings if each.location.path not in SHADOWED] == []


@EACH
def test_every_byte_has_an_owner(name: str) -> None:
    """Fields, bit-field units and gaps follow each other without hole or overlap, to the end of the struct."""
    made = layout(name)
    for struct in made.structs:
        end = 0
        for field in struct.fields:
            if field.width is not None and field.shift:
                continue  # the same unit as the bit-field before it
            assert end == field.offset, f"{struct.name}.{field.name}"
            end += field.size or made.size_of(field.type)
        # a flexible array starts where the fields end, which may be inside the tail padding
        assert end == struct.size or (struct.flexible and -(-end // struct.align) * struct.align == struct.size), struct.name


def test_radix_depth() -> None:
    """The tree of preserved pages has 6, 5, 4 levels on 4K, 16K, 64K pages, and 4 on 16K before d64b0372760e."""
    for name in ("kho-v3", "kho-v4", "kho-v4;radix-v1;vmalloc-v1"):
        assert [6, 5, 4] == [target(name, "preserved-memory-map", page_size).depth for page_size in PAGE_SIZES]
    for name in ("kho-v2", "kho-v3@7.1-rc1"):
        assert [6, 4, 4] == [target(name, "preserved-memory-map", page_size).depth for page_size in PAGE_SIZES]
    for name in ("kho-v1@radix", "kho-v2@radix"):  # levels of the first postings: bits of the address and of its order, rounded up
        assert [6, 5, 4] == [target(name, "preserved-page-radix-tree", page_size).depth for page_size in PAGE_SIZES]


def test_bitmaps_of_a_chunk() -> None:
    """A page of kho-v1's map holds 255, 1023, 4095 bitmaps of 512 bytes at first, of a page later."""
    for name in ("kho-v1", "kho-v1@6.16", "linux-kho,v1"):
        assert [255, 1023, 4095] == elements(name, "khoser_mem_chunk", "bitmaps")
    assert [512, 512, 512] == [target("kho-v1@6.16", "preserved-memory-map", page_size).size for page_size in PAGE_SIZES]
    assert list(PAGE_SIZES) == [target("kho-v1", "preserved-memory-map", page_size).size for page_size in PAGE_SIZES]


def test_pages_of_lists_and_trees() -> None:
    """What fills a page exactly: vmalloc lists, radix nodes and leaves, chunks, xarray nodes and leaves."""
    assert [511, 2047, 8191] == elements("kho-v4", "kho_vmalloc_chunk", "phys")
    assert [512, 2048, 8192] == elements("kho-v4", "kho_radix_node", "table")
    whole = [("kho-v4", "kho_vmalloc_chunk"), ("kho-v4", "kho_radix_node"), ("kho-v4", "kho_radix_leaf"), ("kho-v1", "khoser_mem_chunk")]
    whole += [("kho-xarray", "kho_xarray_node"), ("kho-xarray", "kho_xarray_leaf"), ("kho-v1@order-table", "kho_page_table")]
    for name, struct in whole:
        assert list(PAGE_SIZES) == [layout(name, page_size).struct(struct).size for page_size in PAGE_SIZES]


def test_room_in_luo_areas() -> None:
    """Sessions, files and FLBs that the areas of luo-v1..v4 have room for."""
    assert [819, 3276, 13107] == [layout("luo-v1", page_size).limit("sessions") for page_size in PAGE_SIZES]
    assert [128, 512, 2048] == [layout("luo-v1", page_size).limit("files") for page_size in PAGE_SIZES]
    assert [63, 255, 1023] == [layout("luo-v5", page_size).limit("flbs") for page_size in PAGE_SIZES]
    assert 10000 == layout("luo-v5").limit("blocks") == layout("kho-block").limit("blocks")


def test_text_ends_before_its_field() -> None:
    """Character arrays have the sizes that the ABI names: handler strings 48, session names 64, a release 65, a file's name 256."""
    structs = [struct for name in ("luo-v5", "kexec-metadata", "tmpfs-file-v1") for struct in layout(name).structs]
    texts = [(struct.name, each) for struct in structs for each in struct.fields if isinstance(each.type, BytesType) and each.type.text]
    sizes = {f"{struct}.{field.name}": field.size for struct, field in texts}
    assert sizes == {
        "luo_ser.compatible": 8,
        "luo_file_ser.compatible": 48,
        "luo_session_ser.name": 64,
        "luo_flb_ser.name": 48,
        "kho_kexec_metadata.previous_release": 65,
        "tmpfs_luo_file_ser.name": 256,
    }


def test_tree_depth() -> None:
    """A kho_xarray's 54-bit keys take 6, 5, 5 levels; the lowered target says so."""
    assert [6, 5, 5] == [tree_depth(page_size, 54) for page_size in PAGE_SIZES]
    roots = [layout("kho-xarray", page_size).struct("kho_xarray").field("root").target for page_size in PAGE_SIZES]
    assert [("tree", 6), ("tree", 5), ("tree", 5)] == [(each.kind, each.depth) for each in roots if each is not None]
    assert [1, 2, 8] == [tree_depth(4096, width) for width in (1, 10, 64)]


@pytest.mark.parametrize("width", [0, 65, "54", None])
def test_a_tree_key_is_1_to_64_bits(width: object) -> None:
    """What is no number of bits is refused when the struct is loaded, with the field's path."""
    with pytest.raises(SchemaError, match=r"1\.\.64 bits") as caught:
        Struct("map", "root" / Phys(Tree(key_width=width)))  # type: ignore[arg-type]  # on purpose
    assert "map.root" in str(caught.value)


def test_forms_of_one_string_differ() -> None:
    """Forms that share a string are there because something about them differs on some page size: bytes, links, names or the tree."""
    groups: dict[str, list[Schema]] = {}
    for schema in SCHEMAS.values():
        groups.setdefault(schema.name.split("@")[0], []).append(schema)
    for same in groups.values():
        forms = [[(made.root, made.structs) for made in (layout(each.name, page_size) for page_size in PAGE_SIZES)] for each in same]
        assert all(forms.count(form) == 1 for form in forms), same[0].name
