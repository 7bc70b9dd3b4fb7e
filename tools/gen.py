# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write what is generated: from the schemas, the baselines, one JSON file a format, and the compiled file; the page-table formats in C.

python tools/gen.py                    write new baselines and the compiled file; refuse to change a released baseline
python tools/gen.py --check            write nothing; exit 1 when a committed file is not what the schemas say
python tools/gen.py --accept NAME      let the baseline of NAME change (a posted format moved, or a released one was wrong)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator

from pt_header import header

import devstate_schemas
from devstate.layout.baseline import baseline, canonical
from devstate.layout.compiling import compile_schemas, converters_of, schemas_of
from devstate.layout.lower import lower

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASELINES = os.path.join(ROOT, "schemas", "baselines")


def generated() -> Iterator[tuple[str, str | None, bytes]]:
    """(path, schema name, content) of every generated file."""
    schemas = list(schemas_of(devstate_schemas))
    for schema in schemas:
        text = canonical(baseline(lambda environment, schema=schema: lower(schema, environment)))  # type: ignore[misc]
        yield os.path.join(BASELINES, f"{schema.name.replace(';', '+')}.json"), schema.name, text.encode()
    yield os.path.join(BASELINES, "compiled.msgpack"), None, compile_schemas(schemas, converters_of(devstate_schemas))
    yield os.path.join(ROOT, "csrc", "pt_formats.gen.h"), None, header()


def read(path: str) -> bytes | None:
    """The file's bytes, None when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def frozen_change(old: bytes | None, new: bytes, accepted: bool) -> bool:
    """Whether writing ``new`` would change the bytes that a committed baseline stands for."""
    return old is not None and not accepted and json.loads(old)["fingerprint"] != json.loads(new)["fingerprint"]


def main() -> int:
    """See the module's text. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when something differs")
    parser.add_argument("--accept", action="append", default=[], metavar="NAME", help="let this schema's baseline change")
    args = parser.parse_args()
    os.makedirs(BASELINES, exist_ok=True)
    bad = 0
    made = {path: (name, content) for path, name, content in generated()}
    for path, (name, content) in made.items():
        old = read(path)
        if old == content:
            continue
        if name is not None and frozen_change(old, content, name in args.accept):
            print(f"{path}: the bytes of a published format changed; a change needs a new compatible (or --accept {name})", file=sys.stderr)
            bad += 1
        elif args.check:
            print(f"{path}: {'missing' if old is None else 'out of date'}; run `make gen`", file=sys.stderr)
            bad += 1
        else:
            with open(path, "wb") as file:
                file.write(content)
    for stale in sorted(set(os.listdir(BASELINES)) - {os.path.basename(path) for path in made}):
        print(f"{stale}: no schema has this name any more; a published format is readable for ever", file=sys.stderr)
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
