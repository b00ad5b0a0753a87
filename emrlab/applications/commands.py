"""The commands that a login on a node has, in its ``usr/bin``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ..nodes.node import Node

HERE = Path(__file__).parent
HALTS = ("shutdown", "poweroff", "halt", "reboot")
HADOOP = ("hadoop", "hdfs", "yarn", "mapred", "hadoop-streaming")
SPARK = ("spark-submit", "spark-shell", "spark-sql", "spark-class", "pyspark", "run-example")


def system(node: Node) -> None:
    """What bootstrap actions and steps expect of any node: Python, the AWS CLI, its own name, ``sudo``."""
    python = shlex.quote(sys.executable)
    script(node, f'exec {python} "$@"', "python3", "python")
    script(node, f'exec {python} -m awscli "$@"', "aws")
    script(node, f'[ $# -eq 0 ] || [ "$1" = -f ] || exec /bin/hostname "$@"\necho {node.name}', "hostname")
    # There is one user here, hadoop, who may do all there is to do on a node.
    # Whoever shuts down "the machine" means the node, however the command is spelt.
    flags = 'while [ "${1#-}" != "$1" ]; do case $1 in -u|-g) shift;; esac; shift; done'
    script(node, f'{flags}\ncase ${{1##*/}} in {"|".join(HALTS)}) exec "${{1##*/}}";; esac\nexec "$@"', "sudo")
    script(node, f'exec {python} -m emrlab.applications.s3_dist_cp "$@"', "s3-dist-cp")
    script(node, f"exec {python} -m emrlab.nodes.shutdown", *HALTS)  # the node, not the machine it is on
    # EMR's debugging tool carries the states of jobs to its console. Here they are read where they are, in YARN and the
    # history servers: all there is to set up is that YARN answers.
    script(node, "exec yarn application -list -appStates ALL", "state-pusher-script")


def script(node: Node, body: str, *names: str) -> None:
    for name in names:
        node.write(f"usr/bin/{name}", f"#!/bin/bash\n{body}\n", executable=True)


def hadoop(node: Node) -> None:
    text = (HERE / "commands.sh").read_text()
    text = text.replace("@NODE@", shlex.quote(str(node.folder))).replace("@ADDRESS@", node.address)
    for name in HADOOP:
        node.write(f"usr/bin/{name}", text, executable=True)


def spark(node: Node, home: Path) -> None:
    """Spark's own scripts, with the node's ``spark-env.sh`` and configuration."""
    for name in SPARK:
        script(node, f'export SPARK_HOME={shlex.quote(str(home))}\nexec "$SPARK_HOME/bin/{name}" "$@"', name)
