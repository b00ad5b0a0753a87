"""``shutdown`` on a node: it ends the node, all its processes, and never the machine that the node is on.

Scripts written for EMR do that: a cluster that nobody uses ends itself by ``sudo shutdown -h now`` on its master node.
A node does not come back: ``reboot`` ends it too.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..processes import end
from .node import MARK, Node


def main() -> None:
    node = Node(Path(os.environ[MARK]), "", "", "")
    end([process for process in node.processes() if process.pid != os.getpid()], grace=2.0)


if __name__ == "__main__":
    main()
