"""The `clusterlab` command.

Each verb imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clusterlab import __version__
from clusterlab.bill.command import bill
from clusterlab.config import Scale
from clusterlab.cost.catalog_command import catalog
from clusterlab.cost.command import plan
from clusterlab.course.command import course
from clusterlab.enforcement.command import enforce
from clusterlab.errors import EXIT_CODES, EXIT_INTERRUPTED, ClusterlabError, InputError, Problem
from clusterlab.fit.command import fit
from clusterlab.images.command import images
from clusterlab.ledger.command import budget
from clusterlab.metering.command import meter
from clusterlab.reaper.command import reap
from clusterlab.rehearsal.command import rehearse
from clusterlab.report.command import report
from clusterlab.reproduction.command import reproduce
from clusterlab.simulation.command import simulate
from clusterlab.submission.command import submit
from clusterlab.template.command import new
from clusterlab.terminal import Envs, Json, Runs, print_json, terminal


class _Verbs(TyperGroup):
    """Turns what a user can mend into its message and exit code; everything else keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ClusterlabError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            going_on = "; the same command goes on from its last checkpoint (not with --fresh)"
            typer.echo(f"interrupted{going_on if ctx.invoked_subcommand == 'run' else ''}", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from error


Checked = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="Labs and classes; all of labs/ and clusters/ where none is given.",
        show_default=False,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse an image whose digest its registry has not given.")]

app = typer.Typer(
    cls=_Verbs,
    help="Cloud and HPC cluster labs as code: check them, plan what they cost, run them, report what came out.",
    epilog="\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items()),
    no_args_is_help=True,
    add_completion=False,
    # Rich takes longer to lay out a help page than everything else that `--help` does.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clusterlab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    del version


@app.command()
def check(files: Checked = None, strict: Strict = False, json: Json = False) -> None:
    """Check labs with their sidecars, and classes, offline; every fault in one go.

    Exits with 2 where there is a fault.
    """
    from clusterlab import skypilot
    from clusterlab.check import all_paths, is_class
    from clusterlab.check import check as find_problems
    from clusterlab.job import has_jobs
    from clusterlab.repository import enter

    root, paths = enter(files or [])
    paths = paths or all_paths(Path())
    if not paths:
        raise InputError(Problem(path="labs", message="has no lab; `clusterlab new lab NAME` makes one"))
    problems, installed = find_problems(paths, root, strict=strict), skypilot.version()
    num_classes = sum(map(is_class, paths))
    num_labs = len(paths) - num_classes
    if json:
        faults = [{"path": each.path, "key": each.key, "message": each.message} for each in problems]
        numbers = {"num_labs": num_labs, "num_classes": num_classes}
        print_json(numbers | {"problems": faults, "skypilot": installed, "jobs": has_jobs(root)})
    else:
        for problem in problems:
            typer.echo(str(problem), err=True)
        counts = [_count(num_labs, "lab", "labs")] * bool(num_labs)
        counts += [_count(num_classes, "class", "classes")] * bool(num_classes)
        typer.echo(f"{' and '.join(counts)} checked, {_count(len(problems), 'problem', 'problems')}")
        if installed is None and num_labs:
            typer.echo(f"not checked: SkyPilot's own schema, not installed here; `{skypilot.INSTALL}` installs it")
        if num_labs and not has_jobs(root):
            typer.echo("not checked: jobs, and which envs they take; there is no jobs/ beside labs/")
    if problems:
        raise typer.Exit(InputError.exit_code)


app.command()(plan)
app.command()(fit)


@app.command()
def run(
    lab: Annotated[Path, typer.Argument(metavar="LAB", help="Lab file.")],
    env: Envs = None,
    scale: Annotated[
        Scale | None,
        typer.Option(help="How big; tiny where it is not given.", show_default=False),
    ] = None,
    student: Annotated[str, typer.Option(help="Who the run is for: a label.")] = "local",
    runs: Runs = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; do not resume an unfinished run.")] = False,
    json: Json = False,
) -> None:
    """Run a lab on this machine and check its result.

    Exits with 1 where the job failed or a result is outside what the lab expects. Progress goes to stderr with --json.
    """
    from clusterlab.config import from_options, parse
    from clusterlab.job import Job
    from clusterlab.local import run_lab
    from clusterlab.report.run_result import show_run
    from clusterlab.repository import enter, load_labs
    from clusterlab.tags import Tags

    root, (path, *given) = enter([lab, *([runs] if runs else [])])
    (loaded,) = load_labs([path])
    envs = loaded.envs | from_options(env or [], scale)
    parse(Job.load(loaded.job, root=root, path=str(loaded.path)).config_type, envs, path="--env")
    tags = Tags(course=loaded.resources.labels.get("course", "local"), lab=loaded.name, student=student)
    console, runs_folder = terminal(stderr=json), given[0] if given else Path("runs")
    where, record = run_lab(loaded, root=root, envs=envs, tags=tags, runs=runs_folder, fresh=fresh, console=console)
    where = where.relative_to(root) if where.is_relative_to(root) else where
    if show_run(loaded, where, record, json=json).failed:
        raise typer.Exit(ClusterlabError.exit_code)


app.command()(reproduce)
app.command()(submit)
app.command()(report)
app.command()(meter)
app.command()(enforce)
app.command()(reap)
app.command()(rehearse)
app.command()(simulate)
app.add_typer(new, name="new")
app.add_typer(budget, name="budget")
app.add_typer(bill, name="bill")
app.add_typer(catalog, name="catalog")
app.add_typer(images, name="images")
app.add_typer(course, name="class")


@app.command()
def tunnel(
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="Cluster, as `sky status` names it.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of this machine's loopback.")] = 8000,
    to: Annotated[int, typer.Option(min=1, max=65535, help="Port of the loopback of the cluster's head.")] = 8000,
    ssh_config: Annotated[
        Path | None, typer.Option(help="Configuration of ssh; the user's own if not given.", show_default=False)
    ] = None,
) -> None:
    """Reach an endpoint on a cluster's loopback through SSH, until Ctrl-C.

    Exits with 2 where the cluster is not known or the port is taken, with 4 where the cluster does not let us in.
    """
    from clusterlab.tunnel import tunnel as lead

    with lead(cluster, port=port, to=to, config=ssh_config) as stands:
        typer.echo(f"http://127.0.0.1:{port} is port {to} of {cluster}, until Ctrl-C")
        stands.follow()


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


if __name__ == "__main__":
    app()
