"""Renew the locks of Maven artifacts in emrlab/applications/locks: python tools/make_lock.py [NAME …]

For maintainers: this alone needs Maven (`mvn`) and a network. Change a version or a root below, run it, read the diff,
then run the engines' tests. A lock line is group:artifact:version[:classifier], sha256 and bytes, tab-separated.
Learners' machines only ever fetch what the locks name (emrlab/nodes/artifacts.py).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

LOCKS = Path(__file__).resolve().parents[1] / "emrlab" / "applications" / "locks"
HADOOP = "3.4.2"
SDK = "2.29.52"  # the AWS SDK that Hadoop 3.4.2 is built with


@dataclass(frozen=True)
class Recipe:
    """What a lock is made from: ``roots`` (group:artifact:version[:classifier]), with what they need if ``deep``.

    ``drop``: files (by name) that nothing here uses. ``pins``: versions to take instead, group:artifact:version.
    """

    roots: tuple[str, ...]
    deep: bool = True
    drop: str = r"$^"
    pins: tuple[str, ...] = ()


RECIPES = {
    # Daemons, MapReduce tasks, streaming, distcp and commands, on Linux (x86-64: native epoll; elsewhere NIO).
    "hadoop": Recipe(
        tuple(
            f"org.apache.hadoop:hadoop-{name}:{HADOOP}"
            for name in (
                *("common", "hdfs", "yarn-server-resourcemanager", "yarn-server-nodemanager", "distcp", "streaming"),
                *("yarn-server-timelineservice", "mapreduce-client-hs", "mapreduce-client-jobclient"),
                *("mapreduce-examples",),
            )
        ),
        drop=r"netty-.*(macos|osx|kqueue|aarch_64|riscv64)|netty-transport-(udt|sctp|rxtx)"
        r"|netty-codec-(mqtt|redis|stomp|smtp|memcache|haproxy|xml|socks)|netty-handler-(proxy|ssl-ocsp)"
        r"|mssql-jdbc|HikariCP|ehcache|cache-api|animal-sniffer|checker-qual|j2objc|listenablefuture|codemodel"
        r"|jsonschema2pojo|FastInfoset|stax-ex|jsch|jline|kerb-(core|crypto|util)|kerby-(config|pkix|asn1|util)",
        pins=("org.apache.httpcomponents:httpcore:4.4.16",),  # the AWS SDK's; both are on one class path
    ),
    # HDFS's web pages are in this jar alone.
    "hdfs-web": Recipe((f"org.apache.hadoop:hadoop-hdfs:{HADOOP}:tests",), deep=False),
    # S3A without the SDK's 600 MB bundle. What Hadoop and pyspark have themselves is left out.
    "s3": Recipe(
        (f"software.amazon.awssdk:s3-transfer-manager:{SDK}", f"software.amazon.awssdk:sts:{SDK}"),
        drop=r"commons-|slf4j-|httpc|netty-(buffer|codec|common|handler|resolver|transport)",
    ),
    "spark": Recipe(
        (
            *(f"org.apache.hadoop:hadoop-client-{name}:{HADOOP}" for name in ("api", "runtime")),
            "org.apache.spark:spark-hadoop-cloud_2.12:3.5.8",
        ),
        deep=False,
    ),
    "spark-shuffle": Recipe(("org.apache.spark:spark-network-yarn_2.12:3.5.5",), deep=False),
    # The newest there is of this line; fetched when the first session starts.
    "spark-connect": Recipe(("org.apache.spark:spark-connect_2.12:3.5.7",), deep=False),
    "shim": Recipe(("org.eclipse.jdt:ecj:3.39.0",), deep=False),
}
# Roots to take alone beside the deep ones of the same lock.
ALSO = {"s3": (f"org.apache.hadoop:hadoop-aws:{HADOOP}",)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Renew the locks of Maven artifacts.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default all): {', '.join(RECIPES)}")
    names = parser.parse_args(arguments).names or list(RECIPES)
    if unknown := set(names) - set(RECIPES):
        parser.error(f"no recipe for {', '.join(sorted(unknown))}")
    for name in names:
        lines = lock(RECIPES[name])
        if name in ALSO:
            lines = sorted({*lines, *lock(Recipe(ALSO[name], deep=False))})
        (LOCKS / f"{name}.lock").write_text("".join(f"{line}\n" for line in lines))
        size = sum(int(line.rpartition("\t")[2]) for line in lines)
        print(f"{name}: {len(lines)} files, {size / 1e6:.1f} MB")


def lock(recipe: Recipe) -> list[str]:
    """The lines of a lock, sorted."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pom.xml").write_text(pom(recipe))
        command = [
            *("mvn", "--batch-mode", "--quiet", "--file", str(folder / "pom.xml"), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true", f"-DexcludeTransitive={not recipe.deep}"),
            f"-DoutputDirectory={folder / 'jars'}",
        ]
        try:
            done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError:
            sys.exit("Maven is needed to renew locks: install it, so that `mvn` is on the PATH.")
        if done.returncode:
            sys.exit(f"Maven could not resolve {recipe.roots}:\n{done.stdout[-3000:]}")
        jars = sorted((folder / "jars").rglob("*.jar"))
        return sorted(line(jar, folder / "jars") for jar in jars if not re.match(recipe.drop, jar.name))


def line(jar: Path, repository: Path) -> str:
    """A lock's line for a jar in a repository's layout."""
    *group, name, version, file = jar.relative_to(repository).parts
    classifier = file.removesuffix(".jar").removeprefix(f"{name}-{version}").lstrip("-")
    coordinate = ":".join([".".join(group), name, version, *([classifier] if classifier else [])])
    content = jar.read_bytes()
    return f"{coordinate}\t{hashlib.sha256(content).hexdigest()}\t{len(content)}"


def pom(recipe: Recipe) -> str:
    """A project that needs the roots."""
    managed = "".join(dependency(pin) for pin in recipe.pins)
    needed = "".join(dependency(root) for root in recipe.roots)
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>lock</groupId><artifactId>lock</artifactId>"
        "<version>1</version><packaging>pom</packaging>"
        f"<dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement>"
        f"<dependencies>{needed}</dependencies></project>"
    )


def dependency(coordinate: str) -> str:
    """One ``<dependency>``."""
    tags = ("groupId", "artifactId", "version", "classifier")
    inside = "".join(f"<{tag}>{escape(value)}</{tag}>" for tag, value in zip(tags, coordinate.split(":"), strict=False))
    return f"<dependency>{inside}</dependency>"


if __name__ == "__main__":
    main()
