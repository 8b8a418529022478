"""The reaper in a class's account: `clusterlab.reaper` as a Lambda, by the clock, and alarms that watch over it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from clusterlab.errors import InputError, Problem
from clusterlab.lease import LEASE_VARIABLE
from clusterlab.reaper.keeplist import KeepList
from infra.aws.archive import archive
from infra.aws.statements import PAPERS, fitting, path_of, trust_service
from infra.aws.statements_service import Reaped, reaper
from infra.naming import Naming

MODULE = "clusterlab.reaper.function"
RUNTIME = "python3.13"
TIMEOUT_SECONDS = 900
"""The longest that a Lambda may take."""
MEMORY_MB = 512
LOG_DAYS = 90
MESSAGE_SECONDS = 14 * 24 * 3600
"""The longest that SQS keeps what failed."""
MAX_MINUTES = 12 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaperArgs:
    """What a reaper is made of.

    Raises:
        InputError: nothing is said of what is kept, nobody would hear an alarm, or it would hardly ever run.
    """

    naming: Naming
    courses: tuple[str, ...]
    """Whose resources it ends, by their tag `course`."""
    regions: tuple[str, ...]
    """Where the bucket can be; the reaper itself looks at all."""
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    emails: tuple[str, ...]
    """Who hears the alarms."""
    schedule_minutes: int
    granted_hours: int
    """Of a launch's lease."""
    keep: Mapping[str, str] | str
    """By id or `tag=value` why it is kept; or the word `nothing`."""

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        try:
            KeepList.parse(self.keep_list(), path="reaper.keep")
        except InputError as error:
            problems += error.problems
        if not self.emails:
            problems.append(Problem(path="reaper", key="emails", message="nobody; allowed: an address or more"))
        if not 1 <= self.schedule_minutes <= MAX_MINUTES:
            allowed = f"{self.schedule_minutes}; allowed: 1 to {MAX_MINUTES}"
            problems.append(Problem(path="reaper", key="schedule_minutes", message=allowed))
        if problems:
            raise InputError(problems)

    def keep_list(self) -> str:
        """As the reaper reads it."""
        kept = self.keep if isinstance(self.keep, str) else dict(self.keep)
        return json.dumps({"keep": kept}, indent=1, sort_keys=True)


