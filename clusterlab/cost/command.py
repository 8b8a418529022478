"""The verb `plan`.

clusterlab plan labs/qlora.yaml --infra aws/us-east-1
clusterlab plan --class clusters/llm-2026.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import InputError, Problem
from clusterlab.terminal import Infras, Json, Labs, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.cluster import Cluster
    from clusterlab.cost.class_plan import ClassPlan
    from clusterlab.lab import Lab
    from clusterlab.plan import LabPlan


def plan(
    labs: Labs = None,
    cluster: Annotated[
        Path | None,
        typer.Option("--class", metavar="FILE", help="Plan a whole class: its roster x its labs.", show_default=False),
    ] = None,
    students: Annotated[
        int | None,
        typer.Option(min=1, help="Plan the labs for so many students, in place of a roster.", show_default=False),
    ] = None,
    infra: Infras = None,
    json: Json = False,
) -> None:
    """Plan hours and dollars at each scale: low, expected and high.

    Prices are those of the places that the class of a lab may use, by clusters/<course>.yaml, or of --infra. A price
    that is not known is shown as unknown, and the estimate as incomplete.
    """
    from clusterlab.lab import lab_paths
    from clusterlab.repository import enter

    _, (*paths, own) = enter([*(labs or []), cluster or Path()])
    if cluster and labs:
        raise InputError(Problem(path="--class", message="has its own labs; allowed: --class, or labs"))
    shown: list[LabPlan] | list[ClassPlan]
    if cluster:
        shown = [_plan_class(own, students, infra or [])]
    elif students:
        shown = [_plan_students(paths or lab_paths(Path("labs")), students, infra or [])]
    else:
        shown = _plan_labs(paths or lab_paths(Path("labs")), infra or [])
    if json:
        documents = [each.as_json() for each in shown]
        print_json({"class": documents[0]} if cluster or students else {"plans": documents})
        return
    console = terminal()
    for each in shown:
        for part in each.render():
            console.print(part)


def offered_to(lab: Lab, catalog: Catalog, infra: list[str]) -> Catalog:
    """The prices that a lab of the working folder's repository is planned at: those of `infra`, else of its class.

    Raises:
        InputError: the catalog has nothing at one of these places, or the class's file has a fault.
    """
    from clusterlab.cluster import offered
    from clusterlab.infra import Infra, within

    if infra:
        places = [Infra.parse(each, path="--infra") for each in infra]
        return within(catalog, places, path="--infra")
    return offered(catalog, lab.resources.labels.get("course"), Path())


def _plan_labs(paths: list[Path], infra: list[str], of: Cluster | None = None) -> list[LabPlan]:
    """Plan labs where they may be: where `infra` says, else the class that is given, else each lab's own."""
    from datetime import UTC, datetime

    from clusterlab.catalog import Catalog
    from clusterlab.plan import plan as plan_lab
    from clusterlab.repository import load_labs

    catalog, today = Catalog.load(), datetime.now(UTC).date()
    if of is not None and not infra:
        prices = of.offered(catalog)
        return [plan_lab(lab, prices, today=today) for lab in load_labs(paths)]
    return [plan_lab(lab, offered_to(lab, catalog, infra), today=today) for lab in load_labs(paths)]


def _plan_class(path: Path, students: int | None, infra: list[str]) -> ClassPlan:
    from clusterlab.cluster import Cluster
    from clusterlab.cost.class_plan import plan_class

    cluster = Cluster.load(path)
    if not cluster.labs:
        raise InputError(Problem(path=str(path), key="labs", message="missing; allowed: labs by name, such as qlora:"))
    plans = _plan_labs([Path("labs") / f"{each.lab}.yaml" for each in cluster.labs], infra, cluster)
    number = cluster.num_students() if students is None else students
    return plan_class(
        plans, cluster.labs, num_students=number, budget=cluster.budget, path=str(path), teams=cluster.teams
    )


def _plan_students(paths: list[Path], students: int, infra: list[str]) -> ClassPlan:
    from clusterlab.assignment import Assignment
    from clusterlab.class_budget import Budget
    from clusterlab.cost.class_plan import plan_class

    plans = _plan_labs(paths, infra)
    once = [Assignment(lab=each.lab.name, scale=None, runs=1) for each in plans]
    nobody_said = Budget(course_usd=None, student_usd=None)
    return plan_class(plans, once, num_students=students, budget=nobody_said, path="--students")
