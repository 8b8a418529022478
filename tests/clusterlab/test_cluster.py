from __future__ import annotations

from datetime import date
from decimal import Decimal
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from clusterlab.assignment import Assignment
from clusterlab.catalog import Catalog, Kind
from clusterlab.class_budget import Budget, Limits
from clusterlab.cluster import FOLDER, Cluster, Mode, class_path, offered
from clusterlab.config import Scale
from clusterlab.errors import InputError
from clusterlab.infra import infra_of
from clusterlab.lab import Lab, lab_paths
from clusterlab.network_plan import NetworkPlan
from clusterlab.server_plan import ServerPlan
from tests.clusterlab.conftest import CLASS, ROOT, spoil

PROVISIONED = (
    CLASS
    + """
dates: {start: 2026-09-01, end: 2026-12-18}
instructors: [ana@example.org]
budget_usd: {course: 100}
gcp: {project: llm-2026, billing_account: 000000-000000-000000, students: llm@example.org}
"""
)
CLASSES = sorted(path for path in (ROOT / FOLDER).glob("*.yaml") if path.stem != "slurm")


def test_classes_were_found() -> None:
    assert CLASSES


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_each_class_can_be_read_and_the_catalog_has_its_places(path: Path) -> None:
    assert Cluster.load(path, to_provision=True).offered(Catalog.load()).accelerators()


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_has_its_class(path: Path) -> None:
    assert (ROOT / FOLDER / f"{Lab.load(path).resources.labels['course']}.yaml").is_file()


def test_a_course_is_offered_what_its_class_says(file: Path) -> None:
    rows = offered(Catalog.load(), "llm-2026", file.parents[1]).rows
    assert {str(infra_of(row)) for row in rows} == {"aws/us-east-1", "gcp/us-east1", "local"}


@pytest.mark.parametrize("course", [None, "llm-2025", "../clusters/llm-2026"])
def test_a_course_without_a_class_is_offered_everything(file: Path, course: str | None) -> None:
    catalog = Catalog.load()
    assert offered(catalog, course, file.parents[1]) == catalog


def test_what_nobody_has_said_of_a_class_is_not_known(file: Path) -> None:
    cluster = Cluster.load(file)
    assert (cluster.roster, cluster.labs, cluster.budget) == (None, (), Budget(course_usd=None, student_usd=None))
    with pytest.raises(InputError, match=r"llm-2026.yaml: roster: missing; allowed: a number, a list of labels,"):
        cluster.num_students()


def test_a_class_says_which_labs_at_which_scale_how_often_and_for_how_much(file: Path) -> None:
    file.write_text(CLASS + "labs: {qlora: {scale: full, runs: 2}, zero: }\nbudget_usd: {course: 100.5}\n")
    cluster = Cluster.load(file)
    first, second = cluster.labs
    assert first == Assignment(lab="qlora", scale=Scale.FULL, runs=2)
    assert second == Assignment(lab="zero", scale=None, runs=1)
    assert cluster.budget == Budget(course_usd=Decimal("100.5"), student_usd=None)


@pytest.mark.parametrize(("roster", "number"), [("24", 24), ("[ana, ben]", 2), ("students.csv", 3)])
def test_a_roster_is_a_number_a_list_or_a_file(file: Path, roster: str, number: int) -> None:
    (file.parent / "students.csv").write_text("\ufeffname,student\nAna,ana\nBen,ben\nEva,eva\n")
    file.write_text(f"{CLASS}roster: {roster}\n")
    assert Cluster.load(file).num_students() == number


def test_the_roster_is_not_read_to_know_where_machines_may_be(file: Path) -> None:
    file.write_text(f"{CLASS}roster: kept-elsewhere.csv\n")
    assert offered(Catalog.load(), "llm-2026", file.parents[1]).accelerators()


