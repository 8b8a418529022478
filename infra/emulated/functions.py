"""Functions of Lambda, and the rules of EventBridge that call them."""

from __future__ import annotations

from infra.emulated.account import Account, RefusedError
from infra.emulated.archive import packed
from infra.emulated.resource import Asked, Made

MAX_BYTES = 50 * 2**20
"""Of a function's archive that comes with the call, by AWS's quotas."""


def function(account: Account, asked: Asked) -> Made:
    """`aws.lambda_.Function`, of an archive that comes with the call."""
    name, code = asked.take("name", asked.name), asked.take("code")
    concurrent = asked.take("reservedConcurrentExecutions")
    asked.drop("publish", "sourceCodeHash", "skipDestroy")
    body = packed(code)
    if len(body) > MAX_BYTES:
        raise RefusedError(f"code: {len(body)} bytes; allowed: {MAX_BYTES}")
    given = asked.inputs | {"functionName": name, "code": {"ZipFile": body}}
    made = account.call("lambda", "create_function", given)
    if concurrent is not None:
        arguments = {"functionName": name, "reservedConcurrentExecutions": concurrent}
        account.call("lambda", "put_function_concurrency", arguments)
    invoke = account.arn("apigateway", f"lambda:path/2015-03-31/functions/{made['FunctionArn']}/invocations")
    outputs = {"arn": made["FunctionArn"], "name": name, "invokeArn": invoke, "version": made["Version"]}
    return Made(id=name, outputs=outputs)


def permission(account: Account, asked: Asked) -> Made:
    """`aws.lambda_.Permission`."""
    statement, function = asked.take("statementId", asked.name), asked.take("function")
    given = asked.inputs | {"statementId": statement, "functionName": function}
    account.call("lambda", "add_permission", given)
    return Made(id=statement, outputs={"statementId": statement})


def rule(account: Account, asked: Asked) -> Made:
    """`aws.cloudwatch.EventRule`."""
    name = asked.take("name", asked.name)
    asked.drop("forceDestroy")
    arn = account.call("events", "put_rule", asked.inputs | {"name": name})["RuleArn"]
    return Made(id=name, outputs={"arn": arn, "name": name})


def target(account: Account, asked: Asked) -> Made:
    """`aws.cloudwatch.EventTarget`."""
    rule, bus, number = asked.take("rule"), asked.take("eventBusName"), asked.take("targetId", asked.name)
    given = {"rule": rule, "eventBusName": bus, "targets": [asked.inputs | {"id": number}]}
    account.call("events", "put_targets", given)
    return Made(id=f"{rule}-{number}", outputs={"targetId": number})


MAKERS = {
    "aws:lambda/function:Function": function,
    "aws:lambda/permission:Permission": permission,
    "aws:cloudwatch/eventRule:EventRule": rule,
    "aws:cloudwatch/eventTarget:EventTarget": target,
}
