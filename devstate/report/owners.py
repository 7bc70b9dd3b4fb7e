# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The owner graph as text, JSON and DOT (the language of graphviz). All are made from one plain document."""

from __future__ import annotations

from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

    Document = Mapping[str, Any]

MARKS = {"string": "", "number": "", "size": " (versioned by its size)", "none": " (no version of its own)"}

STYLES = {"versions": "solid", "embeds": "bold", "leads": "dashed", "carries": "dotted", "says": "dotted"}


def text(document: Document, stream: TextIO) -> None:
    """Write each version with its structs, and what these embed, lead to and are said to be versioned by."""
    edges = document["edges"]
    width = max((len(name) for name in document["structs"]), default=0)
    for version in document["versions"]:
        mark = MARKS[version["kind"]]
        about = "; ".join(each for each in (version["owner"], version["found_by"] and f"found by {version['found_by']}") if each)
        stream.write(printable(f"{version['name']}{mark}{f'  {about}' if about else ''}") + "\n")
        for name in [edge["target"] for edge in edges if edge["kind"] == "versions" and edge["source"] == version["name"]]:
            words = "; ".join(_words(document, version["name"], name))
            stream.write(printable(f"  {name:{width}}  {words}").rstrip() + "\n")


def _words(document: Document, version: str, struct: str) -> list[str]:
    """What is to be said of a struct below one of its versions."""
    mine = [edge for edge in document["edges"] if edge["source"] == struct]
    parts = []
    for kind, verb in (("embeds", "has"), ("leads", "leads to")):
        found = [f"{edge['target']} ({edge['via']})" for edge in mine if edge["kind"] == kind]
        if found:
            parts.append(f"{verb} {', '.join(found)}")
    others = [edge["source"] for edge in document["edges"] if edge["kind"] == "versions" and edge["target"] == struct]
    if len(others) > 1:
        parts.append(f"also of {', '.join(name for name in others if name != version)}")
    for edge in mine:
        if edge["kind"] == "says":
            missing = ": no such macro" if edge["target"] in document["undefined"] else ""
            parts.append(f"says {edge['target']} ({edge['via']}){missing}")
    return parts


def json(document: Document, stream: TextIO) -> None:
    """Write the document itself."""
    from devstate.report.json import write

    write(document, stream)


def dot(document: Document, stream: TextIO) -> None:
    """Write a digraph: versions are boxes, structs ellipses, places where versions are found plain text."""
    stream.write("digraph owners {\n rankdir=LR;\n")
    for version in document["versions"]:
        stream.write(f" {_quoted(version['name'])} [shape=box{', style=dashed' if version['kind'] == 'none' else ''}];\n")
    for name in document["structs"]:
        stream.write(f" {_quoted(name)} [shape=ellipse];\n")
    for place in dict.fromkeys(edge["source"] for edge in document["edges"] if edge["kind"] == "carries"):
        stream.write(f" {_quoted(place)} [shape=plaintext];\n")
    for name in document["undefined"]:
        stream.write(f" {_quoted(name)} [shape=box, color=red];\n")
    for edge in document["edges"]:
        label = f", label={_quoted(edge['via'])}" if edge["via"] else ""
        stream.write(f" {_quoted(edge['source'])} -> {_quoted(edge['target'])} [style={STYLES[edge['kind']]}{label}];\n")
    stream.write("}\n")


def _quoted(name: str) -> str:
    return '"' + printable(name).replace("\\", "\\\\").replace('"', '\\"') + '"'