def test_what_the_infrastructure_needs_is_asked_for_only_to_provision(file: Path) -> None:
    file.write_text(CLASS.replace("aws/us-east-1, gcp/us-east1", "lambda") + "teams: {red: [ana]}\ninstructors: []\n")
    assert Cluster.load(file).dates is None
    with pytest.raises(InputError) as error:
        Cluster.load(file, to_provision=True)
    keys = [problem.key for problem in error.value.problems]
    assert keys == ["dates", "instructors", "budget_usd.course", "infra", "roster"]


def test_more_instructors_than_a_budget_tells_are_refused(file: Path) -> None:
    emails = ", ".join(f"a{number}@example.org" for number in range(11))
    file.write_text(PROVISIONED.replace("[ana@example.org]", f"[{emails}]") + "roster: 2\n")
    with pytest.raises(InputError, match=r"instructors: 11 addresses; allowed: at most 10"):
        Cluster.load(file, to_provision=True)


def test_google_s_part_needs_a_project(file: Path) -> None:
    text = PROVISIONED.partition("gcp: {")[0] + "roster: 2\n"
    file.write_text(text)
    with pytest.raises(InputError, match=r"llm-2026.yaml: gcp: missing, and the infrastructure needs it; allowed: {"):
        Cluster.load(file, to_provision=True)
    file.write_text(text.replace(", gcp/us-east1", ""))
    assert Cluster.load(file, to_provision=True).gcp is None


def test_a_course_that_can_name_no_bucket_is_not_provisioned(file: Path) -> None:
    file = file.rename(file.with_name("llm_2026.yaml"))
    file.write_text(PROVISIONED.replace("course: llm-2026", "course: llm_2026") + "roster: 2\n")
    assert Cluster.load(file)
    with pytest.raises(InputError, match=r"course: 'llm_2026' names a bucket; allowed: 1 to 20 of a-z"):
        Cluster.load(file, to_provision=True)


def test_a_class_says_what_students_may_use_and_what_its_end_keeps(file: Path) -> None:
    file.write_text(
        CLASS
        + "budget_usd: {team: 50}\nlimits: {gpus: 0.5, gpu_hours: 8}\nwarm_minutes: 20\n"
        + "keep: {vol-0abc: the data set, lab=shared: until June}\n"
    )
    cluster = Cluster.load(file)
    assert cluster.budget.team_usd == Decimal(50)
    assert cluster.limits == Limits(gpus=Decimal("0.5"), gpu_hours=Decimal(8), window_days=7)
    assert (cluster.warm_minutes, dict(cluster.keep)) == (20, {"vol-0abc": "the data set", "lab=shared": "until June"})
    file.write_text(CLASS + "keep: [vol-0abc, lab=shared]\n")
    assert dict(Cluster.load(file).keep) == dict.fromkeys(["vol-0abc", "lab=shared"], f"{file} keeps it")


def test_a_class_may_say_more_of_its_server(file: Path) -> None:
    assert Cluster.load(file).server_plan == ServerPlan()
    file.write_text(
        CLASS + "server: {domain: llm.example.org, hosted_zone_id: Z0123456789ABC, instance_type: m5.xlarge}\n"
    )
    cluster = Cluster.load(file)
    expected = ServerPlan(domain="llm.example.org", hosted_zone_id="Z0123456789ABC", instance_type="m5.xlarge")
    assert (cluster.server, cluster.server_plan) == (True, expected)


def test_a_class_that_says_nothing_of_it_limits_nobody_warms_nothing_and_keeps_nothing(file: Path) -> None:
    cluster = Cluster.load(file)
    assert cluster.limits == Limits(gpus=None, gpu_hours=None, window_days=7)
    assert (cluster.warm_minutes, dict(cluster.keep), cluster.budget.team_usd) == (0, {}, None)


