"""The welcome sheet in English."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.course.students.facts import RUNS, SCRATCH, Access, Facts, block, commands, table

SUBMIT = "All share one cluster: open a tunnel to it, and submit. What is `...` your instructor tells you."
TAKE_THE_ROLE = "Then take your role in the course's account. `default` in ~/.aws/config are your own keys."
LOG_IN = {
    Access.SERVER: "Then log in to the course server. Your token is in this folder; it is yours alone.",
    Access.ROLE: TAKE_THE_ROLE,
    Access.KUBERNETES: TAKE_THE_ROLE,
    Access.OTHER: "Then log in, with the access to the cloud that your instructor gives you.",
}


def sheet(facts: Facts) -> str:
    """The whole sheet, as Markdown."""
    return "\n\n".join(_parts(facts)) + "\n"


def _parts(facts: Facts) -> Iterator[str]:
    yield "<!-- Made by `clusterlab class up` of the class's file; what is changed here is lost. -->"
    yield f"# Welcome to {facts.course}, {facts.student}"
    if facts.team:
        yield f"Your team is {facts.team}, with {', '.join(facts.mates) or 'nobody else'}."
    yield "## What to type first"
    yield "In the course's repository, without any cloud; a minute or two:"
    yield block("make demo")
    yield f"{LOG_IN[facts.access]} The commands take this folder to be `~/{facts.course}`."
    if facts.shared:
        yield SUBMIT
    yield block("make .venv/sky/installed && . .venv/sky/bin/activate")
    yield commands(facts)
    yield from _work(facts)
    yield from _rules(facts)
    yield "## Where to read on"
    yield "`README.md` has the labs; each file in `labs/` says at its top what it shows and how it is run."
    yield "`docs/students.md` says what is in this folder and who can read what; `docs/money.md` how money is counted."
    if facts.instructors:
        yield f"Ask {', '.join(facts.instructors)}."


def _work(facts: Facts) -> Iterator[str]:
    if facts.labs:
        yield "## Labs"
        rows = [(each.lab, str(each.due or "no date"), str(each.runs)) for each in facts.labs]
        yield table(("lab", "last day", "runs planned"), rows)
        yield f"A last day ends at midnight, {facts.time_zone}. What counts is when a run ended."
    if facts.hours:
        yield f"Class: {', '.join(facts.hours)}, {facts.time_zone}."
    if facts.shared:
        yield "What a job leaves comes back to `runs/` of the folder where you submit it."
    elif facts.bucket:
        runs, scratch = (f"`s3://{facts.bucket}/{each}/{facts.student}/`" for each in (RUNS, SCRATCH))
        yield f"Your runs are kept in {runs}, and for some days what is only scratch in {scratch}."


def _rules(facts: Facts) -> Iterator[str]:
    yield "## Money"
    spend = "Nobody has set a budget of yours." if facts.usd is None else f"You may spend {facts.usd} USD in all labs."
    plan = f"`clusterlab plan {facts.first_lab}` says what a lab may cost before you launch it"
    yield f"{spend} {plan}; a launch that the budget does not cover is refused. What a run does not use is free again."
    if facts.shared:
        return
    yield "## Leases"
    ends = "Then it is stopped and ended, whatever runs on it; only an instructor lengthens a lease."
    yield f"A machine has a lease of {facts.lease_hours} hours. {ends} Idle, it ends itself earlier."
    yield "A lab launched again goes on from its last checkpoint. When you are done: `sky status`, `sky down NAME`."
