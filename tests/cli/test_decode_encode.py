# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verbs decode and encode: files and standard streams, byte-identical there and back, errors that say what is wrong."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import pytest

import devstate.cli.decode as decode_verb
import devstate.cli.encode as encode_verb
from devstate.errors import DecodeError, DevstateError, EncodeError, LimitError, UsageError

FILE = b"memfd-v2".ljust(48, b"\0") + (0x107E02000).to_bytes(8, "little") + (7).to_bytes(8, "little")


def call(verb: object, *words: str) -> int:
    """Run a verb with the arguments of a command line."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)  # type: ignore[attr-defined]
    status: int = verb.run(parser.parse_args(words))  # type: ignore[attr-defined]
    return status


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One record to JSON and back, byte-identical; a struct's name alone says which format."""
    (tmp_path / "in").write_bytes(FILE)
    assert 0 == call(decode_verb, "--as", "luo_file_ser", str(tmp_path / "in"))
    text = capsys.readouterr().out
    assert {"compatible": "memfd-v2", "data": "0x107e02000", "token": 7} == json.loads(text)
    (tmp_path / "json").write_text(text)
    assert 0 == call(encode_verb, "--as", "luo-v5", "--struct", "luo_file_ser", "-o", str(tmp_path / "out"), str(tmp_path / "json"))
    assert FILE == (tmp_path / "out").read_bytes()


def test_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several records are a list, and a list is several records; none is an empty list."""
    for count in (0, 3):
        (tmp_path / "in").write_bytes(FILE * count)
        assert 0 == call(decode_verb, "--as", "luo_file_ser", "--array", str(tmp_path / "in"))
        (tmp_path / "json").write_text(capsys.readouterr().out)
        assert 0 == call(encode_verb, "--as", "luo_file_ser", "-o", str(tmp_path / "out"), str(tmp_path / "json"))
        assert FILE * count == (tmp_path / "out").read_bytes()


def test_standard_streams(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """``-`` is standard input, and bytes go to standard output."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILE)))
    assert 0 == call(decode_verb, "--as", "luo_file_ser", "-")
    text = capsysbinary.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert 0 == call(encode_verb, "--as", "luo_file_ser", "-")
    assert FILE == capsysbinary.readouterr().out


def test_own_schemas(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema of the user's own works like a shipped one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "mine.py").write_text(
        "from devstate.schema import U16, Schema, Struct\n"
        "SCHEMAS = [Schema(compatible='mine-v1', doc='d', source='s', status='project', root=Struct('mine', 'a' / U16))]\n"
    )
    (tmp_path / "in").write_bytes(b"\2\1")
    assert 0 == call(decode_verb, "--as", "mine-v1", "--schemas", str(tmp_path / "mine.py"), str(tmp_path / "in"))
    assert {"a": 0x102} == json.loads(capsys.readouterr().out)


def test_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Page size and byte order are those that the command line says."""
    (tmp_path / "in").write_bytes((5).to_bytes(8, "big") * 2048)
    assert 0 == call(decode_verb, "--as", "kho_radix_leaf", "--page-size", "16384", "--byte-order", "big", str(tmp_path / "in"))
    assert [5] * 2048 == json.loads(capsys.readouterr().out)["bitmap"]


@pytest.mark.parametrize(
    ("words", "data", "kind", "text"),
    [
        (["--as", "nope"], FILE, UsageError, "nope"),
        (["--as", "luo-v5", "--struct", "nope"], FILE, UsageError, "luo_file_ser"),
        (["--as", "kho-v4"], FILE, UsageError, "devicetree"),
        (["--as", "luo_file_ser", "--page-size", "8192"], FILE, UsageError, "4096, 16384, 65536"),
        (["--as", "luo_file_ser"], FILE[:-1], DecodeError, "token"),
        (["--as", "luo_file_ser"], FILE + b"x", DecodeError, "64 bytes"),
        (["--as", "luo_file_ser", "--array"], FILE[:-1], DecodeError, "multiple of 64"),
    ],
)
def test_decode_refuses(words: list[str], data: bytes, kind: type[DevstateError], text: str, tmp_path: Path) -> None:
    """A wrong request or wrong bytes: an error that names what is known, or where it is wrong."""
    (tmp_path / "in").write_bytes(data)
    with pytest.raises(kind, match=text):
        call(decode_verb, *words, str(tmp_path / "in"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"", DecodeError),
        (b"{", DecodeError),
        (b"\xff", DecodeError),
        (b"[" * 100000, DecodeError),
        (b'{"a": ' + b"9" * 5000 + b"}", DecodeError),
        (b'{"token": 1, "token": 2}', DecodeError),
        (b"{}", EncodeError),
        (b"5", EncodeError),
        (b"null", EncodeError),
        (b"[5]", EncodeError),
        (b'{"compatible": "memfd-v2", "data": NaN, "token": 1}', EncodeError),
        (b'{"compatible": "\\ud800", "data": 1, "token": 1}', EncodeError),
    ],
)
def test_encode_refuses(text: bytes, kind: type[DevstateError], tmp_path: Path) -> None:
    """What is no JSON, or no record, is an error; nothing is written."""
    (tmp_path / "in").write_bytes(text)
    with pytest.raises(kind):
        call(encode_verb, "--as", "luo_file_ser", "-o", str(tmp_path / "out"), str(tmp_path / "in"))
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing input, an output in no directory, and an input above the limit."""
    with pytest.raises(DecodeError, match="cannot be read"):
        call(decode_verb, "--as", "luo_file_ser", str(tmp_path / "missing"))
    (tmp_path / "in").write_text('{"compatible": "", "data": 0, "token": 0}')
    with pytest.raises(EncodeError, match="cannot be written"):
        call(encode_verb, "--as", "luo_file_ser", "-o", str(tmp_path / "none" / "out"), str(tmp_path / "in"))
    (tmp_path / "in").write_bytes(FILE)
    monkeypatch.setattr(decode_verb, "INPUT_MAX", 64)
    assert FILE == decode_verb.read_input(str(tmp_path / "in"))
    (tmp_path / "in").write_bytes(FILE + b"x")
    with pytest.raises(LimitError):
        decode_verb.read_input(str(tmp_path / "in"))
