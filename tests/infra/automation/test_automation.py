"""What the process tells that drives Pulumi, with a `pulumi` on PATH that is not Pulumi's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlab.course.automation import ask
from clusterlab.course.events import Change, Diagnostic, Done, Event, Outputs, State, Step, Violation
from clusterlab.errors import ClusterlabError, InputError, MissingError
from tests.infra.automation.conftest import COURSE, OUTPUTS, ROOT, Engine, machine, network


def do(engine: Engine, verb: str) -> list[Event]:
    return list(ask(verb, engine.file, ROOT))


def test_stack_that_is_not_there_is_told(engine: Engine) -> None:
    assert do(engine, "state") == [State(exists=False)]


def test_preview_makes_the_stack_and_tells_each_change(engine: Engine) -> None:
    engine.plan(network(), machine("server", "m5.large"))
    first, second, done = do(engine, "preview")
    assert isinstance(first, Change)
    assert isinstance(second, Change)
    assert (first.op, first.kind, first.name, first.region) == ("create", "aws:ec2/vpc:Vpc", "network", "us-east-1")
    assert second.inputs["instanceType"] == "m5.large"
    assert done == Done(changes={"create": 2})


def test_preview_and_up_are_held_against_the_policy_pack(engine: Engine) -> None:
    do(engine, "preview")
    do(engine, "up")
    for verb in ("preview", "up"):
        [call] = engine.calls(verb)
        assert Path(call[call.index("--policy-pack") + 1]) == ROOT / "infra" / "policy"
        assert "--policy-pack-config" in call
    assert "--refresh" in engine.calls("up")[0]


def test_broken_rule_is_told_and_ends_the_preview(engine: Engine) -> None:
    engine.fault("refused")
    told: list[Event] = []
    with pytest.raises(ClusterlabError, match=r"stack llm-2026: Pulumi ended with an error: preview failed"):
        told.extend(each for each in ask("preview", engine.file, ROOT))
    assert told[-1] == Violation(policy="encryption", message="not encrypted", mandatory=True)


def test_up_tells_each_step_and_what_the_stack_exports(engine: Engine) -> None:
    began, done, outputs, end = do(engine, "up")
    assert began == Step(op="create", kind="aws:ec2/vpc:Vpc", name="network", phase="began")
    assert done == Step(op="create", kind="aws:ec2/vpc:Vpc", name="network", phase="done")
    assert outputs == Outputs(values=OUTPUTS)
    assert isinstance(end, Done)
    assert do(engine, "outputs") == [outputs]


def test_state_has_the_ids_of_what_was_made(engine: Engine) -> None:
    do(engine, "up")
    [state] = do(engine, "state")
    assert isinstance(state, State)
    assert "network-1" in state.known


def test_down_empties_the_state(engine: Engine) -> None:
    do(engine, "up")
    do(engine, "down")
    assert engine.state["resources"] == []


def test_down_of_no_stack_is_done(engine: Engine) -> None:
    assert do(engine, "down") == [Done()]


def test_what_was_under_way_is_told_and_forgotten(engine: Engine) -> None:
    urn = f"urn:pulumi:{COURSE}::clusterlab::aws:ec2/instance:Instance::server"
    resource = {"urn": urn, "type": "aws:ec2/instance:Instance"}
    engine.save({"resources": [], "pending_operations": [{"resource": resource, "type": "creating"}]})
    assert do(engine, "state") == [State(exists=True, pending=("creating aws:ec2/instance:Instance server",))]
    do(engine, "repair")
    assert engine.state == {"resources": []}


def test_lock_that_was_left_is_told_with_what_takes_it_away(engine: Engine) -> None:
    do(engine, "preview")
    (engine.folder / f"{COURSE}.lock").touch()
    with pytest.raises(ClusterlabError, match=r"killed left its lock; `pulumi cancel --stack llm-2026`"):
        do(engine, "up")


def test_outputs_of_no_stack_are_refused(engine: Engine) -> None:
    with pytest.raises(ClusterlabError, match=r"stack llm-2026: not there; `clusterlab class up "):
        do(engine, "outputs")


def test_missing_cli_is_told_with_the_command_that_installs_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError, match=r"pulumi: not installed; `clusterlab class preview FILE --install`"):
        do(engine, "state")


def test_missing_backend_and_passphrase_are_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    with pytest.raises(InputError, match=r"^PULUMI_CONFIG_PASSPHRASE: missing; allowed"):
        do(engine, "state")
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    with pytest.raises(InputError, match=r"^PULUMI_BACKEND_URL: missing; allowed: s3://bucket"):
        do(engine, "state")


def test_wrong_file_is_refused_before_pulumi_is_called(engine: Engine) -> None:
    engine.file.write_text(engine.file.read_text().replace("roster:", "rooster:").replace("course: 2500", "course: 0"))
    with pytest.raises(InputError) as caught:
        do(engine, "up")
    assert "rooster" in str(caught.value)
    assert "budget_usd" in str(caught.value)
    assert not (engine.folder / "calls.jsonl").exists()


def test_agreement_of_the_class_goes_with_the_pack(engine: Engine, tmp_path: Path) -> None:
    kept = tmp_path / "policy.json"
    cli = engine.folder / "bin" / "pulumi"
    lines = cli.read_text().splitlines()
    keep = f'for each in "$@"; do case "$each" in */policy.json) cp "$each" {kept};; esac; done'
    cli.write_text("\n".join([lines[0], keep, *lines[1:]]) + "\n")
    do(engine, "preview")
    agreed = json.loads(kept.read_text())
    assert agreed["budget"] == {"limitUsd": "2500"}
    assert agreed["cost-tags"] == {"course": COURSE}


def test_diagnostic_names_its_resource() -> None:
    from pulumi.automation import EngineEvent

    from infra.automation.telling import Teller

    told: list[Event] = []
    urn = "urn:pulumi:s::p::aws:ec2/vpc:Vpc::network"
    said = {"severity": "error", "message": "<{%fg 1%}>no room<{%reset%}>\n", "urn": urn}
    Teller(tell=told.append)(EngineEvent.from_json({"diagnosticEvent": said}))
    assert told == [Diagnostic(severity="error", message="no room", name="network")]
