# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""devstate build: TOML and JSON to a core that the other verbs read; what cannot be built is said with its line and rule."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from devstate.errors import DecodeError, EncodeError
from devstate.handover import spec_text
from tests.cli.runner import Runner

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "build.schema.json").read_text())
EXAMPLE, DEVICES = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "build.md").read_text(), re.DOTALL)

DRIVERS = ROOT / "examples" / "drivers"
FULL = (
    f'schemas = ["{DRIVERS}/passthrough.py"]\n'
    + """\
forms = { kho = "kho-v4", luo = "luo-v5", memfd = "memfd-v2", release = "7.4.1" }
page_size = "16K"
byte_order = "big"
liveupdate_num = 3
kexec_count = 4
per_block = 2
per_list = 1
list_order = 1
entry = "devicetree"
subtree_order = ["LUO", "mine"]

[arena]
base = "0x20000000"
size = "64M"

[[sessions]]
name = "vm"

[[sessions.files]]
token = 1
hex = "00ff01"
size = 50000
pos = 7
seals = ["SHRINK", "GROW"]

[[sessions.files]]
token = 2
handler = "vfio-pci-v9"
data = "0x1234000"

[[sessions.files]]
token = 3
path = "content"

[[flbs]]
name = "flb"
data = 5
count = 2

[[regions]]
name = "trace"
size = "64K"
pattern = "trace"

[[subtrees]]
name = "mine"
pattern = "my blob"

[[parts]]
path = "files/cursor"
format = "vfio-pci-v2"
record = { domain = 1, bdf = "3a:1f.7", reset_works = 1 }
place = "memory"

[[devices]]
path = "0000:00:02.0"
machine = "host"
driver = "example-function-v2"
flags = ["requested", "preserved"]
zeros = true
record = { bdf = "00:02.0", iommufd = 1, vectors = [{ gsi = 24 }, { gsi = 25 }] }

[[guests]]
name = "vm"

[[guests.ranges]]
gpa = "1M"
size = "32K"
session = "vm"
token = 1
flags = ["shared"]

[[guests.ranges]]
gpa = "1G"
size = "16K"
region = "trace"
offset = "16K"
node = 1

[[scratch]]
start = "0x80000000"
size = "64M"

[pins]
kho = "0x23ffc000"
"subtree/mine" = "0x10000"
"""
)


@pytest.fixture
def built(run: Runner, tmp_path: Path) -> Any:
    """Writes the text as a spec and builds it: the outcome, and the core."""

    def build(text: str, name: str = "spec.toml") -> tuple[Any, Path]:
        (tmp_path / name).write_text(text)
        (tmp_path / "content").write_bytes(b"content of a file")
        core = tmp_path / "out.core"
        return run("build", tmp_path / name, "-o", core, "--force"), core

    return build


def test_the_example_of_the_docs(run: Runner, built: Any) -> None:
    """It builds, it is as the schema says, nothing is wrong with it, and content is what was asked for."""
    jsonschema.validate(tomllib.loads(EXAMPLE), SCHEMA)
    outcome, core = built(EXAMPLE)
    assert (0, "", "") == (outcome.status, outcome.out, outcome.err)
    assert "0 findings; predicted for kernel 7.3: accepted\n" == run("check", core).out
    run("extract", core, "luo/session/vm-alpha/1", "-o", core.with_name("file"))
    assert (b"guest ram " * 104858)[: 1 << 20] == core.with_name("file").read_bytes()


def test_the_devices_of_the_docs(run: Runner, built: Any) -> None:
    """What links lead to is there, counted; the address is as it was given."""
    head = f'kernel = "7.3"\nschemas = ["{DRIVERS}/controller.py"]\n[[regions]]\nname = "rings"\nsize = "8K"\n'
    above = '[[devices]]\npath = "pci0000:00"\n'
    outcome, core = built(head + above + DEVICES.replace('commands = "0x7f001000"', "commands = 0"))
    assert (0, "", "") == (outcome.status, outcome.out, outcome.err)
    jsonschema.validate(tomllib.loads(DEVICES) | {"kernel": "7.3"}, SCHEMA)
    left = run("decode", "--part", "devices/machine/driver-1", core).json
    assert (1, 2, 4) == (left["nr_queues"], left["nr_doorbells"], left["doorbell_stride"])
    assert 0 == built(head + above + DEVICES)[0].status


