"""Lab 1.1: what it teaches, and what its exercises check on the real cluster."""

from __future__ import annotations

import csv
from functools import lru_cache

from emrlab.course import Definition, Exercise, NotYet, State
from emrlab.course.data import files
from emrlab.widgets.cluster import Cluster


def launched(state: State) -> str:
    """The newest cluster waits for work, with the chosen shape."""
    cluster = state.newest()
    if cluster.state not in ("WAITING", "RUNNING"):
        why = f" ({cluster.reason})" if cluster.reason else ""
        raise NotYet(
            f"I see your cluster {cluster.name} in the state {cluster.state}{why}. I expected WAITING: a cluster that "
            "has come up and stays although it has nothing to do yet."
        )
    nodes = [node for node in cluster.nodes if node.state == "RUNNING"]
    cores = [node for node in nodes if node.role == "CORE"]
    chosen = state.parameters.get("core_nodes", len(cores))
    if len(cores) != chosen or not cores:
        raise NotYet(f"I see {len(cores)} core nodes running. I expected {chosen}, the number you chose in the panel.")
    for role, parameter in (("MASTER", "master_type"), ("CORE", "core_type")):
        wanted = state.parameters.get(parameter)
        kinds = {node.type for node in nodes if node.role == role}
        if wanted and kinds != {wanted}:
            seen = ", ".join(sorted(kinds)) or "none"
            raise NotYet(f"I see {role} nodes of the type {seen}. I expected {wanted}, as chosen in the panel.")
    names = {text.split()[0] for text in cluster.applications}
    if missing := {"Hadoop", "Spark"} - names:
        raise NotYet(f"I see no {' and no '.join(sorted(missing))} on the cluster. I expected Hadoop and Spark.")
    count = f"{len(cores)} core node{'s' if len(cores) > 1 else ''}"
    return f"Your cluster has a master node and {count}, and is {cluster.state}."


def streamed(state: State) -> str:
    """Both steps COMPLETED, and the streaming step's output is right."""
    cluster = state.newest()
    step = next((one for one in reversed(cluster.steps) if is_streaming(state, cluster, one.id)), None)
    if step is None:
        raise NotYet("I see no step that runs hadoop-streaming. I expected one: add it with add_job_flow_steps.")
    if step.state != "COMPLETED":
        raise NotYet(f"I see your streaming step in the state {step.state}. I expected COMPLETED. {step.reason}".strip())
    spark = [one for one in cluster.steps if one.state == "COMPLETED" and one.id != step.id]
    if not spark:
        raise NotYet("I see only the streaming step COMPLETED. I expected the Spark step too: run its cell.")
    rows = {row["key"]: row["value"] for row in state.rows("output/streaming/")}
    expected = {carrier: f"{delay:.2f}" for carrier, delay in mean_delays("carrier").items()}
    if set(rows) != set(expected):
        seen = ", ".join(sorted(rows)[:5]) or "nothing"
        raise NotYet(
            f"I see {len(rows)} carriers in s3://{state.bucket}/output/streaming/ ({seen} …). I expected "
            f"{len(expected)}, each once. Is reducer.py the reducer, and mapper.py the mapper?"
        )
    wrong = sorted(carrier for carrier in expected if rows[carrier] != expected[carrier])
    if wrong:
        one = wrong[0]
        raise NotYet(f"I see a mean delay of {rows[one]} minutes for {one}. I expected {expected[one]}.")
    return f"Two steps COMPLETED, {len(rows)} carriers in S3; the latest on average is {max(expected, key=later(expected))}."


def is_streaming(state: State, cluster: Cluster, step_id: str) -> bool:
    return any("hadoop-streaming" in argument for argument in state.step_settings(cluster.id, step_id))


def asked(state: State) -> str:
    """The answer per airport is in S3, written by a Spark application on the cluster."""
    rows = state.rows("output/by-origin/")
    if not rows:
        raise NotYet(f"I see no rows in s3://{state.bucket}/output/by-origin/. I expected one per airport of departure.")
    if not {"origin", "delay"} <= set(rows[0]):
        raise NotYet(f"I see the columns {', '.join(rows[0])}. I expected origin and delay: group by the airport.")
    expected = mean_delays("origin")
    seen = {row["origin"]: row["delay"] for row in rows}
    if set(seen) != set(expected):
        raise NotYet(f"I see {len(seen)} groups. I expected the three airports: {', '.join(sorted(expected))}.")
    for airport, delay in expected.items():
        if seen[airport] is None or abs(seen[airport] - delay) > 0.01:
            raise NotYet(
                f"I see {seen[airport]} for {airport}. I expected {delay:.2f}: the mean of the departure delays."
            )
    cluster = state.newest()
    if not cluster.over and not any(app.get("applicationType") == "SPARK" for app in interactive(state, cluster)):
        raise NotYet("The rows are right, but YARN knows no Spark application of this notebook. Use lab.spark(cluster_id).")
    return f"Passengers waited longest at {max(expected, key=later(expected))}; the cluster worked it out."


