# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""decode --part: parts of the subtree ``devstate`` by the layouts embedded in it. FILE is a handover, or the blob of the subtree alone."""

from __future__ import annotations

import sys

from devstate.cli.inputs import open_environment, open_registry
from devstate.errors import DecodeError, UsageError
from devstate.report.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from devstate.handover.model import Handover
    from devstate.handover.state import Part, State


def run_part(args: argparse.Namespace) -> int:
    """Print the part at the path, or an object of all that are below it. UsageError for a path that leads nowhere, DecodeError for a part
    that is damaged; what is damaged elsewhere is said on standard error.
    """
    import json

    handover, state = _opened(args)
    wanted = f"devstate/{args.part.strip('/').removeprefix('devstate').strip('/')}".rstrip("/")
    found = [part for part in state.parts if part.path == wanted or part.path.startswith(f"{wanted}/")]
    if not found:
        known = ", ".join(printable(part.path) for part in state.parts[:8]) or "nothing"
        raise UsageError(f"{args.file}: no part is called {args.part!r}; there is, for example, {known}")
    single = next((part for part in found if part.path == wanted), None)
    if single is not None:
        _judge(handover, single)
        print(json.dumps(_shown(single), indent=2))
        return 0
    print(json.dumps({part.path: _shown(part) if part.layout is not None and part.data is not None else None for part in found}, indent=2))
    for problem in handover.problems:
        if (problem.path or "").startswith("devstate/"):
            print(printable(f"{problem.path}: {problem.message}"), file=sys.stderr)
    return 0


def _opened(args: argparse.Namespace) -> tuple[Handover, State]:
    from devstate.handover.open import open_handover
    from devstate.memory.open import open_input

    source = open_input(args.file, byteorder=args.byte_order or "little")
    blob = dict(source.blobs).get("fdt") if source.memory is None else None
    handover = _of_blob(args, blob) if blob is not None else None
    if handover is None:
        handover = open_handover(source, page_size=args.page_size, registry=open_registry(args.schemas))
    if handover.state is None:
        raise UsageError(f"{args.file}: this handover has no subtree devstate")
    return handover, handover.state


def _of_blob(args: argparse.Namespace, blob: Any) -> Handover | None:
    """The subtree alone, where the blob is one."""
    from devstate.fdt.reader import read_partial
    from devstate.handover.claims import Claims
    from devstate.handover.follow import Follow
    from devstate.handover.model import Handover, Subtree
    from devstate.handover.state import COMPATIBLE, open_state

    fdt, _ = read_partial(blob, source=args.file)
    prop = fdt.root.property("compatible")
    if prop is None or prop.value.rstrip(b"\0") != COMPATIBLE.encode():
        return None
    handover = Handover(args.file, None, open_environment(args), open_registry(args.schemas), Claims())
    subtree = Subtree("devstate", None, None)
    subtree.fdt = fdt
    handover.state = open_state(Follow(handover), subtree)
    return handover


def _judge(handover: Handover, part: Part) -> None:
    """DecodeError for the first thing that is wrong with a part that cannot be shown."""
    if part.layout is not None and part.data is not None:
        return
    layout = f"devstate/layouts/{part.fingerprint}"
    for problem in handover.problems:
        if problem.path in (part.path, layout):
            raise DecodeError(problem.message, source=handover.source, path=problem.path, expected=problem.expected, found=problem.found)
    raise DecodeError("its bytes are not here", source=handover.source, path=part.path, advice="give the handover, not the blob alone")


def _shown(part: Part) -> Any:
    from devstate.codec.text import to_json

    assert part.layout is not None  # asked above
    if part.is_tagged:
        from devstate.codec.tagged_text import tagged_to_json

        return tagged_to_json(part.layout, part.tagged())
    rows = [to_json(part.layout, record) for record in part.records()]
    return rows if part.count is not None else rows[0]