def test_everything(run: Runner, built: Any) -> None:
    """Every key at once, as TOML and as JSON: the same core, and each thing where and what it should be."""
    plain = tomllib.loads(FULL)
    jsonschema.validate(plain, SCHEMA)
    assert set(plain) | {"kernel"} == spec_text.TOP
    outcome, core = built(FULL)
    assert (0, "") == (outcome.status, outcome.err)
    first = core.read_bytes()
    assert 0 == built(json.dumps(plain), "spec.json")[0].status
    assert first == core.read_bytes()
    lines = run("inspect", core).lines
    assert ["kho", "kho-v4", "fdt_pa=0x23ffc000"] == lines[0].split()[:3]
    assert "previous_release=7.4.1 kexec_count=4" in lines[1]
    assert ["subtree/LUO", "subtree/mine"] == [line.split()[0] for line in lines[2:4]]
    devices = ["devices/host", "devices/host/devices", "devices/host/driver-0"]
    assert ["files/cursor", "memory/vm", "memory/vm/owners", "memory/vm/extents", *devices] == [
        line.split()[0].removeprefix("devstate/") for line in lines if line.startswith("devstate/")
    ]
    assert "pa=0x10000 size=7" in lines[3]
    assert any("luo/session/vm/2" in line and "vfio-pci-v9" in line for line in lines)
    run("extract", core, "luo/session/vm/3", "-o", core.with_name("file"))
    assert b"content of a file" == core.with_name("file").read_bytes()
    run("extract", core, "luo/session/vm/1", "-o", core.with_name("file"), "--force")
    assert (b"\0\xff\1" * 17000)[:50000] == core.with_name("file").read_bytes()


def test_schema_and_reader_agree() -> None:
    """The keys that the reader takes are those of the JSON Schema."""
    properties, file = SCHEMA["properties"], SCHEMA["$defs"]["file"]
    assert spec_text.TOP == set(properties)
    assert spec_text.FILE == set(file["properties"])
    assert list(spec_text.SEALS) == file["properties"]["seals"]["anyOf"][1]["items"]["enum"]
    for key, known in spec_text.KEYS.items():
        table = properties[key].get("items", properties[key])
        assert known == set(table["properties"]), key


@pytest.mark.parametrize("release", ["6.16", "6.17", "6.18"])
def test_kernels_without_luo(built: Any, release: str) -> None:
    """They have a root and regions, but no sessions."""
    outcome, _ = built(EXAMPLE.replace("7.3", release))
    assert (2, True) == (outcome.status, "spec.toml:3: sessions[0]: this kernel has no LUO" in outcome.err)


@pytest.mark.parametrize("release", ["6.19", "7.0", "7.1-rc1", "7.1", "7.2", "7.3", "7.4"])
def test_kernels(run: Runner, built: Any, release: str) -> None:
    """Each release that has LUO: check of its own kernel is content."""
    outcome, core = built(EXAMPLE.replace("7.3", release).replace('seals = ["SEAL"]\n', ""))
    assert (0, "") == (outcome.status, outcome.err)
    assert run("check", core).out.startswith("0 findings")


