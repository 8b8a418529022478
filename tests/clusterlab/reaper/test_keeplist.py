from __future__ import annotations

import pytest

from clusterlab.errors import InputError
from clusterlab.reaper.keeplist import KeepList
from clusterlab.reaper.step import Step
from tests.clusterlab.reaper.conftest import Account, entry

TEXT = '{"keep": {"vol-1": "the data set", "lab=shared": "until June"}}'


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_a_keep_list_that_was_cut_off_is_an_error_wherever_that_was(length: int) -> None:
    with pytest.raises(InputError, match=r"keep\.json: .*; nothing was touched"):
        KeepList.parse(TEXT[:length], path="keep.json")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "not there"),
        (" \n", "empty"),
        ("{}", "not of this form"),
        ('{"keep": {}}', "keep: empty"),
        ('{"keep": []}', "keep: empty"),
        ('{"keep": ""}', "keep: empty"),
        ('{"keep": null}', "keep: empty"),
        ('{"keep": "all"}', "keep: not of this form"),
        ('{"keep": ["vol-1"]}', "keep: not of this form"),
        ('{"keep": {"vol-1": ""}}', r"keep\.vol-1: must have a name, and say why"),
        ('{"keep": {"": "why"}}', r"keep\.: must have a name"),
        ('{"keep": {"vol-1": "a", "vol-1": "b"}}', "cannot be read: a name stands twice"),
        ('{"keep": "nothing", "keeps": {}}', "not of this form"),
    ],
)
def test_a_keep_list_that_does_not_say_what_to_keep_is_an_error(text: str | None, what: str) -> None:
    with pytest.raises(InputError, match=rf"^keep\.json: {what}.*; allowed: .*; nothing was touched$"):
        KeepList.parse(text, path="keep.json")


def test_nothing_is_kept_where_that_is_said() -> None:
    assert KeepList.parse('{"keep": "nothing"}', path="keep.json").reasons == {}


@pytest.mark.parametrize("text", ["", '{"keep": {}}'])
def test_an_empty_keep_list_touches_nothing(account: Account, text: str) -> None:
    (machine,) = account.launch()
    account.reap()
    account.later(minutes=10)
    (account.folder / "keep.json").write_text(text)
    with pytest.raises(InputError):
        account.reap()
    assert account.state(machine) == "running"


@pytest.mark.parametrize("by", ["id", "tag"])
def test_what_is_kept_stays_with_what_it_stands_on(account: Account, by: str) -> None:
    (kept,), (gone,) = account.launch(), account.launch(account.tags(lab="other"))
    account.keep({"keep": {kept if by == "id" else "lab=qlora": "it holds the class's data", "i-none": "gone"}})
    proof = account.reap_to_the_end()
    assert [account.state(kept), account.state(gone)] == ["running", "terminated"]
    assert {each.step for each in proof.entries if each.there} == {Step.KEPT}
    assert entry(proof, kept).why == "it holds the class's data"
    assert proof.unused == ["i-none"]
    assert proof.proven


def test_a_machine_that_would_take_a_kept_disk_along_is_stopped_and_not_ended(account: Account) -> None:
    (machine,) = account.launch()
    (disk,) = account.ec2().describe_volumes()["Volumes"]
    account.keep({"keep": {disk["VolumeId"]: "results of the class"}})
    proof = account.reap_to_the_end()
    assert account.state(machine) == "stopped"
    assert (entry(proof, machine).step, entry(proof, disk["VolumeId"]).step) == (Step.IN_USE, Step.KEPT)
    assert not proof.proven
