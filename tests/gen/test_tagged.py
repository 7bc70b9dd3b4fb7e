# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The generated C of tagged maps: it means what Python means, keeps what it does not know, ends at its limits, and is kernel code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from devstate.codec.tagged import DEPTH_MAX, TAGGED_MAX, Tagged, encode_tagged
from devstate.errors import UsageError
from devstate.gen.files import folder, generate_all, support
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import Layout
from devstate.layout.registry import Registry
from devstate.testing.difference import Difference
from devstate.testing.proof import prove
from devstate.testing.proof_tagged import CHECK, REWRITE, packed, prove_tagged, round_trip, verdict
from devstate.testing.prover import BIG_ENDIAN, FINE, GUARDED, LOADED, SANITIZED, Build, Prover, compile_c, layouts_of

ROOT = Path(__file__).resolve().parents[2]

SCHEMA = '''
from devstate.schema import *

point = Struct("point", "x" / S8 * About(tag=2), "y" / S64 * About(tag=1, optional=True, default=-7), packed=True)
leaf = Struct(
    "leaf",
    "grid" / Array(2, Array(3, S16)) * About(tag=9),
    "words" / Array(2, Chars(4)) * About(tag=1000, optional=True),
    "at" / point * About(tag=65535, optional=True),
    "inner" / Array(2, point) * About(tag=3),
    packed=True,
)
last = Struct("last", "unknown" / U32be * About(tag=7, minimum=3, maximum=4000000000), "rows" / FlexArray(leaf) * About(tag=8), packed=True)
root = Struct(
    "everything",
    "compatible" / Chars(16) * About(tag=1),
    "level" / Enum(U16, LOW=1, MIDDLE=7, HIGH=300) * About(tag=2),
    "bits" / Flags(S32, A=0, B=5, TOP=31) * About(tag=30),
    "zero" / MustBeZero(U32) * About(tag=31),
    "has_key" / U8 * About(tag=20),
    "key" / Raw(300) * About(tag=21, optional=True),
    "spare" / Reserved(3) * About(tag=22),
    "least" / S64 * About(tag=23),
    "most" / U64 * About(tag=24),
    "here" / point * About(tag=25),
    "long_name" / Chars(400) * About(tag=26, optional=True),
    "int" / U8 * About(tag=27, optional=True, default=200),
    "last" / last * About(tag=28),
    packed=True,
)
numbers = Struct("numbers", "all" / FlexArray(S32) * About(tag=1), packed=True)
pairs = Struct("pairs", "all" / FlexArray(Array(2, Raw(3))) * About(tag=1), packed=True)
names = Struct("names", "all" / FlexArray(Chars(8)) * About(tag=1), packed=True)


def schema(name, root, **more):
    return Schema(name=name, doc="for tests", source="tests", status="project", root=root, encoding="tagged", **more)


SCHEMAS = [
    schema("everything", root, compatible="everything-v1", carrier="field:compatible"),
    schema("numbers", numbers),
    schema("pairs", pairs),
    schema("names", names),
]
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The formats above."""
    path = tmp_path_factory.mktemp("schemas") / "all_types.py"
    path.write_text(SCHEMA)
    found = Registry()
    add_user_schemas(found, str(path))
    return found


@pytest.fixture(scope="module")
def prover(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    """All of them, under sanitizers."""
    return Prover(tmp_path_factory.mktemp("tagged"), [layouts_of(name, registry) for name in registry.summaries], build=GUARDED)


def of(registry: Registry, name: str) -> Layout:
    """A layout."""
    return layouts_of(name, registry)[0]


def test_every_type(registry: Registry, prover: Prover) -> None:
    """Numbers of all sizes and signs, texts, bytes, arrays of arrays, structs in structs, named values, versions; and unknown fields."""
    for name, struct in prover.order:
        prove_tagged(prover, of(registry, name), struct, 3)


@pytest.mark.parametrize("build", [LOADED, BIG_ENDIAN], ids=["optimized", "big-endian"])
def test_other_builds(registry: Registry, build: Build, tmp_path: Path) -> None:
    """The same through cffi, and on a big-endian machine."""
    if build.missing:
        pytest.skip(f"not installed: {', '.join(build.missing)}")
    made = Prover(tmp_path, [layouts_of(name, registry, build.byte_order) for name in registry.summaries], build=build)
    for name, struct in made.order:
        prove_tagged(made, layouts_of(name, registry, build.byte_order)[0], struct, 1)
    assert 0 == made.close()


NUMBERS = ("numbers", "numbers")


def test_verdicts_by_hand(registry: Registry, prover: Prover) -> None:
    """What Python and C say of bytes that no single flip makes."""
    layout = of(registry, "numbers")
    for data, expected in (
        (b"", ("truncated", 0)),
        (b"\x80", ("missing", 1)),
        (b"\x81\x01\x90", FINE),
        (b"\xde\x00\x01\x01\x90", ("form", 0)),
        (b"\x81\xcc\x01\x90", ("form", 1)),
        (b"\x81\x01\xdc\x00\x0f" + bytes(15), ("form", 2)),
        (b"\x81\x01\x91\xd2\x80\x00\x00\x00", FINE),
        (b"\x81\x01\x91\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", ("range", 3)),
        (b"\x81\x01\x91\xce\x80\x00\x00\x00", ("range", 3)),
        (b"\x81\x01\x91\xc2", ("type", 3)),
        (b"\x81\x01\xdd\xff\xff\xff\xff\x01", ("truncated", 8)),
        (b"\x82\x01\x90\x01\x90", ("twice", 3)),
        (b"\x83\x01\x90\x03\x01\x02\x01", ("form", 5)),
        (b"\x81\x00\x90", ("key", 1)),
        (b"\x82\x01\x90\xcd\xff\xff\xc0", FINE),
        (b"\x82\x01\x90\xce\x00\x01\x00\x00\xc0", ("key", 3)),
        (b"\x82\x01\x90\xc4\x01a\xc0", ("key", 3)),
        (b"\x82\x01\x90\x02\xc1", ("type", 4)),
        (b"\x82\x01\x90\x02\xca\x00\x00\x00\x00", ("form", 4)),
        (b"\x82\x01\x90\x02\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", FINE),
        (b"\x82\x01\x90\x02\xc7\x04\x01aaaa", ("form", 4)),
        (b"\x82\x01\x90\x02\xd6\x01aaaa", FINE),
        (b"\x82\x01\x90\x02\xc7\x03\x01aaa", FINE),
        (b"\x82\x01\x90\x02\xc7\x00\x01", FINE),
        (b"\x82\x01\x90\x02\xd8\x01aaaa", ("truncated", 4)),
        (b"\x82\x01\x90\x02\x82\x02\x01\x01\x01", ("form", 7)),
        (b"\x82\x01\x90\x02\x82\x01\x01\x01\x01", ("twice", 7)),
        (b"\x82\x01\x90\x02\x82\x01\x01\xff\x01", FINE),
        (b"\x82\x01\x90\x02\x81\x90\x01", ("key", 5)),
        (b"\x82\x01\x90\x02\xa2\xff\xff", FINE),
        (b"\x81\x01\x90\x00", ("remainder", 3)),
        (b"\x82\x01\x90\x02" + b"\x91" * (DEPTH_MAX - 1) + b"\x00", FINE),
        (b"\x82\x01\x90\x02" + b"\x91" * DEPTH_MAX + b"\x00", ("limit", 3 + DEPTH_MAX)),
        (b"\x82\x01\x90\x02" + b"\x91" * 9000, ("limit", 3 + DEPTH_MAX)),
        (b"\x82\x01\x90\x02\xc6" + (TAGGED_MAX - 9).to_bytes(4, "big") + bytes(TAGGED_MAX - 9), FINE),
        (b"\x82\x01\x90\x02\xc6" + (TAGGED_MAX - 8).to_bytes(4, "big") + bytes(TAGGED_MAX - 8), ("limit", 0)),
    ):
        assert (data[:20], expected) == (data[:20], verdict(layout, data, "numbers"))
        assert (data[:20], expected) == (data[:20], prover.verdict(NUMBERS, CHECK, data)[0])
        assert expected != FINE or (FINE, data) == prover.verdict(NUMBERS, REWRITE, data)


def test_many_elements(registry: Registry, prover: Prover) -> None:
    """Heads of every width."""
    layout = of(registry, "numbers")
    for count in (15, 16, 65535, 65536, 100_000):
        data = encode_tagged(layout, {"all": [count % 7] * count})
        assert (FINE, data) == prover.verdict(NUMBERS, REWRITE, data)


def test_what_is_unknown_goes_where_it_belongs(registry: Registry, prover: Prover) -> None:
    """Before, between and behind the known fields, in structs inside as well."""
    layout = of(registry, "everything")
    values = {"compatible": b"everything-v1".ljust(16, b"\0"), "level": 7, "bits": -(1 << 31), "zero": 0, "has_key": 1, "spare": bytes(3)}
    values |= {"least": -(1 << 63), "most": (1 << 64) - 1, "here": {"x": -128}, "last": {"unknown": 3, "rows": []}}
    data = encode_tagged(layout, values)
    strange = data.replace(b"\x19" + packed({2: -128}), b"\x19" + packed({1: 5, 2: -128, 3: [None], 77: {"b": 1, "a": 2}}))
    strange = bytes([data[0] + 2]) + strange[1:] + packed(40) + b"\xc0" + b"\xcd\xff\xff\xc3"
    assert FINE == verdict(layout, strange, "everything")
    assert (FINE, strange) == prover.verdict(("everything", "everything"), REWRITE, strange)


def test_it_is_kernel_code(registry: Registry, tmp_path: Path) -> None:
    """Both compilers are silent, no frame is above 1024 bytes, each file stands alone, nothing is allocated."""
    for name in registry.summaries:
        for file, text in generate_all(layouts_of(name, registry)).items():
            (tmp_path / file).write_text(text)
    codecs = [path.name for path in tmp_path.glob("*_codec.c")]
    assert 4 == len(codecs)
    for compiler in filter(shutil.which, ("gcc", "clang-14", "clang")):
        flags = ("-c", "-O2", "-Wvla", "-Wframe-larger-than=1024", "-Wimplicit-fallthrough", "-Wshadow", "-Wstrict-prototypes")
        assert "" == compile_c(tmp_path, *flags, *codecs, compiler=compiler)
    undefined = subprocess.run(["nm", "-u", "numbers_codec.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert set(undefined) <= {"U", "memcpy", "memset", "memcmp", "memchr", "bcmp", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("frame->it = (u32)head.at;", ""),
        ("if (place && field->optional)", "if (0)"),
    ],
)
def test_the_proof_sees(registry: Registry, tmp_path: Path, old: str, new: str) -> None:
    """A reader that forgets the order of keys, one that does not say what is there."""
    text = Path(support("devstate_tagged_read.h")).read_text()
    assert text.count(old) == 1
    (tmp_path / "devstate_tagged_read.h").write_text(text.replace(old, new))
    for name in ("devstate_tagged_write.h", "devstate_tagged_proof.h"):  # so that they include the other one
        shutil.copy(support(name), tmp_path)
    made = Prover(tmp_path, [layouts_of("everything", registry)], build=Build("gcc", SANITIZED))
    with pytest.raises((Difference, UsageError)):
        for _, struct in made.order:
            prove_tagged(made, of(registry, "everything"), struct, 12)


def test_prove_takes_both_encodings(tmp_path: Path) -> None:
    """One file with packed records and tagged maps."""
    flat = 'Schema(name="flat", doc="d", source="s", status="project", root=Struct("flat", "a" / U8, packed=True))'
    (tmp_path / "both.py").write_text(f"{SCHEMA}\nSCHEMAS = [*SCHEMAS[1:], {flat}]\n")
    assert 4 == prove(str(tmp_path / "both.py"), tmp_path)


def test_the_fuzz_target(registry: Registry, tmp_path: Path) -> None:
    """Made-up inputs, and libFuzzer where there is clang."""
    for file, text in generate_all(layouts_of("everything", registry)).items():
        (tmp_path / file).write_text(text)
    sources = [f"everything_{part}.c" for part in ("codec", "proof", "fuzzer")]
    include = [f"-I{folder()}", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'fuzz' / 'c'}"]
    alone = str(ROOT / "fuzz" / "c" / "standalone.c")
    subprocess.run(["gcc", "-std=gnu11", *SANITIZED, *include, *sources, alone, "-o", "alone"], cwd=tmp_path, check=True)
    assert 0 == subprocess.run([tmp_path / "alone", "-runs=20000"], check=False, stdout=subprocess.DEVNULL).returncode
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is not None:
        flags = ["-fsanitize=fuzzer,address,undefined", *include]
        subprocess.run([clang, "-std=c11", "-g", *flags, *sources, "-o", "guided"], cwd=tmp_path, check=True)
        assert 0 == subprocess.run([tmp_path / "guided", "-runs=20000"], check=False, capture_output=True).returncode


def test_round_trip_of_one(registry: Registry, prover: Prover) -> None:
    """The pieces that the proof is made of."""
    layout = of(registry, "pairs")
    record = Tagged(layout.struct(), {"all": [[b"abc", b"def"]]}, {9: packed("later")})
    case = round_trip(prover, layout, "pairs", record)
    assert packed({1: [[b"abc", b"def"]], 9: "later"}) == case.data


def test_two_versions_in_one_file(tmp_path: Path) -> None:
    """The newer header first: the older reader reads into its struct. A member of another size is called."""
    head = "from devstate.schema import *\n"
    made = 'Schema(compatible="two-v{0}", doc="d", source="s", status="project", carrier="string", root={1}, encoding="tagged"{2})'
    one = 'Struct("two", "a" / U16 * About(tag=1), packed=True)'
    two = 'Struct("two", "a" / {} * About(tag=1), "b" / U8 * About(tag=2), packed=True)'
    for kind, expected in (("U16", ""), ("U32", "static assertion failed")):
        schemas = f"SCHEMAS = [{made.format(1, one, '')}, {made.format(2, two.format(kind), ', replaces=' + repr('two-v1'))}]\n"
        (tmp_path / f"{kind}.py").write_text(head + schemas)
        found = Registry()
        add_user_schemas(found, str(tmp_path / f"{kind}.py"))
        for name in found.summaries:
            for file, text in generate_all(layouts_of(name, found)).items():
                (tmp_path / file).write_text(text)
        (tmp_path / "both.c").write_text('#include "two_v2_codec.h"\n#include "two_v1_codec.h"\n#include "two_v1_codec.c"\n')
        said = compile_c(tmp_path, "-fsyntax-only", "both.c")
        assert expected in said and bool(expected) == bool(said)
