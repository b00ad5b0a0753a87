"""A cluster's life as an Airflow DAG, run by ``dag.test()``. Tells the tasks' states, the cluster's id, the step's."""

from __future__ import annotations

import json

from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.sensors.emr import EmrJobFlowSensor, EmrStepSensor
from airflow.sdk import DAG

GROUP = {"Name": "master", "InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
CLUSTER = {
    "Name": "airflow",
    "ReleaseLabel": "emr-7.9.0",
    "Applications": [{"Name": "Hadoop"}],
    "Instances": {"InstanceGroups": [GROUP], "KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": False},
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
}
WORK = {"Jar": "command-runner.jar", "Args": ["hadoop", "fs", "-mkdir", "/made-by-airflow"]}
STEPS = [{"Name": "make a folder", "ActionOnFailure": "CONTINUE", "HadoopJarStep": WORK}]
FIRST = "{{ task_instance.xcom_pull(task_ids='add_steps', key='return_value')[0] }}"

with DAG("cluster", schedule=None) as dag:
    create = EmrCreateJobFlowOperator(task_id="create", job_flow_overrides=CLUSTER)
    patience = {"poke_interval": 1, "timeout": 200}
    add = EmrAddStepsOperator(task_id="add_steps", job_flow_id=create.output, steps=STEPS)
    watch = EmrStepSensor(task_id="watch_step", job_flow_id=create.output, step_id=FIRST, **patience)
    end = EmrTerminateJobFlowOperator(task_id="terminate", job_flow_id=create.output)
    gone = EmrJobFlowSensor(task_id="watch_end", job_flow_id=create.output, target_states=["TERMINATED"], **patience)
    create >> add >> watch >> end >> gone

if __name__ == "__main__":
    run = dag.test()
    tasks = run.get_task_instances()
    returned = {name: tasks[0].xcom_pull(task_ids=name) for name in ("create", "add_steps")}
    print(json.dumps({"run": str(run.state), "tasks": {one.task_id: str(one.state) for one in tasks}, **returned}))
