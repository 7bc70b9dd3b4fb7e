# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The formats of a driver author: what two versions of a toy leave."""

from devstate.schema import U32, U64, Converter, MustBeZero, Reaction, Schema, Struct

ONE = Struct("toy_v1", "level" / U32, packed=True)
TWO = Struct("toy_v2", "level" / U32, "padding" / MustBeZero(U32), "millis" / U64, packed=True)


def _schema(version: int, root: Struct, replaces: str | None) -> Schema:
    return Schema(
        compatible=f"toy-v{version}",
        replaces=replaces,
        doc="a toy",
        source="toy.c",
        status="project",
        root=root,
        found_by="devstate devices",
        carrier="string",
        on_mismatch=Reaction.RETRIEVE_FAILS,
    )


SCHEMAS = [_schema(1, ONE, None), _schema(2, TWO, "toy-v1")]
CONVERTERS = [Converter("toy-v1", "toy-v2", up={"millis": 0}, loses=("millis",))]
