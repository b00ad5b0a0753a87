"""Write docs/parity.md: operation by operation, what is real. Run it when an operation was built; a test sees to it."""

from __future__ import annotations

from pathlib import Path

from botocore.session import Session

from emrlab.applications import catalogue
from emrlab.emr import operations, releases, request
from emrlab.emr.registry import OPERATIONS

FILE = Path(__file__).resolve().parents[1] / "docs" / "parity.md"
HEAD = """\
# What emrlab emulates of Amazon EMR

Made by `python tools/make_parity.py` from the code. An operation that is not built answers with a `ValidationException` that says so;
none pretends.
"""
PARTLY = {
    "RunJobFlow": "instance groups; not: what the next section lists",
    "AddJobFlowSteps": "not: `ExecutionRoleArn`, `StepMonitoringConfiguration`",
    "ListInstances": "clusters of instance groups; there are no fleets yet",
    "AddTags": "clusters; there are no Studios yet",
    "RemoveTags": "clusters; there are no Studios yet",
    "DescribeReleaseLabel": "the applications and versions that emrlab runs, not EMR's own builds",
    "ListSupportedInstanceTypes": "the types of EMR's task configuration table that emrlab has figures for",
}
DIFFERENCES = """\
## Where emrlab differs from AWS

- **Instances** are folders and processes on one machine, each with a loopback address 127.x.y.z of its own; `MasterPublicDnsName` is that
  address. Launching takes seconds, not minutes. There is one user, `hadoop`; `sudo` runs the command as the same user.
- **Paths.** What is `/mnt/…`, `/etc/hadoop/conf`, `/var/log/…` on a real node lies below the node's folder, `$EMRLAB_NODE`.
- **Memory and cores.** YARN schedules by the instance type's published figures; the JVMs behind its containers get less heap.
- **Spot instances** are always to be had, and never taken back. Their `BidPrice` is told again, and nothing else.
- **Volumes** (`EbsConfiguration`) are told again; the disk is this machine's.
- **Roles, subnets, security groups, key pairs** are told again; they are neither checked nor enforced.
- **`LogUri`**: its bucket must exist when the cluster is launched. A step's logs arrive when it ends, all others every five minutes and at the
  cluster's end.
- **`s3://`** is Hadoop's S3A with the magic committer in EMRFS's place. `s3-dist-cp` is Hadoop's DistCp behind EMR's options `--src`, `--dest`,
  `--srcPattern` and `--deleteOnSuccess`; its other options are refused.
- **Daemons that die** are not started again. A core or task node without any daemon left is an instance that has failed, and is not
  replaced. A cluster without its NameNode or ResourceManager ends.
- **HDFS notices a lost DataNode** within seconds instead of ten minutes: heartbeat intervals are short.
- **`FailureDetails.Reason`** is always `Unknown Error.`; `Message` is the line of the step's logs that tells the cause.
- **An ended region** (`kill -9`, a power cut) leaves clusters TERMINATED_WITH_ERRORS, since their processes are gone; buckets, objects and history
  stay.
"""


def extent(name: str) -> str:
    return "partly" if name in PARTLY else "real" if name in OPERATIONS else "not emulated"


def text() -> str:
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
    return f"""{HEAD}
## Operations: {len(built)} of {len(names)}

| operation | | what not |
|---|---|---|
{rows}

## Refused parameters of RunJobFlow

{refused}; three master nodes; applications that emrlab does not run.

## Releases and applications

{", ".join(f"`{label}`" for label in releases.LABELS)}: {versions} in each of them. EMR's own builds differ by patches and point versions
("Application versions in Amazon EMR 7.x releases").

Classifications that `Configurations` may hold:

{classifications}

{DIFFERENCES}"""


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name} is written.")
