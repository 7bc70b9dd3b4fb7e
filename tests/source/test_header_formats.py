# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From headers to formats: which struct belongs to which version string, what devicetree the macros describe, what schemas add."""

from __future__ import annotations

from pathlib import Path

from devstate.compat.compare import compare
from devstate.compat.judge import judge
from devstate.compat.pairing import pairs_of
from devstate.finding import Outcome
from devstate.layout.declared import Declared
from devstate.layout.model import Environment, Layout, NodeLayout
from devstate.layout.registry import Registry
from devstate.source.opening import open_layouts

REGISTRY = Registry.shipped()

LUO_1 = """
#include <uapi/linux/liveupdate.h>
#define LUO_FDT_SIZE PAGE_SIZE
#define LUO_FDT_KHO_ENTRY_NAME "LUO"
#define LUO_FDT_COMPATIBLE "luo-v1"
#define LUO_FDT_LIVEUPDATE_NUM "liveupdate-number"
#define LUO_FDT_SESSION_NODE_NAME "luo-session"
#define LUO_FDT_SESSION_COMPATIBLE "luo-session-v2"
#define LUO_FDT_SESSION_HEADER "luo-session-header"
/* If this structure is modified, LUO_FDT_SESSION_COMPATIBLE must be updated. */
struct luo_session_header_ser { u64 count; } __packed;
/** struct luo_session_ser - a session. If this structure is modified, LUO_SESSION_COMPATIBLE must be updated. */
struct luo_session_ser { char name[LIVEUPDATE_SESSION_NAME_LENGTH]; u64 files; u64 pgcnt; } __packed;
"""

FLB = """
#define LUO_FDT_FLB_NODE_NAME "luo-flb"
#define LUO_FDT_FLB_COMPATIBLE "luo-flb-v1"
#define LUO_FDT_FLB_HEADER "luo-flb-header"
struct luo_flb_header_ser { u64 pgcnt; u64 count; } __packed;
"""

LUO_5 = """
#include <linux/kho/abi/block.h>
#define LUO_KHO_ENTRY_NAME "LUO"
#define LUO_ABI_COMPATIBLE "luo-v5"
#define LUO_ABI_COMPAT_LEN ALIGN(sizeof(LUO_ABI_COMPATIBLE), 8)
struct luo_ser { char compatible[LUO_ABI_COMPAT_LEN]; u64 liveupdate_num; u64 sessions_pa; u64 flbs_pa; } __packed;
struct luo_file_ser { char compatible[48]; u64 data; u64 token; } __packed;
struct luo_file_set_ser { u64 files; u64 count; } __packed;
struct luo_session_ser { char name[64]; struct luo_file_set_ser file_set_ser; } __packed;
struct luo_flb_header_ser { u64 pgcnt; u64 count; } __packed;
struct luo_flb_ser { char name[48]; u64 data; u64 count; } __packed;
#define LIVEUPDATE_TEST_FLB_COMPATIBLE(i) "liveupdate-test-flb-v" #i
"""

KHO = """
#include <linux/types.h>
#define KHO_FDT_COMPATIBLE "kho-v4"
#define KHO_FDT_MEMORY_MAP_PROP_NAME "preserved-memory-map"
#define KHO_SUB_TREE_PROP_NAME "preserved-data"
#define KHO_SUB_TREE_SIZE_PROP_NAME "blob-size"
struct kho_vmalloc { union { u64 phys; struct kho_vmalloc_chunk *ptr; } first; u32 total_pages; u16 flags; u16 order; };
struct kho_radix_node { u64 table[PAGE_SIZE / 8]; };
"""

BLOCK = """
/* Changes mean a new number in `KHO_FDT_COMPATIBLE`. */
struct kho_block_header_ser { u64 next; u64 count; } __packed;
"""

METADATA = """
#define KHO_KEXEC_METADATA_VERSION 1
struct kho_kexec_metadata { u32 version; char previous_release[__NEW_UTS_LEN + 1]; u32 kexec_count; } __packed;
#define KHO_METADATA_NODE_NAME "kexec-metadata"
"""

