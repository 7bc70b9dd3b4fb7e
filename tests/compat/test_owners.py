# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The owner graph: what versions what, what the comments of headers get wrong, and structs that two versions cover."""

from __future__ import annotations

from typing import Any

from devstate.compat.owners import CARRIES, EMBEDS, LEADS, SAYS, VERSIONS, claimed, graph_of, owners_of, shared
from devstate.layout.lower import lower
from devstate.layout.model import Environment, Layout
from devstate.layout.registry import Registry
from devstate.schema import U32, U64, Array, Chars, Node, Phys, Schema, Struct, prop
from devstate.source.claims import claims_of

INNER = Struct("inner_ser", "n" / U64)
COMMON: dict[str, Any] = {"doc": "d", "source": "s", "status": "project", "owner": "us"}


def made(root: Struct | Node, compatible: str = "a-v1", **more: Any) -> Layout:
    """A layout declared on the spot."""
    return lower(Schema(**(COMMON | {"root": root, "compatible": compatible} | more)), Environment())


HEADER = """
#define A_COMPATIBLE "a-v1"
#define B_COMPATIBLE "b-v2"
/**
 * struct a_ser - If this structure is modified, `A_COMPATIBLE` must be updated.
 */
struct a_ser {{ struct b_ser b; struct set_ser set; }};
/** If this is modified, {} must be updated. */
struct b_ser {{ u64 x; }};
struct set_ser {{ u64 y; }};
struct alone_ser {{ struct set_ser *far; }};
"""


def found(text: str) -> list[tuple[str, str | None, int | None]]:
    """(severity, subject, line) of what is wrong with a header's comments, in the order of lines."""
    made = [(str(each.severity), each.location.path, each.location.line) for each in claimed(claims_of(text, "h.h"))]
    return sorted(made, key=lambda each: each[2] or 0)


def test_a_macro_that_is_nowhere() -> None:
    """An error at its line, with the macro that may be meant; the name is that of the real session-v2 header."""
    text = (
        '#define LUO_FDT_COMPATIBLE "luo-v1"\n#define LUO_FDT_SESSION_COMPATIBLE "luo-session-v2"\n'
        "/** If this structure is modified, LUO_SESSION_COMPATIBLE must be updated. */\nstruct luo_file_ser { u64 data; };\n"
    )
    (finding, *_) = claimed(claims_of(text, "luo.h"))
    assert ("DS308", "error", "luo.h:3:luo_file_ser") == (finding.rule, str(finding.severity), str(finding.location))
    assert finding.message.endswith("no header defines that; is LUO_FDT_SESSION_COMPATIBLE meant?")
    assert [] == found(text.replace("LUO_SESSION_", "LUO_FDT_SESSION_"))


def test_a_foreign_struct() -> None:
    """Covered by one version and embedded below another: information when the comment says so, a warning when it is only so."""
    text = HEADER.format("B_COMPATIBLE")
    assert [("info", "a_ser.b", 7), ("warning", "alone_ser", 11)] == found(text)
    assert {"a_ser": "A_COMPATIBLE", "b_ser": "B_COMPATIBLE", "set_ser": "A_COMPATIBLE"} == owners_of(claims_of(text, "h.h"))
    assert [("warning", "alone_ser", 11)] == found(HEADER.format("A_COMPATIBLE"))


def test_owners_by_file() -> None:
    """The only macro of a file covers what is in it; what a file says of everything covers everything."""
    one = '#define A_COMPATIBLE "a-v1"\nstruct x_ser { u64 a; };\n'
    assert ({"x_ser": "A_COMPATIBLE"}, []) == (owners_of(claims_of(one, "h.h")), found(one))
    two = one + '#define B_COMPATIBLE "b-v1"\n'
    assert ({}, [("warning", "x_ser", 2)]) == (owners_of(claims_of(two, "h.h")), found(two))
    contract = two + "/* This is a contract: increment the version in B_COMPATIBLE. */\n"
    assert ({"x_ser": "B_COMPATIBLE"}, []) == (owners_of(claims_of(contract, "h.h")), found(contract))
    none = "struct x_ser { u64 a; };\nstruct y_ser { u64 a; };\n"
    (finding,) = claimed(claims_of(none, "h.h"))
    assert ("x_ser", True) == (finding.location.path, ", nor y_ser; its file has no version macro" in finding.message)


