"""Play a rehearsal, in the namespaces that were made for it.

python -m clusterlab.rehearsal.play STAGE

`clusterlab rehearse` starts it; outside of such namespaces it would change the machine's own network and mounts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError
from clusterlab.rehearsal import internet
from clusterlab.rehearsal.client import SkyPilot, keep_wheel
from clusterlab.rehearsal.host import make_network
from clusterlab.rehearsal.stage import Request, Stage
from clusterlab.rehearsal.steps import StepError, Steps

FIRST_PROCESS = 1
OURS = Path(__file__).parents[2]
"""What SkyPilot imports the course's policy from."""


def main(arguments: list[str]) -> int:
    """Play what the stage's `request.json` asks for; the exit code is the rehearsal's."""
    folder = Path(arguments[0])
    if os.getppid() != FIRST_PROCESS:
        print("clusterlab.rehearsal.play: is started by `clusterlab rehearse`", file=sys.stderr)
        return 2
    request = Request.load(folder / "request.json")
    layers = tuple(Path(layer) for layer in json.loads((folder / "layers.json").read_text()))
    stage = Stage(folder=folder, layers=layers)
    about: dict[str, object] = {"class": request.course, "acts": request.acts} if request.course else {}
    about |= {"labs": request.labs, "on": request.place, "faults": request.faults, "seed": request.seed}
    console = Console(stderr=request.quiet)
    steps = Steps(folder=Path(request.out), about=about | {"clusters": request.num_clusters}, console=console)
    try:
        _rehearse(request, steps, _prepare(stage, request), stage)
    except StepError:
        return StepError.exit_code
    except ClusterlabError as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _rehearse(request: Request, steps: Steps, sky: SkyPilot, stage: Stage) -> None:
    if request.course:
        from clusterlab.rehearsal.course.perform import rehearse_class

        rehearse_class(request, steps, sky, stage)
    elif request.place == "slurm":
        from clusterlab.rehearsal.on_slurm import rehearse_on_slurm

        rehearse_on_slurm(request, steps, sky, stage)
    else:
        from clusterlab.rehearsal.on_cloud import rehearse_on_cloud

        rehearse_on_cloud(request, steps, sky, stage)


def _prepare(stage: Stage, request: Request) -> SkyPilot:
    """A network, the two addresses that SkyPilot looks for, and a home for it."""
    stage.home.mkdir()
    # Named network namespaces are files below /run: these are to be seen in here only.
    _mount("-t", "tmpfs", "tmpfs", "/run")
    _empty_tmp(stage.folder, keep=[Path(request.root), Path(request.out), Path(sys.prefix), OURS])
    make_network()
    certificate = internet.start(stage.folder)
    _move_home(stage)
    keep_wheel(stage.home, stage.wheels)
    variables = {
        # SkyPilot builds a wheel of itself for its nodes, with what it finds here.
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(stage.wheelhouse),
        # By this it decides how many controllers of managed jobs to start; each is a process of 200 MB.
        "SKYPILOT_POD_MEMORY_GB_LIMIT": "6",
        "SSL_CERT_FILE": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),
    }
    return SkyPilot(home=stage.home, root=Path(request.root), log=Path(request.out) / "sky.log", variables=variables)


def _empty_tmp(stage: Path, keep: list[Path]) -> None:
    """Give SkyPilot, which leaves files in /tmp, one that goes with the stage; what is needed below it stays."""
    before, tmp = Path("/run/machine-tmp"), Path("/tmp")  # noqa: S108 (the place itself)
    (stage / "tmp").mkdir(mode=0o1777)
    before.mkdir()
    _mount("--bind", str(tmp), str(before))
    needed = [folder for folder in (stage, *keep) if folder.is_relative_to(tmp)]
    seen = before / stage.relative_to(tmp) if stage in needed else stage
    _mount("--bind", str(seen / "tmp"), str(tmp))
    for folder in needed:
        folder.mkdir(parents=True, exist_ok=True)
        _mount("--rbind", str(before / folder.relative_to(tmp)), str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _move_home(stage: Stage) -> None:
    """Let `~` be the rehearsal's home for ssh too, which asks the system and not the environment."""
    fields = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    moved = [":".join([*each[:5], str(stage.home), each[6]] if each[2] == "0" else each) for each in fields]
    (stage.folder / "passwd").write_text("\n".join(moved) + "\n")
    _mount("--bind", str(stage.folder / "passwd"), "/etc/passwd")
    os.environ["HOME"] = str(stage.home)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