MEMBLOCK = """
#define MEMBLOCK_KHO_FDT "memblock"
#define MEMBLOCK_KHO_NODE_COMPATIBLE "memblock-v1"
#define RESERVE_MEM_KHO_NODE_COMPATIBLE "reserve-mem-v1"
"""

MEMFD = """
#include <linux/kho/abi/kexec_handover.h>
#define MEMFD_LUO_FOLIO_DIRTY BIT(0)
#define MEMFD_LUO_FOLIO_UPTODATE BIT(1)
struct memfd_luo_folio_ser { u64 pfn : 52; u64 flags : 12; u64 index; } __packed;
#define MEMFD_LUO_ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)
struct memfd_luo_ser { u64 pos; u64 size; u32 seals; u32 flags; u64 nr_folios; struct kho_vmalloc folios; } __packed;
#define MEMFD_LUO_FH_COMPATIBLE "memfd-v2"
"""

TREE = {"kexec_handover.h": KHO, "block.h": BLOCK, "luo.h": LUO_5, "kexec_metadata.h": METADATA, "memblock.h": MEMBLOCK, "memfd.h": MEMFD}


def kernel(folder: Path, **changed: str) -> Path:
    """A kernel tree with the handover headers, in our own words."""
    abi = folder / "include" / "linux" / "kho" / "abi"
    abi.mkdir(parents=True)
    for name, text in (TREE | {f"{stem}.h": text for stem, text in changed.items()}).items():
        guard = f"_{name[:-2].upper()}_H"
        (abi / name).write_text(f"#ifndef {guard}\n#define {guard}\n{text}\n#endif\n", encoding="utf-8")
    uapi = folder / "include" / "uapi" / "linux"
    uapi.mkdir(parents=True)
    (uapi / "liveupdate.h").write_text("#include <linux/ioctl.h>\n#define LIVEUPDATE_SESSION_NAME_LENGTH 64\n", encoding="utf-8")
    return folder


def opened(path: Path, page_size: int = 4096) -> Declared:
    """What a source declares."""
    return open_layouts(str(path), Environment(page_size), registry=REGISTRY)


def by_name(found: Declared) -> dict[str, Layout]:
    """Its formats."""
    return {each.name: each for each in found.formats}


def test_a_kernel_tree(tmp_path: Path) -> None:
    """One format for each version; block.h belongs to the version that its text names, metadata to the number in it."""
    made = by_name(opened(kernel(tmp_path)))
    assert ["kho-v4", "luo-v5", "memblock-v1", "memfd-v2", "kexec-metadata"] == sorted(made, key=list(made).index)
    assert {"kho_block_header_ser", "kho_vmalloc", "kho_radix_node"} == {each.name for each in made["kho-v4"].structs}
    assert {"kho_vmalloc", "memfd_luo_folio_ser", "memfd_luo_ser"} == {each.name for each in made["memfd-v2"].structs}
    assert ("memfd_luo_ser", "string", "open-fails", "luo_file_ser.data") == (
        made["memfd-v2"].root, made["memfd-v2"].carrier, made["memfd-v2"].on_mismatch, made["memfd-v2"].found_by,
    )  # fmt: skip
    assert (("version", 1), 1) == (made["kexec-metadata"].version, made["kexec-metadata"].struct().field("version").must)


def test_equal_to_the_published_schemas(tmp_path: Path) -> None:
    """Nothing on the wire tells the headers from the schemas, for any page size; links, bit names and trees are the same."""
    path = kernel(tmp_path)
    for page_size in (4096, 16384, 65536):
        for name, layout in by_name(opened(path, page_size)).items():
            verdict = judge(compare(REGISTRY.layout(name, Environment(page_size)), layout))
            assert (Outcome.OK, Outcome.OK, []) == (verdict.read_old, verdict.read_new, [each.message for each in verdict.findings]), name
    memfd = by_name(opened(path))["memfd-v2"]
    assert "vmalloc" == memfd.struct().field("folios").target.kind  # type: ignore[union-attr]
    assert ("EXEC", 5) == memfd.struct().field("seals").names[-1]


