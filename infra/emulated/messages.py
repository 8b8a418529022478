"""Queues of SQS and topics of SNS."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made

QUEUE = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "maxMessageSize": "MaximumMessageSize",
    "delaySeconds": "DelaySeconds",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "policy": "Policy",
    "redrivePolicy": "RedrivePolicy",
    "fifoQueue": "FifoQueue",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
}
"""The provider's inputs, by the attribute of a queue that each becomes."""
TOPIC = {"displayName": "DisplayName", "policy": "Policy", "kmsMasterKeyId": "KmsMasterKeyId", "fifoTopic": "FifoTopic"}
"""The same of a topic."""


def queue(account: Account, asked: Asked) -> Made:
    """`aws.sqs.Queue`."""
    name, tags = asked.take("name", asked.name), asked.take("tags", {})
    given = {"queueName": name, "tags": tags, "attributes": _attributes(asked, QUEUE)}
    url = account.call("sqs", "create_queue", given | asked.inputs)["QueueUrl"]
    return Made(id=url, outputs={"arn": account.arn("sqs", name), "url": url, "name": name})


def topic(account: Account, asked: Asked) -> Made:
    """`aws.sns.Topic`."""
    name = asked.take("name", asked.name)
    given = {"name": name, "attributes": _attributes(asked, TOPIC)}
    arn = account.call("sns", "create_topic", given | asked.inputs)["TopicArn"]
    return Made(id=arn, outputs={"arn": arn, "name": name})


def subscription(account: Account, asked: Asked) -> Made:
    """`aws.sns.TopicSubscription`."""
    inputs = asked.rename(topic="topicArn") | {"returnSubscriptionArn": True}
    arn = account.call("sns", "subscribe", inputs)["SubscriptionArn"]
    return Made(id=arn, outputs={"arn": arn})


def _attributes(asked: Asked, names: dict[str, str]) -> dict[str, Any]:
    """What the interface takes as a mapping of texts."""
    given = {name: asked.take(key) for key, name in names.items()}
    return {name: value for name, value in given.items() if value is not None}


MAKERS = {
    "aws:sqs/queue:Queue": queue,
    "aws:sns/topic:Topic": topic,
    "aws:sns/topicSubscription:TopicSubscription": subscription,
}
