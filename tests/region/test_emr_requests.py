"""Requests that EMR's model allows, drawn at random, to the region's real EMR."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emrlab.region import models

pytestmark = pytest.mark.region
OPERATIONS = sorted(models.model("emr").operation_names)
WORDS = ["a", "abc", "x" * 70, "é €", "", "*", "true", "a b", "%00", "j-0000000000000", "s-0000000000000", "<x>&"]
WORDS += ["s3://nowhere/logs", "command-runner.jar", "m5.xlarge", "spark-defaults", "EMR_EC2_DefaultRole", "Spark"]
WORDS += ["arn:aws:elasticmapreduce:us-east-1:123456789012:cluster/j-0000000000000"]
NUMBERS = [0, 1, 2, 3, -1, 100, 2**31 - 1]
SCALARS: dict[str, list[Any]] = {
    "integer": NUMBERS,
    "long": NUMBERS,
    "float": [0.0, 1.5, -1.0],
    "double": [0.0, 1.5, -1.0],
    "boolean": [True, False],
    "timestamp": [datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    "blob": [b"", b"abc"],
}


def invented(dice: random.Random, shape: Any, depth: int = 0) -> Any:
    """A value that ``shape`` allows."""
    kind = shape.type_name
    if kind == "structure":
        names = [one for one in shape.members if one in shape.required_members or (depth < 5 and dice.random() < 0.3)]
        return {name: invented(dice, shape.members[name], depth + 1) for name in names}
    if kind in ("list", "map"):
        count = dice.choice([0, 1, 1, 2]) if depth < 7 else 0
        if kind == "list":
            return [invented(dice, shape.member, depth + 1) for _ in range(count)]
        return {dice.choice(WORDS): invented(dice, shape.value, depth + 1) for _ in range(count)}
    if kind == "string":
        return dice.choice(shape.enum) if shape.enum else dice.choice(WORDS)
    return dice.choice(SCALARS[kind])


@pytest.mark.parametrize("seed", range(2))
def test_what_the_model_allows_is_done_or_refused_in_words(aws, seed):
    dice = random.Random(seed)
    emr = aws("emr", config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
    failed, answered = [], set()
    for operation in [*OPERATIONS, *dice.choices(OPERATIONS, k=200)]:
        shape = models.operation("emr", operation).input_shape
        asked = invented(dice, shape) if shape else {}
        if operation == "RunJobFlow":
            asked |= {"ReleaseLabel": dice.choice(["emr-0.0.0", "x", "emr-99.1.0", ""])}  # none is launched
            asked.pop("AmiVersion", None)
        try:
            getattr(emr, botocore.xform_name(operation))(**asked)
            answered.add(operation)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500 or not error.response["Error"].get("Message"):
                failed.append((operation, asked, str(error)))
    assert failed == []
    assert {"ListClusters", "ListReleaseLabels"} <= answered
    assert emr.list_clusters()["Clusters"] == []


def test_a_release_that_is_not_known_is_refused_and_remembered_nowhere(aws):
    emr = aws("emr")
    with pytest.raises(ClientError, match="release"):
        emr.run_job_flow(Name="x", ReleaseLabel="emr-99.0.0", Instances={"InstanceCount": 1})
    assert emr.list_clusters()["Clusters"] == []