def test_a_tree_from_macros(tmp_path: Path) -> None:
    """Properties and nodes by the words of the macros; versions of nodes are inside the root's; a dangling comment is kept."""
    (tmp_path / "luo.h").write_text(LUO_1, encoding="utf-8")
    found = opened(tmp_path / "luo.h")
    (luo,) = found.formats
    assert isinstance(luo.root, NodeLayout)
    assert ("luo-v1", ["liveupdate-number"]) == (luo.root.compatible, [each.name for each in luo.root.properties])
    (session,) = luo.root.children
    assert ("luo-session", "luo-session-v2", ["luo-session-header"]) == (
        session.name, session.compatible, [each.name for each in session.properties],
    )  # fmt: skip
    assert {"luo_session_header_ser": "LUO_FDT_SESSION_COMPATIBLE", "luo_session_ser": "LUO_SESSION_COMPATIBLE"} == dict(found.owners)


def test_a_node_without_a_new_version(tmp_path: Path) -> None:
    """The mandatory luo-flb node of 7.0: luo-v1 stayed, and 6.19's handover panics 7.0."""
    for name, text in (("old", LUO_1), ("new", LUO_1 + FLB)):
        (tmp_path / f"{name}.h").write_text(text, encoding="utf-8")
    old, new = (by_name(opened(tmp_path / f"{name}.h"))["luo-v1"] for name in ("old", "new"))
    verdict = judge(compare(old, new))
    assert (Outcome.REFUSED, Outcome.OK) == (verdict.read_old, verdict.read_new)
    assert {"DS206", "DS301"} <= {finding.rule for finding in verdict.findings}


def test_a_renamed_property(tmp_path: Path) -> None:
    """What the header says counts, even where a schema of the same version is known."""
    (tmp_path / "kho.h").write_text(KHO.replace("preserved-memory-map", "preserved-order-table"), encoding="utf-8")
    (kho,) = opened(tmp_path / "kho.h").formats
    assert isinstance(kho.root, NodeLayout)
    assert ["preserved-order-table"] == [each.name for each in kho.root.properties]
    assert ["preserved-data", "blob-size"] == [each.name for each in kho.root.children[0].properties]


def test_a_version_of_tomorrow(tmp_path: Path) -> None:
    """An unknown string learns from its family where it is found and where its fields lead, and nothing else."""
    (tmp_path / "luo.h").write_text(LUO_5.replace("luo-v5", "luo-v6").replace("u64 flbs_pa;", "u64 flbs_pa; u64 more;"), encoding="utf-8")
    (luo,) = opened(tmp_path / "luo.h").formats
    assert ("luo-v6", "project", "KHO subtree LUO", None) == (luo.compatible, luo.status, luo.found_by, luo.replaces)
    assert "blocks" == luo.struct().field("sessions_pa").target.kind  # type: ignore[union-attr]
    assert 40 == luo.struct().size


def test_versions_inside_a_known_tree(tmp_path: Path) -> None:
    """memblock's properties are in no macro: the published tree, with the header's strings."""
    (tmp_path / "memblock.h").write_text(MEMBLOCK.replace("reserve-mem-v1", "reserve-mem-v2"), encoding="utf-8")
    (memblock,) = opened(tmp_path / "memblock.h").formats
    assert isinstance(memblock.root, NodeLayout)
    assert ("memblock-v1", "reserve-mem-v2") == (memblock.root.compatible, memblock.root.children[0].compatible)


def test_a_constant_for_some_page_sizes(tmp_path: Path) -> None:
    """One level more only with 16K pages: found there, and only there."""
    text = '#include <linux/types.h>\n#define CARD_COMPATIBLE "card-v1"\nenum card {{ CARD_DEPTH = DIV_ROUND_UP(64 - PAGE_SHIFT{} - (PAGE_SHIFT + 3), PAGE_SHIFT - 3) + 1 }};\n'  # noqa: E501
    for name, more in (("old", ""), ("new", " + 1")):
        (tmp_path / f"{name}.h").write_text(text.format(more), encoding="utf-8")
    changed = []
    for page_size in (4096, 16384, 65536):
        old, new = (opened(tmp_path / f"{name}.h", page_size).formats[0] for name in ("old", "new"))
        changed += [page_size] if compare(old, new).changes else []
    assert [16384] == changed


