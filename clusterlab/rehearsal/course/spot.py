"""The act of a student whose spot machine is taken back: the managed job goes on elsewhere, from its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.rehearsal import account
from clusterlab.rehearsal.course.launches import RUNS, cluster_of, machines_of
from clusterlab.rehearsal.launch import Cluster, check_record
from clusterlab.rehearsal.managed import (
    JOB_SECONDS,
    LAUNCH_SECONDS,
    attempts,
    checkpoints_in,
    download_runs,
    is_over,
    status_of_job,
    wait_until,
)
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step


def taken_back(course: Course, step: Step) -> None:
    """A student's spot machine is taken back once checkpoints are in the bucket; a second one goes on from there.

    Raises:
        StepError: the job did not recover, or began anew.
    """
    student, lab = course.roles.spot, course.project
    sky, name = course.sky_as(student, CLUSTERLAB_BUCKET=course.bucket), cluster_of(student)
    arguments = Cluster(name=name, lab=lab).launch_arguments()
    sky.run("jobs", "launch", "-y", "-d", "-n", name, *arguments, "--use-spot")
    wait_until("a checkpoint in the bucket", lambda: checkpoints_in(course.bucket) or is_over(sky), JOB_SECONDS, sky)
    (first,) = machines_of(student)
    if not first.spot or is_over(sky):
        raise StepError(
            f"{first}: spot {first.spot}, the job is {status_of_job(sky)}; {sky.log} has what SkyPilot said"
        )
    course.meter()
    account.preempt(first.id)
    course.say(f"{student}: {first.id} ({first.shape}, spot) is taken back")
    course.meter()
    wait_until("the job's end", lambda: is_over(sky), JOB_SECONDS, sky)
    if status_of_job(sky) != "SUCCEEDED":
        raise StepError(f"the job is {status_of_job(sky)}; {sky.log} has what SkyPilot said")
    folder = course.out / RUNS / student
    download_runs(course.bucket, folder)
    step.notes.append(f"{attempts(folder, wanted=2)}; {check_record(folder, lab, student=student)}")
    wait_until("the machine's end", lambda: not machines_of(student), LAUNCH_SECONDS, sky)
    course.meter()
