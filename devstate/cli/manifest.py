# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Write down which formats a kernel build writes and reads, so that a jump can be judged without the build.

BUILD is a vmlinux (its BTF and strings are read; a reduced one will do) or a release such as 7.3 (what the schemas say of it).
"""

from __future__ import annotations

import sys

from devstate.cli.inputs import open_registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("build", metavar="BUILD", help="a vmlinux, a release, or another manifest")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="where to write it; .msgpack makes it msgpack (default: JSON to stdout)"
    )
    parser.add_argument("--c", action="store_true", help="write C that places the manifest in an ELF section of a build")
    parser.add_argument("--name", metavar="NAME", help="what to call the build")
    parser.add_argument("--schemas", metavar="PATH", action="append", default=[], help="a file or package with schemas of your own")


def run(arguments: argparse.Namespace) -> int:
    """Write the manifest; 3 when evidence is missing in it. Errors as open_manifest()."""
    from devstate.cli.builds import open_manifest
    from devstate.cli.command import INCOMPLETE, OK
    from devstate.compat.manifest import to_dict
    from devstate.frozen import replace

    manifest = open_manifest(arguments.build, open_registry(arguments.schemas))
    if arguments.name is not None:
        manifest = replace(manifest, name=arguments.name)
    if arguments.c:
        from devstate.compat.manifest_c import to_c

        data = to_c(manifest).encode()
    elif arguments.output.endswith(".msgpack"):
        import msgpack

        data = msgpack.packb(to_dict(manifest))
    else:
        import json

        data = (json.dumps(to_dict(manifest), indent=1) + "\n").encode()
    if arguments.output == "-":
        sys.stdout.write(data.decode())
    else:
        with open(arguments.output, "wb") as file:
            file.write(data)
    for each in manifest.missing:
        print(f"{manifest.name}: {each}", file=sys.stderr)
    return INCOMPLETE if manifest.missing else OK