def test_structs_that_begin_with_their_size() -> None:
    """The size versions them: kernels take a longer one when its tail is zero."""
    assert [] == found("struct x_ioctl { __u32 size; __s32 fd; };\n")
    assert [("warning", "x_ioctl", 1)] == found("struct x_ioctl { __s32 fd; __u32 size; };\n")


def test_the_graph_of_schemas() -> None:
    """Versions of formats and of nodes inside them, what is embedded and led to, and where a version is found."""
    entry = Struct("entry_ser", "p" / Phys(INNER), "t" / Array(2, Struct("cell_ser", "x" / U32)))
    sub = Node("sub", prop("list", Phys(entry)), compatible="sub-v1")
    tree = Node("", prop("top", Phys(Struct("top_ser", "i" / INNER))), compatible="a-v1", children=(sub,))
    graph = graph_of([made(tree, found_by="KHO subtree A", carrier="fdt")])
    edges = {(each.kind, each.source, each.target, each.via) for each in graph.edges}
    assert {
        (VERSIONS, "a-v1", "top_ser", ""), (VERSIONS, "sub-v1", "entry_ser", ""), (VERSIONS, "sub-v1", "cell_ser", ""),
        (VERSIONS, "sub-v1", "inner_ser", ""), (EMBEDS, "top_ser", "inner_ser", "i"), (LEADS, "entry_ser", "inner_ser", "p"),
        (EMBEDS, "entry_ser", "cell_ser", "t"), (CARRIES, "KHO subtree A", "a-v1", ""),
    } == edges  # fmt: skip
    assert ["a-v1", "sub-v1"] == [each.name for each in graph.versions]


def test_kinds_of_versions() -> None:
    """By string, by a number in a field, by the size in the first field, by nothing."""
    number = made(Struct("s", "v" / U32), None, name="n", version=("v", 7))  # type: ignore[arg-type]  # a schema with a name only
    size = made(Struct("s", "v" / U32), None, name="z", carrier="field:size")  # type: ignore[arg-type]
    none = made(Struct("s", "v" / U32), None, name="o")  # type: ignore[arg-type]
    graph = graph_of([made(INNER), number, size, none])
    assert [("a-v1", "string"), ("n v 7", "number"), ("z", "size"), ("o", "none")] == [(each.name, each.kind) for each in graph.versions]


def test_what_comments_say_is_in_the_graph() -> None:
    """An edge with the place; a macro that is not there is listed."""
    claims = claims_of("/** If this is modified, X_COMPATIBLE must be updated. */\nstruct inner_ser { u64 n; };", "h.h")
    graph = graph_of([made(INNER)], claims)
    assert ["h.h:1"] == [each.via for each in graph.of(SAYS, "inner_ser")]
    assert ("X_COMPATIBLE",) == graph.undefined
    assert ["a-v1"] == [each.source for each in graph.to(VERSIONS, "inner_ser")]
    assert ([], []) == (graph.to(EMBEDS, "inner_ser"), graph.to(VERSIONS, "other"))


def test_shared_structs() -> None:
    """One struct in formats of two families: its owner declares it, or nobody does; versions of one family are no two."""
    owner = made(Struct("a_ser", "x" / U64), also=(INNER,))
    guest = made(Struct("b_ser", "i" / INNER), "b-v1")
    ((finding, layouts),) = shared([owner, guest])
    assert ("info", "inner_ser", ["a-v1", "b-v1"]) == (str(finding.severity), finding.location.path, [each.name for each in layouts])
    assert finding.message.startswith("it belongs to a-v1 and is part of b-v1")
    ((orphan, _),) = shared([made(Struct("c_ser", "i" / INNER), "c-v1"), guest])
    assert ("warning", True) == (str(orphan.severity), orphan.message.startswith("it is part of c-v1, b-v1"))
    assert [] == list(shared([guest, made(Struct("b_ser", "i" / INNER, "m" / Chars(8)), "b-v2")]))
    assert [] == list(shared([owner, made(Struct("b_ser", "i" / INNER), "b-v1", status="posted")]))


def test_the_shipped_formats() -> None:
    """KHO's own structs are part of its clients' formats; nothing else is shared by what mainline writes."""
    registry = Registry.shipped()
    found = {each.location.path for each, _ in shared([registry.layout(name, Environment()) for name in registry.summaries])}
    assert {"kho_vmalloc", "kho_vmalloc_chunk", "kho_block_header_ser"} == found
