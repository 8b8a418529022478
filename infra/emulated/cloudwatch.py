"""Alarms of CloudWatch, and its groups of logs."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def alarm(account: Account, asked: Asked) -> Made:
    """`aws.cloudwatch.MetricAlarm`."""
    name = asked.take("name", asked.name)
    dimensions = [{"Name": key, "Value": value} for key, value in asked.take("dimensions", {}).items()]
    given = asked.inputs | {"alarmName": name, "dimensions": dimensions}
    account.call("cloudwatch", "put_metric_alarm", given)
    return Made(id=name, outputs={"arn": account.arn("cloudwatch", f"alarm:{name}"), "name": name})


def log_group(account: Account, asked: Asked) -> Made:
    """`aws.cloudwatch.LogGroup`."""
    name, days = asked.take("name", asked.name), asked.take("retentionInDays")
    asked.drop("skipDestroy")
    account.call("logs", "create_log_group", asked.inputs | {"logGroupName": name})
    if days:
        account.call("logs", "put_retention_policy", {"logGroupName": name, "retentionInDays": days})
    return Made(id=name, outputs={"arn": account.arn("logs", f"log-group:{name}"), "name": name})


MAKERS = {"aws:cloudwatch/metricAlarm:MetricAlarm": alarm, "aws:cloudwatch/logGroup:LogGroup": log_group}
