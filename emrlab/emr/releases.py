"""Release labels, and which version of which application each has: the locks'."""

from __future__ import annotations

from ..applications import Application, catalogue
from .errors import not_built, validation

# The releases whose Hadoop is 3.4 and whose Spark is 3.5, as the locks' are ("Amazon EMR releases 7.x").
LABELS = ("emr-7.12.0", "emr-7.11.0", "emr-7.10.0", "emr-7.9.0", "emr-7.8.0")
# What EMR 7 has besides ("Application versions in Amazon EMR 7.x releases"): so that the answer is "not here".
ELSEWHERE = (
    *("AmazonCloudWatchAgent", "Delta", "Flink", "HBase", "HCatalog", "Hive", "Hudi", "Hue", "Iceberg"),
    *("JupyterEnterpriseGateway", "JupyterHub", "Livy", "MXNet", "Oozie", "Phoenix", "Pig", "Presto", "Sqoop"),
    *("TensorFlow", "Tez", "Trino", "Zeppelin", "ZooKeeper"),
)


def check(label: str) -> str:
    if label not in LABELS:
        near = ", ".join(LABELS)
        raise validation(f"The supplied release label is invalid: {label}. emrlab has: {near}.")
    return label


def applications(names: list[str]) -> list[Application]:
    """The applications of these names, in any case, in the order given. Raises for those there are not."""
    known = {name.lower(): one for name, one in catalogue().items()}
    found = []
    for name in names:
        one = known.get(name.lower())
        if one is None:
            has = f"emrlab has: {', '.join(sorted(catalogue()))}."
            if real := next((other for other in ELSEWHERE if other.lower() == name.lower()), None):
                raise not_built(f"The application {real}, which EMR has,")
            raise validation(f"Specified application: {name} is not supported by the release. {has}")
        if one not in found:
            found.append(one)
    return found


def labels(prefix: str = "", application: str = "") -> list[str]:
    """Labels that begin with ``prefix`` and have ``application`` (``spark`` or ``spark@3.5.9``), newest first."""
    name, _, version = application.partition("@")
    if name:
        known = {one.name.lower(): one.version for one in catalogue().values()}
        if name.lower() not in known or (version and known[name.lower()] != version):
            return []
    return [label for label in LABELS if label.startswith(prefix)]
