# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated C that is wrong in one place: the proof fails, and says in one line which field of which struct that is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import devstate.testing.prover as module
from devstate.errors import UsageError
from devstate.frozen import replace
from devstate.gen.files import generate_all
from devstate.layout.model import Layout
from devstate.testing.difference import Difference
from devstate.testing.proof import prove_arrays, prove_records
from devstate.testing.prover import BIG_ENDIAN, GUARDED, Build, Prover, layouts_of
from tests.gen.builds import missing

MUTANTS = [
    ("pstore-kho", "codec.c", "memset((u8 *)to + 4, 0, 4);", "",
     "what is written, byte 4 (_pad4): Python says 00000000"),
    ("memfd-v2", "codec.c", "if (it->flags != 0)", "if (it->flags > 1)",
     "bit 0 of byte 20 turned over (flags): Python says must at 20, C says fine"),
    ("memfd-v2", "codec.c", "if (it->flags != 0)", "if (it->flags == 7)",
     "bit 0 of byte 20 turned over (flags): Python says must at 20, C says fine"),
    ("memfd-v2", "codec.c", "DEVSTATE_RANGE, at + 46", "DEVSTATE_RANGE, at + 45",
     "(folios.order): Python says range at 46, C says range at 45"),
    ("memfd-v2", "codec.c", "it->folios.order > 63)", "it->folios.order > 64)",
     "(folios.order): Python says range at 46, C says fine"),
    ("memfd-v2", "codec.c", "it->folios.order > 63)", "it->folios.order > 62)",
     "reading it: Python says fine, C says range at 46"),
    ("memfd-v2", "codec.c", "bad |= it->folios.order > 63;", "",
     "(folios.order) in record "),
    ("memfd-v2", "codec.c", "it->seals & 0xffffffc0U", "it->seals & 0xffffff80U",
     "bit 6 of byte 16 turned over (seals): Python says flags at 16, C says fine"),
    ("memfd-v2", "codec.c", "DEVSTATE_FLAGS, at + 16", "DEVSTATE_RANGE, at + 16",
     "(seals): Python says flags at 16, C says range at 16"),
    ("memfd-v2", ".h", "u64 pfn:52;\n\tu64 flags:12;", "u64 flags:12;\n\tu64 pfn:52;",
     "memfd_luo_folio_ser: reading it: Python says fine, C says flags at 0"),
    ("memfd-v2", "proof.c", "(u64)it->size", "(u64)it->pos",
     "the value of size: Python says "),
    ("luo-v5", "codec.c", "memchr(it->name, 0, 64)", "memchr(it->name, 0, 63)",
     "reading it: Python says fine, C says text at 0"),
    ("luo-v5", "codec.c", "size - 16, 64, true,", "size - 16, 65, true,",
     "Python says fine, C says truncated at 16"),
    ("luo-v5", "codec.c", '(memcmp(it->compatible, "luo-v5", 7))', '(memcmp(it->compatible, "luo-v5", 6))',
     "bit 0 of byte 6 turned over (compatible): Python says version at 0, C says fine"),
    ("page-table-stream", "proof.c", "le64_to_cpu(", "be64_to_cpu(",
     "the value of "),
    ("page-table-stream", "codec.c", "le32_to_cpu(", "be32_to_cpu(",
     "reading it: Python says fine, C says "),
]  # fmt: skip
"""(format, file, text, what stands there instead, part of the line)"""

RECORDS = 30
"""Records drawn: enough for a text as long as its array."""


def wrong(monkeypatch: pytest.MonkeyPatch, where: Path, name: str, file: str, old: str, new: str, build: Build = GUARDED) -> Prover:
    """A prover for a format of which one generated file is changed."""

    def changed(layouts: list[Layout]) -> dict[str, str]:
        files = generate_all(layouts)
        path = next(each for each in files if each.endswith(f"{name.replace('-', '_')}{'' if file.startswith('.') else '_'}{file}"))
        assert old in files[path]
        return {**files, path: files[path].replace(old, new)}

    monkeypatch.setattr(module, "generate_all", changed)
    monkeypatch.setattr(module, "STRICT", ("-std=c11", "-w"))
    return Prover(where, [layouts_of(name)], build=build)


def differences(made: Prover, layouts: list[Layout]) -> list[str]:
    """What the proof says of each struct."""
    found = []
    for struct in layouts[0].structs:
        for prove in (partial(prove_records, made, examples=RECORDS), partial(prove_arrays, made)):
            try:
                prove(layouts[0], struct.name)
            except Difference as error:
                found.append(str(error))
    return found


@pytest.mark.parametrize(("name", "file", "old", "new", "line"), MUTANTS)
def test_a_mutant_is_seen(tmp_path: Path, name: str, file: str, old: str, new: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A padding that is let out, a bit let in, a limit, a place, a byte order: a line says the field, both verdicts, the record."""
    made = wrong(monkeypatch, tmp_path, name, file, old, new)
    found = differences(made, layouts_of(name))
    assert made.close() == 0
    assert [each for each in found if line in each], found
    assert all("\n" not in each and each.startswith(f"{name} ") and "; record " in each for each in found)
    assert (tmp_path / "difference.bin").stat().st_size > 0


def test_the_other_byte_order_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The big-endian run sees a reader that takes little-endian numbers as they stand."""
    if missing(BIG_ENDIAN):
        pytest.skip(missing(BIG_ENDIAN))
    made = wrong(monkeypatch, tmp_path, "page-table-stream", "codec.c", "le32_to_cpu(", "(", BIG_ENDIAN)
    assert differences(made, layouts_of("page-table-stream", byte_order="big"))
    made.close()


def test_a_reader_that_reads_too_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The sanitizer's report is on standard error, the proof ends with what to look for."""
    made = wrong(monkeypatch, tmp_path, "memfd-v2", "codec.c", "if (size < sizeof(struct memfd_luo_ser))", "if (size == 1000)")
    with pytest.raises(UsageError, match=r"has died .* see the sanitizer's report"):
        prove_records(made, layouts_of("memfd-v2")[0], "memfd_luo_ser")
    assert made.close() != 0
    assert "heap-buffer-overflow" in capfd.readouterr().err


def test_missing_tools_are_named() -> None:
    """A build whose compiler or emulator is not there says which."""
    assert ("no-such-gcc", "no-such-qemu") == replace(BIG_ENDIAN, compiler="no-such-gcc", runner=("no-such-qemu",)).missing
