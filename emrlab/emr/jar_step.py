"""What a step runs on the master node, from its ``HadoopJarStep``.

See "Run commands and scripts on an Amazon EMR cluster" (command-runner.jar, script-runner.jar) and "Submit a custom
JAR step".
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ..nodes.node import Node
from .bootstrap import interpreter
from .records import Step
from .s3 import S3, S3Error, is_s3

COMMAND, SCRIPT = "command-runner.jar", "script-runner.jar"


class CannotRun(Exception):
    """A step that cannot be started; the message says why."""


@dataclass(frozen=True)
class Work:
    """``command``: program and arguments. ``env``: over the node's."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


def work(step: Step, node: Node, s3: S3, folder: Path) -> Work:
    """The step's work; its files are fetched into ``folder``. Raises ``CannotRun``."""
    name = step.jar.rpartition("/")[2]
    if name == COMMAND:
        return Work(command(step.arguments, node))
    if name == SCRIPT:
        return Work(script(step.arguments, s3, folder))
    jar = local(step.jar, node, s3, folder)
    main = [step.main_class] if step.main_class else []
    properties = " ".join(f"-D{name}={value}" for name, value in step.properties.items())
    env = {"HADOOP_CLIENT_OPTS": properties} if properties else {}
    return Work([*command(["hadoop"], node), "jar", str(jar), *main, *step.arguments], env)


def command(arguments: list[str], node: Node) -> list[str]:
    """A command line whose first word is looked for on the node's PATH."""
    if not arguments:
        raise CannotRun(f"{COMMAND} needs arguments: the command to run and its own, for example spark-submit …")
    found = shutil.which(arguments[0], path=node.environment["PATH"])
    if found is None:
        raise CannotRun(f'Cannot run program "{arguments[0]}": No such file or directory')
    return [found, *arguments[1:]]


def script(arguments: list[str], s3: S3, folder: Path) -> list[str]:
    if not arguments:
        raise CannotRun(f"{SCRIPT} needs arguments: the path of a script (s3://…), and the script's own.")
    if not is_s3(arguments[0]):
        file = Path(arguments[0].removeprefix("file://"))
        if not file.is_file():
            raise CannotRun(f"There is no script {arguments[0]} on the master node.")
    else:
        file = download(arguments[0], s3, folder)
        file.chmod(0o755)
    return [*interpreter(file), str(file), *arguments[1:]]


def local(jar: str, node: Node, s3: S3, folder: Path) -> Path:
    """A JAR on the node: from S3, or a path there (as on EMR, or of this machine)."""
    if is_s3(jar):
        return download(jar, s3, folder)
    path = jar.removeprefix("file://")
    for place in (node.path(path.lstrip("/")), Path(path)):
        if place.is_file():
            return place
    raise CannotRun(f"Error opening job jar: {jar}: there is no such file on the master node.")


def download(uri: str, s3: S3, folder: Path) -> Path:
    file = folder / (uri.rpartition("/")[2] or "file")
    try:
        s3.download(uri, file)
    except (S3Error, OSError) as error:
        raise CannotRun(f"Cannot fetch {uri}: {error}") from error
    return file
