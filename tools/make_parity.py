"""Write docs/parity.md: operation by operation, what is real. Run it when an operation was built; a test sees to it."""

from __future__ import annotations

from pathlib import Path

from botocore.session import Session

from emrlab.applications import catalogue
from emrlab.emr import operations, releases, request
from emrlab.emr.registry import OPERATIONS

FILE = Path(__file__).resolve().parents[1] / "docs" / "parity.md"
BEGIN, END = "<!-- made -->", "<!-- /made -->"
PARTLY = {
    "RunJobFlow": "instance groups; not: what the next section lists",
    "AddJobFlowSteps": "not: `ExecutionRoleArn`, `StepMonitoringConfiguration`",
    "ListInstances": "clusters of instance groups; there are no fleets yet",
    "AddTags": "clusters; there are no Studios yet",
    "RemoveTags": "clusters; there are no Studios yet",
    "DescribeReleaseLabel": "the applications and versions that emrlab runs, not EMR's own builds",
    "ListSupportedInstanceTypes": "the types of EMR's task configuration table that emrlab has figures for",
}


def extent(name: str) -> str:
    return "partly" if name in PARTLY else "real" if name in OPERATIONS else "not emulated"


def text() -> str:
    """The page, its part between the marks made anew."""
    assert operations  # importing them registers them
    names = Session().get_service_model("emr").operation_names
    built = [name for name in names if name in OPERATIONS]
    rows = "\n".join(f"| `{name}` | {extent(name)} | {PARTLY.get(name, '')} |" for name in names)
    refused = ", ".join(sorted({*request.NOT_BUILT, "Instances.InstanceFleets", "InstanceGroups[].AutoScalingPolicy"}))
    versions = ", ".join(f"{one.name} {one.version}" for one in catalogue().values())
    classifications = "\n".join(
        f"- {one.name}: {', '.join(f'`{name}`' for name in sorted(one.classifications))}"
        for one in catalogue().values()
    )
    page = FILE.read_text()
    head, rest = page.partition(BEGIN)[0], page.partition(END)[2]
    made = f"""\
## Operations: {len(built)} of {len(names)}

| operation | | what not |
|---|---|---|
{rows}

## Refused parameters of RunJobFlow

{refused}; three master nodes; applications that emrlab does not run.

## Releases and applications

{", ".join(f"`{label}`" for label in releases.LABELS)}: {versions} in each of them. EMR's own builds differ by
patches and point versions ("Application versions in Amazon EMR 7.x releases").

Classifications that `Configurations` may hold:

{classifications}"""
    return f"{head}{BEGIN}\n{made}\n{END}{rest}"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name} is written.")
