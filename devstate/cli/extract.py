# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write out what a path in a handover stands for.

  luo/session/NAME/TOKEN           the content of a file; holes stay holes
  subtree/NAME, or NAME            a subtree's blob
  memblock/NAME                    the memory of a reserve_mem region
  kho                              the root FDT
  devstate/SUBSYSTEM/OBJECT[/PART] the bytes of a part of the subtree devstate
  PATH@STRUCT                      the bytes of one record: of luo, a session, a file or an FLB, such as
                                   luo/session/NAME/TOKEN@luo_file_ser; a file also has the record behind its handle, such as
                                   @memfd_luo_ser, and all its folio records, such as @memfd_luo_folio_ser
`devstate inspect INPUT` lists the paths; `devstate decode --as STRUCT` reads the bytes of a record.
"""

from __future__ import annotations

import os
import sys

from devstate.cli.inputs import add_inputs, open_given
from devstate.cli.place import SECTIONS, is_path, select
from devstate.errors import EncodeError, NotInMemoryError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from devstate.cli.place import Selection
    from devstate.codec.record import Record
    from devstate.handover.model import Handover, PreservedFile, Region
    from devstate.layout.model import Layout

CHUNK = 1 << 24
"""Bytes of a region that are read and written at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_inputs(parser, "INPUT")
    parser.add_argument("path", metavar="PATH", help="what to write out")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; - is standard output, for what has no holes")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")


def run(arguments: argparse.Namespace) -> int:
    """Write the bytes; 0. UsageError for a path that stands for no bytes, or for several; NotInMemoryError for what was not captured."""
    handover = open_given(arguments, arguments.input)
    pieces, size = content(handover, arguments.path)
    if arguments.output == "-":
        write_stream(pieces, size, sys.stdout.buffer)
    else:
        write_file(pieces, size, arguments.output, force=arguments.force)
    return 0


def content(handover: Handover, path: str) -> tuple[Iterable[tuple[int, bytes | memoryview]], int]:
    """(offset, bytes) in ascending order, and the total size, of what ``path`` stands for."""
    place, at, struct = path.rpartition("@")
    if at and not is_path(handover, path):
        return _whole(_struct(_single(select(handover, place)), struct))
    chosen = select(handover, path)
    if chosen.kind == "part":  # those below a part are shown with it, and are not part of it
        chosen.parts = [part for part in chosen.parts if part.path == path.strip("/")] or chosen.parts
    _single(chosen)
    if chosen.kind == "kho" and handover.fdt is not None and handover.fdt.blob is not None:
        return _whole(handover.fdt.blob)
    if chosen.kind == "subtree":
        return _blob(chosen)
    if chosen.kind == "part":
        part = chosen.parts[0]
        if part.data is None:
            raise UsageError(f"{part.path}: its bytes are not there, or damaged; `devstate inspect` says more")
        return _whole(part.data)
    if chosen.kind == "region":
        return _region(handover, chosen.regions[0]), chosen.regions[0].size
    if chosen.kind == "file":
        return _file(handover, chosen.items()[0])
    raise UsageError(f"{path!r} stands for no bytes; extract takes a file, a subtree, a region, or PATH@STRUCT for a record")


def _single(chosen: Selection) -> Selection:
    count = len(chosen.items()) if chosen.kind not in SECTIONS else 1
    if count > 1:
        raise UsageError(f"{chosen.handover.source}: {count} things in it are called {chosen.path!r}; `devstate check` says more")
    return chosen


def _whole(data: bytes | memoryview) -> tuple[Iterable[tuple[int, bytes | memoryview]], int]:
    return [(0, data)], len(data)


def _blob(chosen: Selection) -> tuple[Iterable[tuple[int, bytes | memoryview]], int]:
    subtree = chosen.subtrees[0]
    if subtree.blob is None:
        raise NotInMemoryError("the blob is not in the capture", source=chosen.handover.source, pa=subtree.pa, path=subtree.path)
    return _whole(subtree.blob)


