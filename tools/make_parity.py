"""Write docs/parity.md: operation by operation, event by event, metric by metric: what is real, which test shows it.

Run it when one of them was built; a test sees to it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from botocore import xform_name
from botocore.session import Session

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import parity_notes as notes  # noqa: E402

from emrlab.applications import catalogue  # noqa: E402
from emrlab.emr import operations, releases  # noqa: E402
from emrlab.emr.access import security  # noqa: E402
from emrlab.emr.events import Kind  # noqa: E402
from emrlab.emr.registry import OPERATIONS  # noqa: E402
from emrlab.emr.requests import request  # noqa: E402

FILE = ROOT / "docs" / "parity.md"
BEGIN, END = "<!-- made -->", "<!-- /made -->"
# Tables of names, which show nothing of what an operation does.
TABLES = {"test_all_operations.py", "test_fuzz.py", "test_iam.py", "modelled.py"}


def sources() -> dict[str, str]:
    """Test modules by their name below ``tests``; those on real engines first."""
    found = {
        path.relative_to(ROOT / "tests").as_posix(): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")
    }
    found = {name: text for name, text in found.items() if Path(name).name not in TABLES}
    return dict(sorted(found.items(), key=lambda item: ("pytest.mark.engine" not in item[1], item[0])))


def shown(tests: Mapping[str, str], *texts: str) -> str:
    """The first two modules that use one of ``texts``."""
    found = [name for name, text in tests.items() if any(re.search(one, text) for one in texts)]
    return ", ".join(f"`{name.removesuffix('.py')}`" for name in found[:2])


def of_operation(tests: Mapping[str, str], name: str) -> str:
    command = xform_name(name, "-")
    return shown(tests, rf'"{name}"', rf"\.{xform_name(name)}\(", rf'"{command}"')


def constant(file: str, name: str) -> str:
    """A text that a test module compares with."""
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{file} has no {name}")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def extent(name: str) -> str:
    if name not in OPERATIONS:
        return "not emulated"
    return (
        "refused"
        if "always refused" in notes.OPERATIONS.get(name, "")
        else "partly"
        if name in notes.OPERATIONS
        else "real"
    )


def text() -> str:
    """The page, its part between the marks made anew."""
    assert operations  # importing them registers them
    tests = sources()
    names = Session().get_service_model("emr").operation_names
    built = [name for name in names if name in OPERATIONS]
    rows = [(f"`{name}`", extent(name), notes.OPERATIONS.get(name, ""), of_operation(tests, name)) for name in names]
    kinds = [
        (kind.value, "partly" if kind.name in notes.EVENTS else "real", notes.EVENTS.get(kind.name, ""),
         shown(tests, rf'"{re.escape(kind.value)}"', rf"Kind\.{kind.name}\b"))
        for kind in Kind
    ]  # fmt: skip
    metrics = sorted(constant("tests/emr/test_figures.py", "DOCUMENTED").split())
    measured = [
        (f"`{name}`", "partly" if name in notes.METRICS else "real", notes.METRICS.get(name, "")) for name in metrics
    ]
    missing = [(f"`{name}`".replace(", ", "`, `"), "none", why) for name, why in notes.NO_METRICS.items()]
    versions = ", ".join(f"{one.name} {one.version}" for one in catalogue().values())
    classifications = "\n".join(
        f"- {one.name}: {', '.join(f'`{name}`' for name in sorted(one.classifications))}"
        for one in catalogue().values()
    )
    page = FILE.read_text()
    head, rest = page.partition(BEGIN)[0], page.partition(END)[2]
    made = f"""\
## Operations: {len(built)} of {len(names)}

{table(("operation", "", "what not", "shown by"), rows)}

## Refused parameters of RunJobFlow

{", ".join(f"`{name}`" for name in sorted(request.NOT_BUILT))}; three master nodes; applications that emrlab does
not run.

A security configuration may ask for anything that EMR's documents know. A cluster cannot be launched with one that asks
for {", ".join(security.features({}))}.

## Events: {len(kinds)} kinds

On EventBridge's default bus, with source `aws.emr`; at least once, in the order of the changes.

{table(("detail-type", "", "what not", "shown by"), kinds)}

## Metrics

In CloudWatch's namespace `AWS/ElasticMapReduce`, every five lab minutes (every one with a managed scaling or an
auto-termination policy), with the dimension `JobFlowId`.

{table(("metric", "", "what not"), [*measured, *missing])}

With task nodes also `TaskNodesRunning` and `TaskNodesPending`; with managed scaling `Total…`, `Core…` and `Task…` of
`NodesRequested`, `NodesRunning` and their like in VCPU and units; with auto-termination `AutoTerminationIsClusterIdle`.

## Releases and applications

{", ".join(f"`{label}`" for label in releases.LABELS)}: {versions} in each of them. EMR's own builds differ by
patches and point versions ("Application versions in Amazon EMR 7.x releases").

Classifications that `Configurations` may hold:

{classifications}"""
    return f"{head}{BEGIN}\n{made}\n{END}{rest}"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name} is written.")
