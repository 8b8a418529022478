"""A `pulumi` that answers as the CLI 3.272.0 answers its Automation API, and whose engine makes machines by boto3.

Its folder (FAKE_PULUMI) holds `plan.json`, what the program would make; `<stack>.json`, the state; `<stack>.lock`, of
one that takes it down or was killed; `calls.jsonl`, how it was called; and `fault`, what goes wrong: `killed` before
the state is written, `refused` by the policy, `slow` to make the second resource or to take one down.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAKE_PULUMI"])
URN = "urn:pulumi:llm-2026::clusterlab::"
PROVIDER = f"{URN}pulumi:providers:aws::here"
INSTANCE = "aws:ec2/instance:Instance"


def main(arguments: list[str]) -> int:
    with (FOLDER / "calls.jsonl").open("a") as file:
        file.write(json.dumps(arguments) + "\n")
    words = [each for each in arguments if not each.startswith("-")]
    stack = words[2] if words[:2] == ["stack", "init"] else after("--stack")
    if (FOLDER / f"{stack}.lock").exists() and words[0] in ("up", "destroy"):
        return fail("the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end")
    handler = COMMANDS[" ".join(words[:2]) if words[0] == "stack" else words[0]]
    return handler(stack)


def after(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1]


def fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 255


def select(stack: str) -> int:
    return 0 if path(stack).exists() else fail(f"no stack named '{stack}' found")


def init(stack: str) -> int:
    save(stack, [])
    return 0


def export(stack: str) -> int:
    print(path(stack).read_text())
    return 0


def import_(stack: str) -> int:
    path(stack).write_text(Path(after("--file")).read_text())
    return 0


def output(stack: str) -> int:
    made = bool(resources(stack))
    print(json.dumps(json.loads((FOLDER / "outputs.json").read_text()) if made else {}))
    return 0


def history(_: str) -> int:
    done = {"kind": "update", "startTime": "2026-11-28T12:00:00.000Z", "message": "", "environment": {}, "config": {}}
    print(json.dumps([done | {"result": "succeeded", "version": 1, "resourceChanges": {"create": 1}}]))
    return 0


def preview(stack: str) -> int:
    known = {each["urn"] for each in resources(stack)}
    with events() as send:
        send({"resourcePreEvent": {"metadata": step("create", PROVIDER, {"region": "us-east-1"})}})
        for each in plan():
            op = "same" if urn(each) in known else "create"
            send({"resourcePreEvent": {"metadata": step(op, urn(each), each["inputs"]), "planning": True}})
        if fault() == "refused":
            broken = {"message": "not encrypted", "policyName": "encryption", "enforcementLevel": "mandatory"}
            send({"policyEvent": broken | {"policyPackName": "clusterlab"}})
            return fail("preview failed")
        send({"summaryEvent": {"resourceChanges": {"create": len(plan()) - len(known)}}})
    return 0


def up(stack: str) -> int:
    made, stopped = resources(stack), []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    with events() as send:
        for number, each in enumerate(each for each in plan() if urn(each) not in {known["urn"] for known in made}):
            if stopped:
                send({"diagnosticEvent": {"severity": "error", "message": "update canceled"}})
                break
            send({"resourcePreEvent": {"metadata": step("create", urn(each), each["inputs"])}})
            ids = make(each)
            if fault() == "killed" and number == len(plan()) - 1:
                # The machines are there, and no state says so.
                os.kill(os.getpid(), signal.SIGKILL)
            if fault() == "slow":
                time.sleep(1)
            known = {"urn": urn(each), "type": each["type"], "custom": True, "id": ids, "outputs": each["inputs"]}
            made.append(known | {"dependencies": each.get("dependencies", [])})
            send({"resOutputsEvent": {"metadata": step("create", urn(each), each["inputs"])}})
        send({"summaryEvent": {"resourceChanges": {"create": len(made)}}})
    save(stack, made)
    return fail("update canceled") if stopped else 0


def destroy(stack: str) -> int:
    try:
        lock = (FOLDER / f"{stack}.lock").open("x")
    except FileExistsError:
        return fail("the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end")
    with lock:
        try:
            return destroy_alone(stack)
        finally:
            Path(lock.name).unlink()


def destroy_alone(stack: str) -> int:
    spared = kept(resources(stack)) if "--exclude-protected" in sys.argv else []
    if not spared and any(each.get("protect") for each in resources(stack)):
        return fail("resource cannot be deleted because it is protected")
    with events() as send:
        for each in [each for each in resources(stack) if each not in spared]:
            if fault() == "slow":
                time.sleep(0.2)
            send({"resourcePreEvent": {"metadata": step("delete", each["urn"], each["outputs"], "old")}})
            if each["type"] == INSTANCE:
                ec2().terminate_instances(InstanceIds=[each["id"]])
            send({"resOutputsEvent": {"metadata": step("delete", each["urn"], each["outputs"], "old")}})
        send({"summaryEvent": {"resourceChanges": {"delete": len(resources(stack)) - len(spared)}}})
    save(stack, spared)
    return 0


def kept(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is protected, and what that depends on, as the CLI's --exclude-protected has it."""
    urns = {each["urn"] for each in made if each.get("protect")}
    urns |= {needed for each in made if each["urn"] in urns for needed in each.get("dependencies", ())}
    return [each for each in made if each["urn"] in urns]


