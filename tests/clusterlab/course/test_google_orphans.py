"""What a class left in Google Cloud, as the verbs of `class` find it, by an emulation of Compute Engine."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster
from clusterlab.course.leftovers import refuse_orphans
from clusterlab.course.orphans import find
from clusterlab.course.provision import Provision, google_of, of_the_stack
from clusterlab.errors import ClusterlabError
from clusterlab.terminal import terminal
from tests.clusterlab.conftest import CLASS
from tests.clusterlab.google.emulation import PROJECT, Project, failure

GCP = f"gcp: {{project: {PROJECT}, billing_account: 000000-000000-000000, students: llm@example.org}}\n"


@pytest.fixture
def made(tmp_path: Path) -> Provision:
    """A class in Google Cloud alone."""
    path = tmp_path / "llm-2026.yaml"
    path.write_text(CLASS.replace("aws/us-east-1, ", "") + GCP)
    cluster = Cluster.load(path)
    return Provision(
        cluster=cluster,
        root=tmp_path,
        cloud=None,
        google=google_of(cluster),
        catalog=Catalog.load(),
        tell=lambda _: None,
    )


def test_what_a_killed_update_left_is_found_with_its_price_and_students_machines_apart(
    project: Project, made: Provision
) -> None:
    lost = project.machine("lost")
    project.machine("ana", labels={"student": "ana"})
    known = project.machine("known")
    project.disk("of-known", users=(known,))
    found = made.orphans([known])
    assert [each.resource.id.rpartition("/")[2] for each in found] == ["ana", "lost"]
    [orphan] = of_the_stack(found)
    [row] = [each for each in made.catalog.rows if (each.name, each.region) == ("g2-standard-4", "us-east1")]
    assert (orphan.resource.id, orphan.usd) == (lost, row.on_demand_usd)
    assert Decimal(0) < (orphan.usd or Decimal(0))


def test_up_goes_no_further_where_something_was_left(
    project: Project, made: Provision, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    project.machine("lost")
    with pytest.raises(typer.Exit) as error:
        refuse_orphans(made, terminal(), (), leave=False)
    assert error.value.exit_code == ClusterlabError.exit_code
    out = capsys.readouterr().out
    assert "us-east1  instance projects/llm-2026/zones/us-east1-b/instances/lost (g2-standard-4, running)" in out
    assert "nothing was changed" in out
    refuse_orphans(made, terminal(), (), leave=True)


def test_a_project_that_could_not_be_looked_at_is_never_empty(project: Project, made: Provision) -> None:
    project.denied["instances"] = failure(403, "forbidden", "Required 'compute.instances.list' permission")
    with pytest.raises(ClusterlabError, match=r"forbidden: Required .*\nclass llm-2026: not looked at everywhere"):
        made.orphans(())
    project.denied.clear()
    project.unreachable = ["projects/llm-2026/zones/us-east1-c"]
    with pytest.raises(ClusterlabError, match=r"us-east1-c: UNREACHABLE"):
        made.orphans(())


def test_without_credentials_nothing_is_looked_at(
    project: Project, made: Provision, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.machine("lost")
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterlabError, match=r"Google Cloud credentials: none, and gcloud is not installed"):
        made.orphans(())


def test_a_class_without_google_cloud_asks_nobody_there(made: Provision, tmp_path: Path) -> None:
    path = tmp_path / "llm-2026.yaml"
    path.write_text(CLASS.replace(", gcp/us-east1", "") + GCP)
    assert google_of(Cluster.load(path)) is None
    assert find(None, "llm-2026", (), made.catalog) == []