def test_a_team_s_budget_needs_teams_and_warmth_needs_hours_to_provision(file: Path) -> None:
    text = PROVISIONED.replace("course: 100}", "course: 100, team: 50}") + "roster: [ana]\nwarm_minutes: 20\n"
    file.write_text(text)
    assert Cluster.load(file)
    with pytest.raises(InputError) as error:
        Cluster.load(file, to_provision=True)
    assert [problem.key for problem in error.value.problems] == ["budget_usd.team", "warm_minutes"]
    file.write_text(text + 'teams: {red: [ana]}\nhours: "tue 10:00-12:00"\n')
    assert Cluster.load(file, to_provision=True)


def test_a_class_without_a_file_is_refused_with_those_that_have_one(file: Path) -> None:
    (file.parent / "slurm.yaml").write_text("name: centre\n")
    assert class_path("llm-2026", file.parents[1]) == file
    for course in ("llm-2025", "slurm", "../clusters/llm-2026"):
        with pytest.raises(InputError, match=r"there is no such class; allowed: llm-2026$"):
            class_path(course, file.parents[1])


def test_a_server_that_nobody_could_reach_is_refused(file: Path) -> None:
    file.write_text(PROVISIONED + "roster: 2\nserver: true\n")
    with pytest.raises(InputError, match=r"network.https_from: missing, and nobody could reach the server; allowed:"):
        Cluster.load(file, to_provision=True)


def test_a_team_is_made_of_the_roster(file: Path) -> None:
    file.write_text(PROVISIONED + "roster: [ana, ben]\nteams: {red: [ana, eva]}\n")
    with pytest.raises(InputError) as error:
        Cluster.load(file, to_provision=True)
    assert str(error.value) == f"{file}: teams.red: 'eva' is not in the roster"


def test_a_roster_in_a_file_is_read_to_provision(file: Path) -> None:
    file.write_text(PROVISIONED + "roster: students.csv\n")
    (file.parent / "students.csv").write_text("student\nana\nana\n")
    with pytest.raises(InputError, match=r"students.csv: student: 'ana' stands twice"):
        Cluster.load(file, to_provision=True)


def test_a_class_says_when_where_and_how(file: Path) -> None:
    file.write_text(
        PROVISIONED
        + "roster: 2\nmode: shared\nserver: true\nnetwork: {ssh_from: 192.0.2.0/24}\nlabs: {qlora: {due: 2026-10-06}}\n"
    )
    cluster = Cluster.load(file, to_provision=True)
    assert cluster.students() == ("student-01", "student-02")
    assert (cluster.mode, cluster.server, cluster.labs[0].due) == (Mode.SHARED, True, date(2026, 10, 6))
    known = (IPv4Network("192.0.2.0/24"),)
    assert cluster.network == NetworkPlan(ssh_from=known, https_from=known)


def test_a_whole_cloud_is_each_region_that_the_catalog_has_prices_in(file: Path) -> None:
    spoil(file, "aws/us-east-1, gcp/us-east1", "aws/us-west-2, aws, gcp/us-east1")
    cluster = Cluster.load(file)
    assert cluster.regions("aws")[0] == "us-west-2"
    assert sorted(cluster.regions("aws")) == ["eu-central-1", "eu-west-1", "us-east-1", "us-east-2", "us-west-2"]
    assert (cluster.regions("gcp"), cluster.regions("lambda")) == (("us-east1",), ())


def test_a_class_is_offered_the_machines_on_its_list_and_every_disk(file: Path) -> None:
    file.write_text(CLASS + "instances: [g6.xlarge, n2-standard-2]\n")
    rows = Cluster.load(file).offered(Catalog.load()).rows
    machines = {row.name for row in rows if row.kind is Kind.MACHINE}
    assert machines == {"this machine", "g6.xlarge", "n2-standard-2"}
    assert {row.kind for row in rows} == set(Kind)


def test_a_place_without_a_price_is_named_with_the_file(file: Path) -> None:
    spoil(file, "gcp/us-east1", "gcp/moon1")
    with pytest.raises(InputError, match=r"llm-2026.yaml: infra: gcp/moon1: not in the catalog; allowed: aws/"):
        offered(Catalog.load(), "llm-2026", file.parents[1])
