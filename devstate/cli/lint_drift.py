# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""lint --drift: schemas, headers, a build and texts, held to each other pair by pair."""

from __future__ import annotations

from devstate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from devstate.compat.drift import Picture
    from devstate.compat.lint import Linted
    from devstate.finding import Finding
    from devstate.layout.declared import Declared
    from devstate.layout.model import Environment, Layout
    from devstate.layout.registry import Registry


def drifting(arguments: argparse.Namespace) -> tuple[tuple[Linted, ...], int, list[Layout]]:
    """The findings, how many formats were held to something, and those formats. UsageError when there is nothing to hold them to."""
    from devstate.cli.inputs import open_registry
    from devstate.cli.sources import open_source
    from devstate.compat.drift import Picture, common, drift
    from devstate.compat.lint import Linted, merged
    from devstate.compat.rules import ds504
    from devstate.layout.model import Environment

    if not any((arguments.headers, arguments.btf, arguments.docs)):
        raise UsageError("--drift holds the schemas to something: give --headers DIR, --btf FILE or --docs DIR")
    registry, environment = open_registry([]), Environment(4096, arguments.byte_order)
    others: list[Picture] = []
    if arguments.btf is not None:
        others.append(Picture("BTF", open_source(arguments.btf, environment, registry)))
        environment = others[0].declared.environment  # a build has one page size and byte order: the rest is laid out for these
    if arguments.headers is not None:
        others.insert(0, Picture("header", open_source(arguments.headers, environment, registry)))
    first = schemas_of(arguments, environment, registry, others)
    schema = Picture("schema" if first.kind in ("schemas", "baselines") else first.origin, first)
    wanted = [name for picture in (schema, *others) if picture.word != "BTF" for name in picture.structs()]
    others = [picture if picture.word != "BTF" else _with(picture, wanted) for picture in others]
    found = [Linted(finding, (), None) for finding in drift([schema, *others])]
    for other in others:
        if not common([schema, other]):
            missing = ds504.missing(f"{schema.declared.origin} and {other.declared.origin} have no struct in common", other.declared.origin)
            found.append(Linted(missing, ()))
    found += [Linted(finding, ()) for finding in _texts(arguments, schema.declared.formats, [schema, *others])]
    return merged(found), len(schema.declared.formats), list(schema.declared.formats)


def _with(picture: Picture, wanted: list[str]) -> Picture:
    """The picture of a build with the structs that others have and its formats do not show: a user's own are no format that is shipped."""
    from devstate.compat.drift import Picture
    from devstate.frozen import replace
    from devstate.source.btf import Btf
    from devstate.source.btf_composite import btf_structs
    from devstate.source.known import REST, bare

    declared, known = picture.declared, picture.structs()
    lacking = [name for name in dict.fromkeys(wanted) if name not in known]
    if declared.kind != "build" or not lacking:
        return picture
    btf = Btf.open(declared.origin)
    structs = btf_structs(btf, [name for name in lacking if len(btf.find(name)) == 1])
    rest = bare(REST, "", structs, declared.environment, declared.origin)
    return Picture(picture.word, replace(declared, formats=(*declared.formats, rest)))


def schemas_of(arguments: argparse.Namespace, environment: Environment, registry: Registry, others: list[Picture]) -> Declared:
    """The schemas to be held to the rest: those that are named; else of all that are known those whose version the headers declare, and
    what mainline writes today where no header says which version it is."""
    from devstate.cli.sources import SHIPPED, open_source
    from devstate.compat.versions import family, version_of
    from devstate.frozen import replace
    from devstate.layout.declared import Declared

    words = [*arguments.path, *arguments.schemas]
    named = [open_source(word, environment, registry) for word in words]
    if named:
        formats = tuple(layout for each in named for layout in each.formats)
        places = tuple(place for each in named for place in each.places)
        return Declared(" ".join(words), named[0].kind, environment, formats, places)
    everything = open_source(SHIPPED, environment, registry)
    declared = [layout for other in others for layout in other.declared.formats if layout.compatible is not None]
    versions = {version_of(layout) for layout in declared}
    families = {family(layout.compatible or "") for layout in declared}
    kept = [each for each in everything.formats if each.status == "mainline" and version_of(each) in versions]
    kept += [
        each
        for each in everything.formats
        if each.status == "mainline" and each.until is None and family(each.compatible or each.name) not in families
    ]
    return replace(everything, formats=tuple(kept))


def _texts(arguments: argparse.Namespace, formats: tuple[Layout, ...], pictures: list[Picture]) -> list[Finding]:
    """What headers and documentation say that is not so."""
    from devstate.compat.drift import kernel_doc, strings_of, structs_in_texts, versions_in_texts
    from devstate.source.claims import open_claims, read_texts

    found: list[Finding] = []
    strings = strings_of(formats)
    known = {name for picture in pictures for name in picture.structs()}
    if arguments.headers is not None:
        claims = open_claims(arguments.headers)
        strings = [(macro.value, macro.name) for macro in claims.macros if macro.value is not None] or strings
        known |= {struct.name for struct in claims.structs}
        found += [*kernel_doc(claims), *versions_in_texts(claims.mentions, strings), *structs_in_texts(claims.named, known)]
    if arguments.docs is not None:
        mentions, named = read_texts(arguments.docs)
        found += [*versions_in_texts(mentions, strings), *structs_in_texts(named, known)]
    return found