BROKEN = {
    'kernel = "7.3"': {
        'kernel = "6.15"': ":1: kernel: kernels of release 6.15 have no KHO",
        'kernel = "x"': ":1: kernel: 'x' is no kernel release",
        "kernel = 7": ":1: kernel: not a text",
        "": ": kernel: a spec has a kernel (release) or forms",
        'forms = { kho = "kho-v9" }': ":1: forms.kho: no schema has this name",
        'forms = { kho = "luo-v5" }': ":3: sessions[0]: this kernel has no LUO",
        'kernel = "7.3"\npage_size = 8192': ":2: page_size: the page size is not known; expected 4096, 16384, 65536; found 8192",
        'kernel = "7.3"\nbyte_order = "middle"': ":2: byte_order: the byte order is not known",
        'kernel = "7.3"\nentry = "bios"': ":2: entry: the entry is not known",
        'kernel = "7.3"\nsesions = 1': ":2: sesions: no such key",
        'kernel = "7.3"\nper_block = 0': ":2: per_block: a block holds at least one entry",
        'kernel = "7.3"\narena = { size = "1T" }': ":2: arena.size: not a 64-bit number",
        'kernel = "7.3"\narena = { size = "65G" }': ":2: arena.size: the arena is too large",
        'kernel = "7.3"\narena = { size = 8192 }': ": sessions[0].files[0].size: contents are larger than the arena",
        'kernel = "7.3"\narena = { base = 5 }': ":2: arena.base: the arena is whole pages; expected a multiple of 4096; found 0x5",
        'kernel = "7.3': ": not TOML: ",
        'kernel = "7.3"\npins = { x = 5 }': ": pins.x: a pin of something that is not built",
        'kernel = "7.3"\npins = { kho = 5 }': ": kho: pinned address",
    },
    'name = "vm-alpha"': {
        "": ":3: sessions[0]: name is missing",
        'name = ""': ":4: sessions[0].name: a name is not empty",
        'name = "a/b"': ":4: sessions[0].name: a name is not empty",
        f'name = "{"n" * 64}"': ":4: sessions[0].name: a text that does not fit; expected at most 63 bytes",
        'name = "x"\n[[sessions]]\nname = "x"': ":6: sessions[1].name: two sessions have this name",
    },
    "token = 2": {
        "token = 1": ":13: sessions[0].files[1].token: two files of the session have this token; found 1",
        "": ":12: sessions[0].files[1]: token is missing",
        "token = -1": ":13: sessions[0].files[1].token: not a 64-bit number",
        "token = true": ":13: sessions[0].files[1].token: not a 64-bit number",
        f"token = {1 << 64}": ":13: sessions[0].files[1].token: not a 64-bit number",
        'token = 2\npath = "/nowhere"': ":14: sessions[0].files[1].path: cannot be read: No such file or directory",
        'token = 2\nhex = "0"': ":14: sessions[0].files[1].hex: hex is pairs of hexadecimal digits",
        'token = 2\nhex = "00"\npattern = "a"': ":15: sessions[0].files[1].pattern: a content is told in one way",
        "token = 2\nseals = 4294967296": ":14: sessions[0].files[1].seals: a 32-bit number",
        'token = 2\nseals = ["HARP"]': ":14: sessions[0].files[1].seals: not a seal",
        "token = 2\nfoo = 1": ":14: sessions[0].files[1].foo: no such key",
    },
    "order = 9": {"order = 19": ":15: sessions[0].files[1].order: the order of a block; expected 0..18; found 19"},
    'size = "2M"': {
        'size = "1023M"\n[[sessions.files]]\ntoken = 3\nsize = 4096': ":17: sessions[0].files[2].size: contents are larger than the arena",
    },
    'size = "64K"': {
        "size = 5": ":19: regions[0].size: a region is whole pages; expected a multiple of 4096 above 0; found 5",
        "": ":17: regions[0]: size is missing",
    },
}
"""What of the example is replaced, by what, and the message."""


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, cases in BROKEN.items() for new in cases])
def test_what_cannot_be_built(built: Any, old: str, new: str) -> None:
    """Status 2, one line, with the line and the rule; no core is left."""
    text = re.sub(r" *#.*", "", EXAMPLE)
    assert old in text
    outcome, core = built(text.replace(old, new, 1))
    assert (2, 1, False) == (outcome.status, outcome.err.count("\n"), core.exists())
    assert BROKEN[old][new] in outcome.err


def test_lines_of_json() -> None:
    """JSON that cannot be read is said as such, and deep nesting is no crash."""
    for data in (b"{", b'{"kernel": }', b'{"a":' * 100_000, b'{"a": 1, "a": 2}', b'{"a": NaN}'):
        with pytest.raises(DecodeError, match="not JSON"):
            spec_text.read_spec(data, "spec", spec_text_registry())
    text = '{\n "kernel": "7.3",\n "sessions": [\n  {"name": "a"},\n  {"name": "b",\n   "files": [{"token": 1,\n    "size": -1}]}]}'
    with pytest.raises(EncodeError, match=r"^spec:7: sessions\[1\].files\[0\].size: not a 64-bit number"):
        spec_text.read_spec(text.encode(), "spec", spec_text_registry())