def _region(handover: Handover, region: Region) -> Iterator[tuple[int, memoryview]]:
    if handover.memory is None:
        raise NotInMemoryError("this input has no memory", source=handover.source, path=region.path)
    for offset in range(0, region.size, CHUNK):
        yield offset, handover.memory.read(region.start + offset, min(CHUNK, region.size - offset))


def _file(handover: Handover, file: PreservedFile) -> tuple[Iterable[tuple[int, memoryview]], int]:
    from devstate.handover.content import file_pieces

    if file.size is None:
        known = "no known format has its content" if file.format is None else "its record is not in the capture"
        raise UsageError(f"{file.path} ({file.compatible}): {known}; @luo_file_ser gives its record")
    return list(file_pieces(handover, file)), file.size


def _struct(chosen: Selection, struct: str) -> bytes:
    """The bytes of the record of that name at the chosen place. UsageError, with the names that there are, when there is none."""
    from devstate.codec.encode import encode

    records = {record.layout.name: (layout, record) for layout, record in _records(chosen)}
    if struct in records:
        layout, record = records[struct]
        return encode(layout, record, struct)
    folios = _folio_struct(chosen.items()[0]) if chosen.kind == "file" else None
    if struct == folios:
        return _folios(chosen.handover, chosen.items()[0])
    names = ", ".join([*records, *([folios] if folios else [])]) or "none"
    raise UsageError(f"{chosen.path} has no record called {struct!r}; it has {names}")


def _records(chosen: Selection) -> Iterator[tuple[Layout, Record]]:
    """The records of the chosen thing itself, not of those below it."""
    handover, luo = chosen.handover, chosen.handover.luo
    if luo is None:
        return
    layout = handover.registry.layout(luo.format, handover.environment)
    if chosen.kind == "luo" and luo.record is not None:
        yield layout, luo.record
    elif chosen.kind in ("session", "file", "flb"):
        item = chosen.items()[0]
        yield layout, item.record
        if chosen.kind == "file" and item.layout is not None and item.body is not None:
            yield item.layout, item.body


def _folio_struct(file: PreservedFile) -> str | None:
    from devstate.layout.model import StructType

    return file.folio_layout.struct if isinstance(file.folio_layout, StructType) else None


def _folios(handover: Handover, file: PreservedFile) -> bytes:
    from devstate.handover.content import folio_records

    records = folio_records(handover, file)
    if records is None:
        raise NotInMemoryError("the folio records are not in the capture", source=handover.source, pa=file.data_pa, path=file.path)
    return bytes(records)


def write_stream(pieces: Iterable[tuple[int, bytes | memoryview]], size: int, output: BinaryIO) -> None:
    """Write ``pieces`` to a stream. UsageError, before anything is written of a file, when they leave holes."""
    end = 0
    for offset, piece in pieces if isinstance(pieces, list) else ():
        if offset != end:
            break
        end = offset + len(piece)
    if isinstance(pieces, list) and end != size:
        raise UsageError(f"it has a hole at {end:#x}: give -o a file, not standard output")
    for _, piece in pieces:
        output.write(piece)


def write_file(pieces: Iterable[tuple[int, bytes | memoryview]], size: int, path: str, *, force: bool) -> None:
    """Write ``pieces`` to the file ``path``, which is ``size`` bytes long in the end. A file that could not be finished is removed.

    UsageError when it is there already and not ``force``, EncodeError when it cannot be written.
    """
    done = False
    try:
        with open(path, "wb" if force else "xb") as output:
            for offset, piece in pieces:
                if offset != output.tell():
                    output.seek(offset)
                output.write(piece)
            if os.path.isfile(path):
                output.truncate(size)
        done = True
    except FileExistsError:
        done = True  # it is not ours
        raise UsageError(f"{path} is there already; --force overwrites it") from None
    except (OSError, ValueError) as error:
        raise EncodeError(f"cannot be written: {getattr(error, 'strerror', None) or error}", source=path) from None
    finally:
        if not done and os.path.isfile(path):
            os.unlink(path)
