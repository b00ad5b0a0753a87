"""``s3-dist-cp`` on a node: EMR's options, Hadoop's DistCp at work. EMR's own S3DistCp is not to be had.

See "S3DistCp (s3-dist-cp)". Options that DistCp cannot honour are refused.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NOT_HERE = (
    "groupBy",
    "targetSize",
    "appendToLastFile",
    "outputCodec",
    "manifest",
    "outputManifest",
    "previousManifest",
    "requirePreviousManifest",
    "copyFromManifest",
    "srcPrefixesFile",
    "storageClass",
    "s3ServerSideEncryption",
    "numberFiles",
    "multipartUploadChunkSize",
    "disableMultipartUpload",
    "encryptionKey",
    "s3Endpoint",
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="s3-dist-cp", allow_abbrev=False)
    parser.add_argument("--src", required=True, help="where files are: s3://… or hdfs://…")
    parser.add_argument("--dest", required=True, help="where they go")
    parser.add_argument("--srcPattern", help="a regular expression that the path of a file must match as a whole")
    parser.add_argument("--deleteOnSuccess", action="store_true", help="delete the source files afterwards")
    for name in NOT_HERE:
        parser.add_argument(f"--{name}", nargs="?", const="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if asked := [name for name in NOT_HERE if getattr(options, name) is not None]:
        names = ", ".join(f"--{name}" for name in asked)
        print(
            f"s3-dist-cp: {names} is not emulated here. --src, --dest, --srcPattern, --deleteOnSuccess are.",
            file=sys.stderr,
        )
        return 2
    if options.srcPattern is None:
        code = hadoop("distcp", "-update", options.src, options.dest)
    else:
        try:
            pattern = re.compile(options.srcPattern)
        except re.error as error:
            print(f"s3-dist-cp: --srcPattern {options.srcPattern!r} is no regular expression: {error}", file=sys.stderr)
            return 2
        code = copy_matching(options.src, options.dest, pattern)
    if code == 0 and options.deleteOnSuccess:
        code = hadoop("fs", "-rm", "-r", "-skipTrash", options.src)
    return code


def copy_matching(source: str, target: str, pattern: re.Pattern[str]) -> int:
    """One DistCp per folder that holds matching files: a list of files loses their folders."""
    said = subprocess.run(["hadoop", "fs", "-ls", "-R", source], capture_output=True, text=True, check=False)
    if said.returncode:
        print(said.stderr, file=sys.stderr, end="")
        return said.returncode
    base = source.rstrip("/")
    folders: dict[str, list[str]] = {}
    for line in said.stdout.splitlines():
        parts = line.split(None, 7)
        if len(parts) == 8 and not parts[0].startswith("d") and pattern.fullmatch(parts[7]):
            folder = parts[7].rpartition("/")[0]
            folders.setdefault(folder, []).append(parts[7])
    if not folders:
        print(f"s3-dist-cp: no file under {source} matches {pattern.pattern!r}; nothing was copied.", file=sys.stderr)
        return 0
    at = in_store(base)
    for folder, names in sorted(folders.items()):
        below = in_store(folder).removeprefix(at).strip("/")
        place = "/".join(part for part in (target.rstrip("/"), below) if part)
        with tempfile.NamedTemporaryFile("w", suffix=".list", delete=False) as listing:
            listing.write("\n".join(names) + "\n")
        try:
            hadoop("fs", "-mkdir", "-p", place)
            if code := hadoop("distcp", "-update", "-f", f"file://{listing.name}", place):
                return code
        finally:
            Path(listing.name).unlink(missing_ok=True)
    return 0


def in_store(path: str) -> str:
    """A path without its scheme and bucket or host."""
    return re.sub(r"^\w+://[^/]*", "", path)


def hadoop(*arguments: str) -> int:
    sys.stdout.flush()
    return subprocess.run(["hadoop", *arguments], check=False, env=os.environ).returncode


if __name__ == "__main__":
    sys.exit(main())