ROWS = {
    "[[regions]]\nname = 'a'\nsize = 4096\n[pins]\n'memblock/a' = 4097": ":2: regions[0]: pinned address",
    "kexec_count = 99999999999": ":2: kexec_count: a 32-bit number",
    "page_size = 0": ":2: page_size: the page size is not known",
    "arena = { size = 4096 }": ":1: luo/flb/0: arena is full",
    "schemas = ['nope.py']": ":2: schemas[0]: the schemas cannot be loaded",
    "[[scratch]]\nstart = 5\nsize = 7": ":2: scratch[0]: scratch is whole pages",
    "[[scratch]]\nstart = '0x10000000'\nsize = '1G'": ":3: scratch[0].start: scratch is in the arena",
    "[[regions]]\nname = 'a'\nsize = 4096\nwords = { 8192 = 1 }": ":5: regions[0].words: words behind the end",
    "[[regions]]\nname = 'a'\nsize = 4096\nwords = { 5 = 1 }": ":5: regions[0].words: not offsets of words",
    "[[regions]]\nname = 'a'\nsize = 4096\npath = '/dev/zero'": ":5: regions[0].path: no regular file",
    "[[parts]]\npath = 'x/y'\nformat = 'nope'\nrecords = []": ":4: parts[0].format: ",
    "[[parts]]\npath = 'x/y'\nformat = 'its-v1'\nstruct = 'nope'\nrecord = {}": ":5: parts[0].struct: ",
    "[[parts]]\npath = 'x/y'\nformat = 'its-v1'": ":2: parts[0]: a part has a record, records, or content",
    "[[parts]]\npath = 'x/a b'\nformat = 'z'\ncontent = { hex = '00' }": ":3: parts[0].path: not the name of a node",
    "[[parts]]\npath = 'x/y'\nformat = ''\ncontent = { hex = '00' }": ":4: parts[0].format: a format has a name",
    "[[parts]]\npath = 'x/y'\nformat = 'kvm-x86-msrs-v1'\nzeros = true\nrecords = [{}]": ":6: parts[0].records: a struct without a fixed size",  # noqa: E501
    "[[parts]]\npath = 'x/y'\nformat = 'its-v1'\nzeros = 1\nrecord = {}": ":5: parts[0].zeros: neither true nor false",
    "[[parts]]\npath = 'x/y'\nformat = 'its-v1'\nzeros = true\nrecord = { lpis = -1 }": ":6: parts[0].record.lpis: ",
    "[[parts]]\npath = 'x/y'\nformat = 'its-v1'\nstruct = 'ds_its_area'\nzeros = true\nrecord = { pa = { at = 'x' } }": ":2: parts[0]: nothing is at",  # noqa: E501
    "[[devices]]\npath = 'a'\nrecord = {}": ":2: devices[0]: what a driver leaves has a format",
    "[[devices]]\npath = 'a'\n[[devices]]\npath = 'a'": ":5: devices[1].path: two devices have this path",
    "[[devices]]\npath = 'a'\nflags = ['x']": ":4: devices[0].flags: not a flag",
    "[[devices]]\npath = 'a'\nphase = 'x'": ":4: devices[0].phase: not a phase",
    "[[guests]]\nname = 'g'\n[[guests.ranges]]\ngpa = 0\nsize = 4096\nregion = 'x'": ":4: guests[0].ranges[0]: there is no such region",
    "[[guests]]\nname = 'g'\n[[guests.ranges]]\ngpa = 5\nsize = 4096\nregion = 'x'": ":5: guests[0].ranges[0].gpa: a range is whole pages",
}
"""Lines behind the release, and the message."""


@pytest.mark.parametrize("rows", ROWS)
def test_rows_that_cannot_be_built(rows: str) -> None:
    """Each names its line and rule."""
    from devstate.handover.build import build
    from devstate.memory.arena import Arena

    with pytest.raises(EncodeError) as caught:
        made = spec_text.read_spec(f'kernel = "7.3"\n{rows}\n'.encode(), "spec", spec_text_registry())
        try:
            build(made.spec, Arena(*made.arena), made.registry)
        except EncodeError as error:
            raise made.located(error) from None
    assert f"spec{ROWS[rows]}" in str(caught.value).replace("pa 0x1001: ", "")


def spec_text_registry() -> Any:
    from devstate.layout.registry import Registry

    return Registry.shipped()


def test_an_image_that_is_there(run: Runner, tmp_path: Path) -> None:
    """It stays, unless --force."""
    (tmp_path / "spec.toml").write_text('kernel = "7.3"')
    (tmp_path / "out").write_text("mine")
    assert 2 == run("build", tmp_path / "spec.toml", "-o", tmp_path / "out").status
    assert "mine" == (tmp_path / "out").read_text()
    assert 0 == run("build", tmp_path / "spec.toml", "-o", tmp_path / "out", "--force").status
