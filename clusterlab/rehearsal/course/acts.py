"""The acts of a class's rehearsal, in order."""

from __future__ import annotations

from clusterlab.rehearsal.course.act import Act
from clusterlab.rehearsal.course.closing import final_report
from clusterlab.rehearsal.course.ending import take_down
from clusterlab.rehearsal.course.hours import lease_over, spent
from clusterlab.rehearsal.course.launches import beyond_the_cap, own_machines
from clusterlab.rehearsal.course.provisioning import crash, set_caps, take_over
from clusterlab.rehearsal.course.spot import taken_back
from clusterlab.rehearsal.course.submissions import class_cluster, every_lab

ACTS = (
    Act(
        name="crash",
        title="the class's program is killed in the middle, and what it left is found by its tag",
        play=crash,
    ),
    Act(
        name="up",
        title="it runs again: what no state knows is ended, and nothing is made twice",
        play=take_over,
        needs=("crash",),
    ),
    Act(name="caps", title="budgets go into the ledger", play=set_caps),
    Act(
        name="own",
        title="two students launch machines of their own, and forget them",
        play=own_machines,
        needs=("up", "caps"),
    ),
    Act(
        name="cap",
        title="a launch that the budget does not cover is refused",
        play=beyond_the_cap,
        needs=("up", "caps"),
    ),
    Act(
        name="spot",
        title="a spot machine is taken back, and its job goes on from its checkpoint",
        play=taken_back,
        needs=("up", "caps"),
    ),
    Act(name="cluster", title="the class's Ray cluster", play=class_cluster, needs=("up", "caps")),
    Act(
        name="submit",
        title="every student submits every lab, each when it is its turn",
        play=every_lab,
        needs=("cluster",),
    ),
    Act(
        name="spent",
        title="a machine idles until its student's budget is spent, and is stopped",
        play=spent,
        needs=("own",),
    ),
    Act(
        name="reap", title="a forgotten machine's lease ends, and the reaper takes it", play=lease_over, needs=("own",)
    ),
    Act(name="down", title="`class down`: all is taken away, with a proof", play=take_down, always=True),
    Act(
        name="report",
        title="an emulated bill closes the class, and the cents add up",
        play=final_report,
        needs=("down",),
        always=True,
    ),
)
