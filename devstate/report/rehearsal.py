# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rehearsals for people: text, and a page of HTML with a timeline and nothing to load. Made from the documents of ``--format json``."""

from __future__ import annotations

from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

COLOURS = {
    "freeze": "#c66", "serialise": "#d96", "process start": "#bbb", "open": "#69c", "check": "#58b", "restore": "#6a6",
    "take memory": "#9b9", "finish": "#ddd",
}  # fmt: skip


def text(document: dict[str, Any], stream: TextIO) -> None:
    """One rehearsal."""
    kernels = " -> ".join(document["kernels"])
    stream.write(printable(f"{document['scenario']} ({document['policy']}): {kernels}: {document['ended']}") + "\n")
    for jump in document["jumps"]:
        own, total = jump["own_us"], jump["blackout_us"]
        stream.write(f"  jump {jump['from'] + 1}: blackout {total} us, of which {own} us are devstate's own\n")
        for phase in jump["phases"]:
            mark = "" if phase["blackout"] else "   (the guest runs)"
            stream.write(f"    {phase['name']:14}{phase['us']:>10} us{mark}\n")
        for name in jump["rederived"]:
            stream.write(printable(f"    {name}: {REDERIVED}") + "\n")
        for each in sorted(jump["participants"], key=lambda row: -row["us"]):
            if each["blackout"]:
                stream.write(printable(f"      {each['name']}: {each['op']} {each['us']} us") + "\n")
    fate = "" if document["wrong"] else ", none lost, none misdirected"
    stream.write(f"  {document['stamps']} DMA writes and {document['interrupts']} interrupts{fate}\n")
    for word in ("failures", "warnings", "wrong"):
        for each in document[word]:
            stream.write(printable(f"  {WORDS[word]}: {each}") + "\n")


REDERIVED = "rederived: its driver could not read what was left, and found out by itself"

WORDS = {"failures": "said", "warnings": "warning", "wrong": "WRONG"}


def sweep_row(fault: str, ended: str, right: bool, said: list[str], stream: TextIO) -> None:
    """One fault of a sweep, as it was tried."""
    stream.write(printable(f"{'ok   ' if right else 'WRONG'} {fault:44} {ended:8} {said[0] if said else ''}").rstrip() + "\n")
    stream.flush()


def sweep_total(document: dict[str, Any], stream: TextIO) -> None:
    """The last line of a sweep."""
    counts = ", ".join(f"{document[word]} {word}" for word in ("injected", "detected", "survived", "wrong"))
    stream.write(printable(f"{document['scenario']} ({document['policy']}): {counts}") + "\n")


def html(document: dict[str, Any], stream: TextIO) -> None:
    """One page: for each jump a bar whose parts are as long as the phases took, and a table of who took how long."""
    from html import escape

    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>{escape(document['scenario'])}</title>",
        "<style>body{font-family:sans-serif;max-width:70em;margin:2em auto}table{border-collapse:collapse}td,th{border:1px solid #999;"
        "padding:.2em .6em;text-align:left}.bar{display:flex;height:2.2em;margin:.5em 0}.bar div{overflow:hidden;white-space:nowrap;"
        "font-size:.75em;padding:.3em;box-sizing:border-box;min-width:2px}</style>",
        f"<h1>{escape(document['scenario'])}</h1>",
        f"<p>Policy {escape(document['policy'])}, {escape(' → '.join(document['kernels']))}: <b>{escape(document['ended'])}</b>."
        f" {document['stamps']} DMA writes, {document['interrupts']} interrupts.</p>",
    ]
    for word in ("wrong", "failures", "warnings"):
        parts += [f"<p>{escape(WORDS[word])}: {escape(each)}</p>" for each in document[word]]
    for jump in document["jumps"]:
        total = max(1, sum(phase["us"] for phase in jump["phases"]))
        bar = "".join(
            f'<div style="background:{COLOURS[phase["name"]]};width:{100 * phase["us"] / total:.3f}%" title="{escape(phase["name"])}:'
            f' {phase["us"]} us">{escape(phase["name"])}</div>'
            for phase in jump["phases"]
        )
        rows = "".join(
            f"<tr><td>{escape(each['name'])}</td><td>{each['us']:,}</td><td>{blackout(each)}</td></tr>" for each in jump["phases"]
        )
        who = "".join(
            f"<tr><td>{escape(each['name'])}</td><td>{escape(each['op'])}</td><td>{each['us']}</td><td>{blackout(each)}</td></tr>"
            for each in jump["participants"]
        )
        parts += [
            f"<h2>Jump {jump['from'] + 1}: blackout {jump['blackout_us']} µs, {jump['own_us']} µs of it devstate's own</h2>",
            f'<div class="bar">{bar}</div>',
            *[f"<p>{escape(name)}: {REDERIVED}</p>" for name in jump["rederived"]],
            f"<table><tr><th>phase</th><th>µs</th><th>guest</th></tr>{rows}</table>",
            f"<h3>Callbacks</h3><table><tr><th>participant</th><th>op</th><th>µs</th><th>guest</th></tr>{who}</table>",
        ]
    stream.write("\n".join([*parts, "</html>\n"]))


def blackout(row: dict[str, Any]) -> str:
    """Whether the guest ran meanwhile."""
    return "stands still" if row["blackout"] else "runs"
