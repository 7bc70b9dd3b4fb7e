# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""May this host jump from kernel OLD to kernel NEW? Component by component, and what NEW does if not.

OLD and NEW are manifests, vmlinux files or releases such as 7.3. With --state, only what that handover really carries counts. Exit
status 0: go; 1: no-go; 3: something could not be found out.
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import number, open_registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from devstate.compat.predict import Carried, Prediction
    from devstate.layout.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("old", metavar="OLD", help="the kernel that hands over")
    parser.add_argument("new", metavar="NEW", help="the kernel that takes over")
    parser.add_argument("--state", metavar="HANDOVER", help="a handover of this host: only what it carries counts")
    parser.add_argument("--rollback", action="store_true", help="ask for the way back too")
    parser.add_argument("--devicetree", action="store_true", help="the machine boots with a devicetree (arm64), not with setup_data (x86)")
    parser.add_argument("--page-size", metavar="BYTES", type=number, default=4096, help="page size of both kernels (default: 4096)")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json")


def run(arguments: argparse.Namespace) -> int:
    """Print the prediction. Errors as open_manifest() and, for --state, open_input() and open_handover()."""
    from devstate.cli.builds import open_manifest
    from devstate.cli.command import FINDINGS, INCOMPLETE, OK
    from devstate.compat.predict import Verdict, predict

    registry = open_registry(arguments.schemas)
    old, new = (open_manifest(word, registry) for word in (arguments.old, arguments.new))
    carried = None if arguments.state is None else carried_by(arguments.state, registry)
    pairs = [(old, new)] + ([(new, old)] if arguments.rollback else [])
    settings: dict[str, Any] = {"page_size": arguments.page_size, "devicetree": arguments.devicetree}
    # Whether the way back is carried is not known before the jump: there, everything counts.
    found = [predict(one, other, registry, carried=carried if one is old else None, **settings) for one, other in pairs]
    blocked = any(prediction.verdict is Verdict.BLOCK for prediction in found)
    status = FINDINGS if blocked else INCOMPLETE if any(prediction.incomplete for prediction in found) else OK
    if arguments.json or arguments.format == "json":
        from devstate.report.json import write

        document = plain(found[0], status)
        if arguments.rollback:
            document["rollback"] = plain(found[1], status)
        write(document, sys.stdout)
    else:
        for (one, other), prediction in zip(pairs, found, strict=True):
            sys.stdout.write("".join(f"{line}\n" for line in lines(one.name, other.name, prediction)))
    return status


def carried_by(path: str, registry: Registry) -> Carried:
    """What the handover in ``path`` carries, by place. Formats that no schema knows are left to `devstate check`."""
    from devstate.compat.predict import FILES, ROOT, Carried
    from devstate.handover.open import open_handover
    from devstate.memory.open import open_input

    handover = open_handover(open_input(path), registry=registry)
    met = [(ROOT, handover.layout.name)] if handover.layout is not None else []
    met += [(f"KHO subtree {subtree.name}", subtree.format) for subtree in handover.subtrees if subtree.format is not None]
    met += [(FILES, file.format) for file in handover.files if file.format is not None]
    return Carried(tuple(dict.fromkeys(met)))


def plain(prediction: Prediction, status: int) -> dict[str, Any]:
    """The document of one direction."""
    return {
        "verdict": str(prediction.verdict),
        "exit": status,
        "components": [
            {
                "name": each.name,
                "verdict": str(each.verdict),
                "outcome": str(each.outcome),
                "reaction": each.reaction,
                "reasons": [{"code": code, "text": text} for code, text in each.reasons],
                "advice": list(each.advice),
            }
            for each in prediction.components
        ],
        "incomplete": list(prediction.incomplete),
    }


def lines(old: str, new: str, prediction: Prediction) -> list[str]:
    """The text of one direction."""
    from devstate.report.printable import printable

    rows = [f"{old} -> {new}: {prediction.verdict}"]
    width = max((len(each.name) for each in prediction.components), default=0)
    for each in prediction.components:
        why = "; ".join(text for _, text in each.reasons)
        rows.append(f"  {each.name:{width}}  {each.verdict!s:8} {each.outcome!s:7} {each.reaction:14} {why}")
        rows += [f"  {'':{width}}  {line}" for line in each.advice]
    rows += [f"  incomplete: {each}" for each in prediction.incomplete]
    return [printable(row) for row in rows]