def interactive(state: State, cluster: Cluster) -> list[dict[str, object]]:
    return [app for app in state.applications(cluster) if "in a notebook" in str(app.get("name"))]


def terminated(state: State) -> str:
    """Nothing of the lab is running, because the learner asked for it."""
    cluster = state.newest()
    living = state.clusters("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
    if living:
        raise NotYet(f"I see a cluster that is still {living[0]['Status']['State']}. I expected none: each costs money.")
    if cluster.state == "TERMINATING":
        raise NotYet("I see your cluster TERMINATING: almost. I expected TERMINATED. Check again in a moment.")
    if cluster.code != "USER_REQUEST":
        raise NotYet(
            f"I see that your cluster ended as {cluster.state} ({cluster.code}: {cluster.reason}). I expected that you "
            "ask for it: launch another one, and terminate it with terminate_job_flows."
        )
    return "Your cluster is TERMINATED by your request: its processes are gone, what is in S3 stays."


def later(delays: dict[str, object]):
    return lambda name: float(str(delays[name]))


@lru_cache
def mean_delays(column: str) -> dict[str, float]:
    """The truth, from the data itself."""
    sums: dict[str, list[float]] = {}
    with files(lambda _: None)["csv"].open(newline="") as file:
        for row in csv.DictReader(file):
            if row["dep_delay"] not in ("", "NA"):
                entry = sums.setdefault(row[column], [0.0, 0])
                entry[0] += float(row["dep_delay"])
                entry[1] += 1
    return {name: total / count for name, (total, count) in sums.items()}


LAUNCH = '''\
answer = emr.run_job_flow(
    Name="first-cluster",
    ReleaseLabel="emr-7.9.0",
    Applications=[{"Name": name} for name in shape.applications],
    Instances={
        "InstanceGroups": [
            {"InstanceRole": "MASTER", "InstanceType": shape.master_type, "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": shape.core_type, "InstanceCount": shape.core_nodes},
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    BootstrapActions=[
        {"Name": "Greet", "ScriptBootstrapAction": {"Path": scripts["bootstrap.sh"], "Args": ["hello"]}},
    ],
    LogUri=f"s3://{lab.bucket}/logs/",
    ServiceRole="EMR_DefaultRole",
    JobFlowRole="EMR_EC2_DefaultRole",
)
lab.watch(answer["JobFlowId"])
'''

STREAMING = '''\
streaming = {
    "Name": "Delays with MapReduce",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {
        "Jar": "command-runner.jar",
        "Args": [
            "hadoop-streaming",
            "-files", f"{scripts['mapper.py']},{scripts['reducer.py']}",
            "-mapper", "mapper.py",
            "-reducer", "reducer.py",
            "-input", flights.csv,
            "-output", lab.empty("output/streaming"),
        ],
    },
}
step_id = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[streaming])["StepIds"][0]
lab.watch_step(cluster_id, step_id)
'''

ASK = '''\
by_origin = departures.groupBy("origin").agg(F.avg("dep_delay").alias("delay"))
by_origin.write.mode("overwrite").parquet(f"s3://{lab.bucket}/output/by-origin/")
by_origin.orderBy("origin").show()
'''

TERMINATE = '''\
lab.stop_spark()
emr.terminate_job_flows(JobFlowIds=[cluster_id])
lab.watch(cluster_id, until="TERMINATED")
'''

LAB = Definition(
    number="1.1",
    title="Your first cluster",
    minutes=30,
    goals=(
        "launch an EMR cluster of the shape you choose, and read its states",
        "run Spark and MapReduce on it as steps, from S3 to S3",
        "work on it interactively with PySpark, and find its logs",
        "tell when a cluster is worth it, and what it costs",
    ),
    exercises=(
        Exercise(
            "launch",
            "Launch the cluster you have chosen",
            launched,
            LAUNCH,
            (
                "The first blank is a number you have chosen in the panel: it is an attribute of shape.",
                "The second blank is True or False: may the cluster live on when it has no step to run?",
                'Write shape.core_nodes for "InstanceCount", and True for "KeepJobFlowAliveWhenNoSteps".',
            ),
        ),
        Exercise(
            "streaming",
            "Ask the same with MapReduce",
            streamed,
            STREAMING,
            (
                "-files copies the two scripts to wherever a task runs, under their own names, without the folder.",
                'A file name in quotes goes into each blank: "mapper.py" is one of them.',
                'Write "mapper.py" after "-mapper", and "reducer.py" after "-reducer".',
            ),
        ),
        Exercise(
            "ask",
            "Ask the cluster a question of your own",
            asked,
            ASK,
            (
                "departures.printSchema() lists the columns: one is the airport a flight left from.",
                'Group by "origin".',
                'Write groupBy("origin") and F.avg("dep_delay").',
            ),
        ),
        Exercise(
            "terminate",
            "Terminate the cluster",
            terminated,
            TERMINATE,
            (
                "The blank is the id of the cluster. It begins with j-, and a variable holds it.",
                "Write cluster_id.",
            ),
        ),
    ),
)
