"""The arrows of docs/architecture.md, held by looking at what each module imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "emrlab"
LEAVES = {"home", "errors", "context", "processes", "profile", "clock", "database"}
# Room → the rooms it may import besides the leaves and itself. A room that is not named here may import leaves alone.
ARROWS: dict[str, set[str]] = {
    "nodes": set(),
    "applications": {"nodes"},
    "emr": {"applications", "nodes"},
    "region": {"emr"},
    "widgets": {"region"},
    "course": {"region", "widgets"},
    "cli": {"region", "applications", "nodes", "course", "widgets", "cli"},
    "__init__": {"course", "widgets"},
    "__main__": {"cli"},
}
# What the rooms on either side of the API leave to it: no AWS client below, no AWS service above.
FOREIGN = {
    "nodes": {"boto3", "botocore", "ministack", "moto", "uvicorn"},
    "applications": {"boto3", "botocore", "ministack", "moto", "uvicorn"},
    "course": {"ministack", "moto", "uvicorn"},
    "widgets": {"ministack", "moto", "uvicorn"},
    "cli": {"ministack", "moto", "uvicorn"},
}
# Which module of a room others may use, where it is not the whole room.
DOORS = {("course", "region"): {"control"}, ("widgets", "region"): {"control"}, ("cli", "region"): {"control"}}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def libraries(source: str) -> set[str]:
    """The top-level packages that ``source`` imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def imported(path: Path, source: str) -> set[tuple[str, ...]]:
    """The emrlab modules that ``source`` at ``path`` imports, as parts below the package: ``("nodes", "jre")``."""
    package = ("emrlab", *path.relative_to(PACKAGE).parent.parts)
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = (*base, *(node.module.split(".") if node.module else ()))
            names = [(*stem, alias.name) for alias in node.names]
        else:
            continue
        found |= {name[1:] for name in names if name[0] == "emrlab" and len(name) > 1}
    return found


def violations(path: Path, source: str) -> list[str]:
    """What ``source`` imports against the arrows, in words."""
    here = room(path)
    wrong = []
    for target in sorted(imported(path, source)):
        there, door = target[0], target[1] if len(target) > 1 else ""
        known = (PACKAGE / there).is_dir() or (PACKAGE / f"{there}.py").is_file()
        if not known or there == here or there in LEAVES:
            continue
        allowed = there in ARROWS.get(here, set())
        doors = DOORS.get((here, there))
        if not allowed or (doors is not None and door not in doors):
            wrong.append(f"{path.relative_to(PACKAGE.parent)} imports emrlab.{'.'.join(target)}")
    for library in sorted(libraries(source) & FOREIGN.get(here, set())):
        wrong.append(f"{path.relative_to(PACKAGE.parent)} imports {library}")
    return wrong


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    assert violations(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("nodes/x.py", "from emrlab.emr import service"),
        ("nodes/x.py", "from ..applications import catalogue"),
        ("emr/x.py", "def f():\n    from ..region.control import up"),
        ("course/x.py", "import emrlab.nodes.jre"),
        ("widgets/x.py", "from .. import applications"),
        ("widgets/x.py", "from ..region import gateway"),
        ("applications/x.py", "def f():\n    import boto3.session"),
        ("course/x.py", "from moto import mock_aws"),
        ("home.py", "from .nodes import jre"),
    ],
)
def test_an_arrow_against_the_plan_is_seen(file, source):
    assert len(violations(PACKAGE / file, source)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("emr/x.py", "from ..applications import catalogue\nfrom ..errors import AwsError"),
        ("course/x.py", "from emrlab.region import control"),
        ("cli/x.py", "from ..nodes.jre import java_home"),
        ("nodes/x.py", "import os, json\nfrom .jre import java_home\nfrom .. import home"),
    ],
)
def test_the_planned_arrows_are_allowed(file, source):
    assert violations(PACKAGE / file, source) == []


def test_every_room_has_its_arrows_written_down():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(ARROWS)
