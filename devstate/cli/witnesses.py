# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write the witnesses of a report to files that ``devstate decode`` reads, one set for each finding that has one.

::

    001-DS102-memfd_luo_ser.seals.old.json       the layout of the old side, in the form of a baseline
    001-DS102-memfd_luo_ser.seals.new.json       that of the new side
    001-DS102-memfd_luo_ser.seals.old.bin        the bytes for the old side's reader
    001-DS102-memfd_luo_ser.seals.new.bin        the same bytes, as the new side's reader takes them
    commands.txt                                 the command line that decodes each .bin

The writer's file is what was written. The reader's is as long as its own record: cut, or with ff where nothing
was written, and without an open array at its end.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.examine import Entry, Report
    from devstate.finding import Witness
    from devstate.layout.model import Layout

UNWRITTEN = b"\xff"
"""What stands for bytes that nobody wrote."""

NAME_MAX = 120
"""Characters of a file's name, of 255 that file systems allow."""


def write_witnesses(report: Report, directory: str) -> None:
    """Write them all, and what decodes them. OSError when the directory cannot be made or written."""
    os.makedirs(directory, exist_ok=True)
    commands: list[str] = []
    proven = [entry for entry in report.entries if entry.finding.witness is not None and entry.pair is not None]
    for number, entry in enumerate(proven, 1):
        finding = entry.finding
        subject = "".join(each if each.isalnum() or each in "._-" else "-" for each in finding.location.path or "")
        stem = f"{number:03}-{finding.rule}-{subject}"[:NAME_MAX]
        commands += [f"# {finding.rule} {finding.location.path}: {finding.message}", *_write(entry, directory, stem), ""]
    with open(os.path.join(directory, "commands.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(commands))


def _write(entry: Entry, directory: str, stem: str) -> Iterator[str]:
    """The files of one finding. Yields the command lines that decode them."""
    from devstate.layout.baseline import canonical

    witness, pair = entry.finding.witness, entry.pair
    if witness is None or pair is None or pair.new is None:
        return
    if not witness.writer:  # no record: a link, a unit, the depth of a tree
        with open(os.path.join(directory, f"{stem}.bin"), "wb") as file:
            file.write(witness.data)
        yield f"# {stem}.bin is what the {witness.written_by} side writes there"
        return
    for side, layout in (("old", pair.old), ("new", pair.new)):
        struct = witness.writer if side == witness.written_by else witness.reader
        shown = layout if side == witness.written_by else _fixed(layout, struct)
        with open(os.path.join(directory, f"{stem}.{side}.json"), "w", encoding="utf-8") as text:
            text.write(canonical(_baseline(shown, struct)))
        with open(os.path.join(directory, f"{stem}.{side}.bin"), "wb") as file:
            file.write(witness.data if side == witness.written_by else _as_read(witness, shown))
        yield _command(witness, layout, struct, f"{stem}.{side}")


def _baseline(layout: Layout, struct: str) -> dict[str, object]:
    """The layout as a baseline whose root is the struct of the witness, so that its bytes are all that decode needs."""
    from devstate.frozen import replace
    from devstate.layout.baseline import big_endian, fingerprint
    from devstate.layout.model import Environment
    from devstate.layout.plain import to_plain

    little = big_endian(layout) if layout.environment.byte_order == "big" else layout  # its own inverse
    rooted = replace(little, root=struct, environment=Environment())
    groups = [{"page_sizes": [layout.environment.page_size], "layout": to_plain(rooted)}]
    return {"name": layout.name, "fingerprint": fingerprint(groups), "layouts": groups}


def _fixed(layout: Layout, name: str) -> Layout:
    """The layout without the open array at the end of a struct: what the reader takes for its count is of another making."""
    from devstate.frozen import replace

    struct = layout.struct(name)
    if not struct.flexible:
        return layout
    cut = replace(struct, fields=struct.fields[:-1], flexible=False)
    return replace(layout, structs=tuple(cut if each is struct else each for each in layout.structs))


def _as_read(witness: Witness, layout: Layout) -> bytes:
    """As many bytes as the reader takes for its records."""
    size = layout.struct(witness.reader).size * witness.copies
    return witness.data[:size].ljust(size, UNWRITTEN)


def _command(witness: Witness, layout: Layout, struct: str, stem: str) -> str:
    environment = layout.environment
    words = [
        "devstate decode",
        f"--schemas {stem}.json",
        f"--as '{layout.name}'",
        f"--struct {struct}",
        f"--page-size {environment.page_size}",
    ]
    words += ["--byte-order big"] if environment.byte_order == "big" else []
    words += ["--array"] if witness.copies > 1 else []
    return " ".join([*words, f"{stem}.bin"])