class Reaper(pulumi.ComponentResource):
    """The function, its role, its clock, and who is told where it fails or does not run."""

    function_name: pulumi.Output[str]

    def __init__(self, name: str, args: ReaperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Reaper", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._called = fitting(args.naming.of("reaper"))
        self._tags = args.naming.tags("reaper")
        function = self._function(self._queue(), self._log_group())
        self.function_name = function.name
        self._schedule(function)
        self._alarms(self._topic())
        self.register_outputs({"function_name": self.function_name})

    def _queue(self) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            f"{self._name}-failed",
            name=self._called,
            message_retention_seconds=MESSAGE_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=self._tags,
            opts=self._child,
        )

    def _log_group(self) -> aws.cloudwatch.LogGroup:
        """Before the function, which would make one that never ends."""
        return aws.cloudwatch.LogGroup(
            f"{self._name}-log",
            name=f"/aws/lambda/{self._called}",
            retention_in_days=LOG_DAYS,
            tags=self._tags,
            opts=self._child,
        )

    def _function(self, queue: aws.sqs.Queue, log: aws.cloudwatch.LogGroup) -> aws.lambda_.Function:
        role, granted = self._role(queue, log)
        kept = aws.s3.BucketObjectv2(
            f"{self._name}-keep",
            bucket=self._args.bucket_name,
            key=f"{PAPERS}/keep.json",
            content=self._args.keep_list(),
            content_type="application/json",
            tags=self._tags,
            opts=self._child,
        )
        return aws.lambda_.Function(
            f"{self._name}-function",
            name=self._called,
            description=f"Ends what {', '.join(self._args.courses)} left beyond its lease (docs/reaper.md)",
            code=archive(MODULE),
            handler=f"{MODULE}.handler",
            runtime=RUNTIME,
            architectures=["arm64"],
            role=role.arn,
            timeout=TIMEOUT_SECONDS,
            memory_size=MEMORY_MB,
            # Two at once would forget each other's sightings.
            reserved_concurrent_executions=1,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=self._variables()),
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=queue.arn),
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[granted, log, kept]),
        )

    def _variables(self) -> dict[str, pulumi.Input[str]]:
        places = {
            f"CLUSTERLAB_REAPER_{paper.upper()}": pulumi.Output.concat(
                "s3://", self._args.bucket_name, f"/{PAPERS}/{paper}.json"
            )
            for paper in ("keep", "state", "proof")
        }
        return {
            "CLUSTERLAB_COURSES": ",".join(self._args.courses),
            "CLUSTERLAB_REAPER_YES": "1",
            LEASE_VARIABLE: str(self._args.granted_hours),
            **places,
        }

    def _role(self, queue: aws.sqs.Queue, log: aws.cloudwatch.LogGroup) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{self._name}-role",
            name=self._called,
            path=path_of(self._args.naming.course),
            assume_role_policy=json.dumps(trust_service("lambda")),
            tags=self._tags,
            opts=self._child,
        )
        known = pulumi.Output.all(
            account=aws.get_caller_identity_output(opts=pulumi.InvokeOptions(parent=self)).account_id,
            bucket=self._args.bucket_arn,
            key=self._args.key_arn,
            queue=queue.arn,
            log_group=log.arn,
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-role", role=role.id, policy=known.apply(self._document), opts=self._child
        )
        return role, policy

    def _document(self, known: dict[str, str]) -> str:
        reaped = Reaped(courses=self._args.courses, regions=self._args.regions, **known)
        return json.dumps(reaper(reaped))

    def _schedule(self, function: aws.lambda_.Function) -> None:
        minutes = self._args.schedule_minutes
        rule = aws.cloudwatch.EventRule(
            f"{self._name}-clock",
            name=self._called,
            schedule_expression=f"rate({minutes} minute{'' if minutes == 1 else 's'})",
            tags=self._tags,
            opts=self._child,
        )
        aws.cloudwatch.EventTarget(f"{self._name}-clock", rule=rule.name, arn=function.arn, opts=self._child)
        aws.lambda_.Permission(
            f"{self._name}-clock",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self._child,
        )

    def _topic(self) -> aws.sns.Topic:
        topic = aws.sns.Topic(
            f"{self._name}-alarms",
            name=self._called,
            kms_master_key_id=self._args.key_arn,
            tags=self._tags,
            opts=self._child,
        )
        for number, email in enumerate(self._args.emails):
            aws.sns.TopicSubscription(
                f"{self._name}-alarms-{number}", topic=topic.arn, protocol="email", endpoint=email, opts=self._child
            )
        return topic

    def _alarms(self, topic: aws.sns.Topic) -> None:
        seconds = 60 * self._args.schedule_minutes
        # Twice its time, since CloudWatch's periods and the clock do not begin together.
        self._alarm(topic, "silent", "Invocations", "LessThanThreshold", 2 * seconds, silence="breaching")
        self._alarm(topic, "errors", "Errors", "GreaterThanOrEqualToThreshold", seconds, silence="notBreaching")

    def _alarm(self, topic: aws.sns.Topic, part: str, metric: str, when: str, seconds: int, *, silence: str) -> None:
        """One mail when it goes off, and one when it is well again."""
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{part}",
            name=f"{self._called}-{part}",
            namespace="AWS/Lambda",
            metric_name=metric,
            dimensions={"FunctionName": self._called},
            statistic="Sum",
            period=seconds,
            evaluation_periods=1,
            comparison_operator=when,
            threshold=1,
            treat_missing_data=silence,
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            tags=self._tags,
            opts=self._child,
        )
