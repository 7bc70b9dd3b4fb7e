# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lint --owners: the owner graph of what is judged, as text, JSON or DOT."""

from __future__ import annotations

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.compat.owners import Graph
    from devstate.layout.declared import Declared
    from devstate.layout.model import Layout

FORMS = ("text", "json", "dot")


def show(sets: list[list[Declared]], form: str, output: str) -> int:
    """Write the graph; 0. UsageError for a form that is for findings. Of everything that is known, what mainline writes today is shown."""
    from devstate.cli.command import OK
    from devstate.cli.lint import opened
    from devstate.cli.sources import SHIPPED
    from devstate.compat.owners import graph_of
    from devstate.layout.claims import Claims
    from devstate.report import owners
    from devstate.source.claims import open_claims

    if form not in FORMS:
        raise UsageError(f"the owner graph has the forms {', '.join(FORMS)}, not {form}")
    formats: list[Layout] = []
    texts = []
    for declared in sets:
        first = declared[0]
        today = [each for each in first.formats if each.until is None and each.status == "mainline"]
        formats += today if first.origin == SHIPPED else first.formats
        if first.kind == "headers":
            texts.append(open_claims(first.origin))
    claims = Claims(
        (), tuple(each for text in texts for each in text.macros), tuple(each for text in texts for each in text.structs),
        tuple(each for text in texts for each in text.claims),
    )  # fmt: skip
    with opened(output) as stream:
        getattr(owners, form)(document(graph_of(formats, claims)), stream)
    return OK


def document(graph: Graph) -> dict[str, Any]:
    """The plain form of the graph (docs/owners.schema.json)."""
    return {
        "versions": [
            {"name": each.name, "kind": each.kind, "owner": each.owner, "found_by": each.found_by} for each in graph.versions
        ],
        "structs": list(graph.structs),
        "edges": [{"kind": each.kind, "source": each.source, "target": each.target, "via": each.via} for each in graph.edges],
        "undefined": list(graph.undefined),
    }