def make(each: dict[str, Any]) -> str:
    """A machine in the cloud; anything else is only in the state."""
    if each["type"] != INSTANCE:
        return f"{each['name']}-1"
    tags = [{"Key": key, "Value": value} for key, value in each["inputs"]["tags"].items()]
    specifications = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    answer = ec2().run_instances(
        ImageId="ami-12c6146b",
        InstanceType=each["inputs"]["instanceType"],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=specifications,
    )
    return str(answer["Instances"][0]["InstanceId"])


def ec2() -> Any:
    import boto3

    return boto3.client("ec2", region_name="us-east-1")


def plan() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "plan.json").read_text())
    return found


def fault() -> str:
    place = FOLDER / "fault"
    return place.read_text() if place.exists() else ""


def urn(each: dict[str, Any]) -> str:
    return f"{URN}{each['type']}::{each['name']}"


def step(op: str, name: str, inputs: dict[str, Any], side: str = "new") -> dict[str, Any]:
    kind = name.split("::")[2]
    state = {"urn": name, "type": kind, "custom": True, "inputs": inputs, "provider": f"{PROVIDER}::1"}
    return {"op": op, "urn": name, "type": kind, "provider": f"{PROVIDER}::1", side: state}


def path(stack: str) -> Path:
    return FOLDER / f"{stack}.json"


def resources(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path(stack).read_text())["deployment"].get("resources") or []
    return found


def save(stack: str, made: list[dict[str, Any]]) -> None:
    path(stack).write_text(json.dumps({"version": 3, "deployment": {"resources": made}}))


@contextmanager
def events() -> Iterator[Any]:
    """The stream on which the CLI tells its events."""
    import queue
    import threading

    import grpc  # type: ignore[import-untyped]
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
    target = after("--event-log").removeprefix("tcp://")
    with grpc.insecure_channel(target) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        requests = (events_pb2.EventRequest(event=json.dumps(each)) for each in iter(waiting.get, None))
        thread = threading.Thread(target=stub.StreamEvents, args=(requests,))
        thread.start()
        try:
            yield lambda event: waiting.put({"sequence": 0, "timestamp": 0} | event)
        finally:
            waiting.put(None)
            thread.join()


COMMANDS = {
    "stack select": select,
    "stack init": init,
    "stack export": export,
    "stack import": import_,
    "stack output": output,
    "stack history": history,
    "preview": preview,
    "up": up,
    "destroy": destroy,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