def test_two_versions_in_one_header(tmp_path: Path) -> None:
    """Structs go to the version that they share words with."""
    text = """#include <linux/types.h>
#define KVM_LUO_FH_COMPATIBLE "kvm-v1"
#define GUEST_MEMFD_LUO_FH_COMPATIBLE "gm-v1"
struct kvm_luo_ser { u64 a; } __packed;
struct guest_memfd_luo_ser { u64 b; } __packed;
"""
    (tmp_path / "kvm.h").write_text(text, encoding="utf-8")
    made = by_name(opened(tmp_path / "kvm.h"))
    assert {"kvm-v1": ["kvm_luo_ser"], "gm-v1": ["guest_memfd_luo_ser"]} == {
        name: [each.name for each in layout.structs] for name, layout in made.items()
    }


def test_a_string_that_gets_a_struct(tmp_path: Path) -> None:
    """Bytes under a version that stood for none: what reads them finds nothing."""
    for name, more in (("old", ""), ("new", "struct card_ser { unsigned int a; };\n")):
        (tmp_path / f"{name}.h").write_text(f'#define CARD_COMPATIBLE "card-v1"\n{more}', encoding="utf-8")
    (pair,) = pairs_of(*(opened(tmp_path / f"{name}.h").formats for name in ("old", "new")))
    assert pair.new is not None
    verdict = judge(compare(pair.old, pair.new))
    assert (Outcome.SHORT, True) == (verdict.read_old, "DS301" in {finding.rule for finding in verdict.findings})


def test_two_names_of_one_version(tmp_path: Path) -> None:
    """A macro that stands for another one is no format of its own, but a comment may name it."""
    text = """#define CARD_COMPATIBLE "card-v1"
#define CARD_FH_COMPATIBLE CARD_COMPATIBLE
// If this structure is modified, CARD_FH_COMPATIBLE must be updated.
#pragma pack(push, 1)
struct card_ser { unsigned char a; unsigned int b; };
#pragma pack(pop)
"""
    (tmp_path / "card.h").write_text(text, encoding="utf-8")
    (card,) = opened(tmp_path / "card.h").formats
    assert ("card-v1", 5, True) == (card.name, card.struct().size, card.struct().packed)


def test_a_comment_decides(tmp_path: Path) -> None:
    """What a comment says counts more than words, and more than the file; a version that is nowhere decides nothing."""
    (tmp_path / "a.h").write_text('#define AAA_COMPATIBLE "aaa-v1"\n#define BBB_COMPATIBLE "bbb-v1"\n', encoding="utf-8")
    text = """#define CCC_COMPATIBLE "ccc-v1"
/* If this structure is modified, BBB_COMPATIBLE must be updated. */
struct aaa_it { int x; };
/** struct c - if this structure is modified, `DDD_COMPATIBLE` must be updated. */
struct aaa_other { int x; };
"""
    (tmp_path / "b.h").write_text(text, encoding="utf-8")
    made = by_name(opened(tmp_path))
    assert {"aaa-v1": [], "bbb-v1": ["aaa_it"], "ccc-v1": ["aaa_other"]} == {
        name: [each.name for each in layout.structs] for name, layout in made.items()
    }


def test_composite_strings(tmp_path: Path) -> None:
    """A string that macros put together is one version."""
    text = '#define PART_COMPAT_STR "vmalloc-v1"\n#define MEMFD_LUO_FH_COMPATIBLE "memfd-v2" ";" PART_COMPAT_STR\nstruct memfd_luo_ser { unsigned long a; };\n'  # noqa: E501
    (tmp_path / "memfd.h").write_text(text, encoding="utf-8")
    assert "memfd-v2;vmalloc-v1" in by_name(opened(tmp_path / "memfd.h"))


def test_headers_beside_each_other_without_their_directories(tmp_path: Path) -> None:
    """The six headers, copied flat: they find each other."""
    for name, text in TREE.items():
        (tmp_path / name).write_text(f"#pragma once\n{text}", encoding="utf-8")
    assert {"kho-v4", "luo-v5", "memblock-v1", "memfd-v2", "kexec-metadata"} == {*by_name(opened(tmp_path))}
