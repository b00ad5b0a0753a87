"""CloudWatch alarms that EMR has made for automatic scaling: EMR tells their state (SetAlarmState), nobody else.

ministack works alarms out by itself whenever a metric is put, on true time and over all clusters: not these.
"""

from __future__ import annotations

from typing import Any

TARGET = ":resource/elasticmapreduce/instancegroup/"  # in the ARN of what such an alarm does


def install(cloudwatch: Any) -> None:
    """Let ministack's module ``cloudwatch`` leave them alone. Twice is harmless."""
    evaluate = cloudwatch._evaluate_alarm
    if hasattr(evaluate, "emrlab"):
        return

    def evaluate_alarm(alarm: dict[str, Any]) -> None:
        if not any(TARGET in action for action in alarm.get("AlarmActions") or ()):
            evaluate(alarm)

    evaluate_alarm.emrlab = True  # type: ignore[attr-defined]
    cloudwatch._evaluate_alarm = evaluate_alarm
