"""Measure what the project promises of its speed, as ratios side by side in one run, and write BENCHMARKS.md.

python -m tests.bench
python -m tests.bench rehearsals      only that section of the page
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterlab.run import Run
from tests.bench.bill import bills
from tests.bench.compress import nf4_load, rounding, sweep_on_two
from tests.bench.ending import ending
from tests.bench.figure import CONTROL, CONTROL_PYTHON, ROOT, Figure
from tests.bench.fleet import fleet
from tests.bench.infra import infra
from tests.bench.ledger import ledger
from tests.bench.load import generator_cost, over_vllm_bench
from tests.bench.newcomer import newcomer
from tests.bench.parallel import ENGINES
from tests.bench.ray_serve import over_one_by_one
from tests.bench.reaper import reaper
from tests.bench.reasoning import vote_over_one_answer
from tests.bench.rehearsals import rehearsals
from tests.bench.retrieval import over_parts, over_rank_bm25
from tests.bench.serving import over_bare_vllm
from tests.bench.static_batches import over_static_batches
from tests.bench.submit import submit

BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore", "RAY_USAGE_STATS_ENABLED": "0"}


def main() -> None:
    """Measure one section after the other, and put each in its place of the page."""
    sections: dict[str, list[Callable[[], list[Figure]]]] = {
        "jobs": [help_time, check_time, ray_over_torchrun, over_sft_trainer, demo_time],
        "bases": [tiny_bases],
        "training": [group_over_torchrun, over_hf_trainer, saving_beside_steps],
        "compression": [rounding, nf4_load, sweep_on_two],
        "load": [generator_cost, over_vllm_bench],
        "serving": [over_bare_vllm, over_static_batches, over_one_by_one],
        "retrieval": [over_parts, over_rank_bm25],
        "reasoning": [vote_over_one_answer],
        "rehearsals": [rehearsals],
        "money": [ledger],
        "bill": [bills],
        "reaper": [reaper],
        "ending": [ending],
        "infra": [infra],
        "fleet": [fleet],
        "submit": [submit],
        "newcomer": [newcomer],
    }
    for name in sys.argv[1:] or sections:
        _put(name, [figure for measure in sections[name] for figure in _measured(measure)])


def _measured(measure: Callable[[], list[Figure]]) -> list[Figure]:
    print(f"measuring: {measure.__doc__}", flush=True)
    found = measure()
    for figure in found:
        print(f"  {figure.what}: {figure.measured} (wanted: {figure.wanted})", flush=True)
    return found


def _put(section: str, figures: list[Figure]) -> None:
    """Write a section of BENCHMARKS.md, between its two marks."""
    page = ROOT / "BENCHMARKS.md"
    before, mark, rest = page.read_text().partition(f"<!-- {section} -->\n")
    _, end, after = rest.partition(f"<!-- /{section} -->\n")
    page.write_text(f"{before}{mark}{_table(figures)}{end}{after}")


def help_time() -> list[Figure]:
    """`clusterlab --help`."""
    seconds = _median(lambda: _seconds([str(CONTROL), "--help"]), 9)
    start = _median(lambda: _seconds([str(CONTROL_PYTHON), "-c", "pass"]), 9)
    measured = f"{seconds * 1000:.0f} ms, of which Python's own start {start * 1000:.0f} ms"
    return [Figure(what="`clusterlab --help`", measured=measured, wanted="at most 150 ms", met=seconds <= 0.15)]


def check_time() -> list[Figure]:
    """`clusterlab check` of all labs, SkyPilot's schema included."""
    _seconds([str(CONTROL), "check"])
    seconds = _median(lambda: _seconds([str(CONTROL), "check"]), 5)
    what = "`clusterlab check` of all labs, with SkyPilot's schema"
    return [Figure(what=what, measured=f"{seconds:.2f} s", wanted="at most 1 s", met=seconds <= 1)]


def ray_over_torchrun() -> list[Figure]:
    """A training step in a Ray worker and under torchrun, in turn."""
    return [_ray_over_torchrun(1, 5), _ray_over_torchrun(os.cpu_count() or 1, 3)]


def _ray_over_torchrun(threads: int, pairs: int) -> Figure:
    torchrun = [str(BIN / "torchrun"), "--nproc-per-node", "1", "-m", "tests.bench.steps"]
    ray = [sys.executable, "-m", "tests.bench.steps", "--ray"]
    settings = {"OMP_NUM_THREADS": str(threads), "RAY_worker_niceness": "0"}
    found = [(_json(ray, settings)["seconds"], _json(torchrun, settings)["seconds"]) for _ in range(pairs)]
    ratios = [mine / theirs for mine, theirs in found]
    ratio, step = statistics.median(ratios), statistics.median(theirs for _, theirs in found)
    what = f"Training step through Ray against the same module under `torchrun` (QLoRA, tiny, threads: {threads})"
    measured = f"{ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f} in {pairs} pairs; a step is {step * 1000:.0f} ms)"
    return Figure(what=what, measured=measured, wanted="at most 1.025", met=ratio <= 1.025)


def over_sft_trainer() -> list[Figure]:
    """QLoRA tokens/s against TRL's SFTTrainer, in turn."""
    return [_over_sft_trainer("tiny-llama", 60, 3), _over_sft_trainer("smollm2-135m-instruct", 8, 2)]


def _over_sft_trainer(model: str, steps: int, pairs: int) -> Figure:
    command = [sys.executable, "-m", "tests.bench.sft_trainer", model, f"--steps={steps}", f"--pairs={pairs}"]
    found = _json(command)
    ratio = statistics.median(found["ratios"])
    ours, theirs = (statistics.median(pair[side][0] for pair in found["pairs"]) for side in (0, 1))
    losses = [pair[1] for pair in found["pairs"][0]]
    measured = (
        f"{ratio:.2f} ({min(found['ratios']):.2f} to {max(found['ratios']):.2f} in {pairs} pairs of {steps} steps; "
        f"{ours:,.0f} and {theirs:,.0f} tokens/s; held-out loss {losses[0]:.3f} and {losses[1]:.3f})"
    )
    met = ratio >= 1.2 and abs(losses[0] / losses[1] - 1) < 0.01
    what = f"QLoRA tokens/s against TRL's SFTTrainer with PEFT ({model})"
    return Figure(what=what, measured=measured, wanted="at least 1.2, equal held-out loss", met=met)


def group_over_torchrun() -> list[Figure]:
    """A step of each engine on two workers, in a Ray process group and under torchrun, in turn."""
    return [_group_over_torchrun(name, 3) for name in ENGINES]


def _group_over_torchrun(name: str, pairs: int) -> Figure:
    found = [(_parallel(name, ray=True)["seconds"], _parallel(name, ray=False)["seconds"]) for _ in range(pairs)]
    ratios = [mine / theirs for mine, theirs in found]
    ratio, step = statistics.median(ratios), statistics.median(theirs for _, theirs in found)
    measured = f"{ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f} in {pairs} pairs; a step is {step * 1000:.0f} ms)"
    what = f"Training step in a Ray process group against `torchrun`, two workers ({name}, tiny)"
    return Figure(what=what, measured=measured, wanted="at most 1.025", met=ratio <= 1.025)


def _parallel(name: str, *, ray: bool, save: bool = False) -> Any:
    torchrun = [str(BIN / "torchrun"), "--nproc-per-node", "2"]
    command = [*([sys.executable] if ray else torchrun), "-m", "tests.bench.parallel", name]
    options = (["--ray"] if ray else []) + (["--save"] if save else [])
    return _json([*command, *options], {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"})


def over_hf_trainer() -> list[Figure]:
    """Steps of our FSDP2 loop against Hugging Face's Trainer with FSDP2, in turn."""
    torchrun = [str(BIN / "torchrun"), "--nproc-per-node", "2"]
    found = _json([*torchrun, "-m", "tests.bench.hf_trainer", "--pairs", "3"], {"OMP_NUM_THREADS": "1"})
    ratio, ratios = statistics.median(found["ratios"]), found["ratios"]
    (_, loss), (_, their_loss) = found["pairs"][0]
    measured = (
        f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in 3 pairs; losses {loss:.6f} and {their_loss:.6f})"
    )
    what = "Steps a second of our FSDP2 loop against Hugging Face's Trainer with FSDP2, two workers (tiny)"
    met = ratio >= 1 and abs(loss - their_loss) < 1e-4
    return [Figure(what=what, measured=measured, wanted="at least 1.0, equal losses", met=met)]


def saving_beside_steps() -> list[Figure]:
    """A step with a checkpoint in flight against one without, of the engines that save beside the steps."""
    return [_saving_beside_steps(name, 3) for name in ("checkpointing", "fsdp", "zero")]


def _saving_beside_steps(name: str, times: int) -> Figure:
    found = [_parallel(name, ray=True, save=True) for _ in range(times)]
    ratios = [each["saving_seconds"] / each["seconds"] for each in found]
    ratio = statistics.median(ratios)
    what = f"Training step with a checkpoint in flight against one without ({name}, tiny)"
    measured = f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {times} runs)"
    return Figure(what=what, measured=measured, wanted="at most 1.2", met=ratio <= 1.2)


def tiny_bases() -> list[Figure]:
    """The lab at `tiny` on other bases: six seeds, and the first once more where floats are added in another order."""
    return [_tiny_base(seed, 1) for seed in range(6)] + [_tiny_base(0, 2)]


def _tiny_base(seed: int, threads: int) -> Figure:
    found = _json([sys.executable, "-m", "tests.bench.tiny_base", f"--seed={seed}"], {"OMP_NUM_THREADS": str(threads)})
    exact, loss, gap = (found[name] for name in ("exact_match_after", "eval_loss_after", "eval_loss_gap_to_lora"))
    what = f"QLoRA, tiny: exact match, held-out loss and its gap to LoRA (base of seed {seed}, threads: {threads})"
    met = exact >= 0.6 and loss <= 1.5 and abs(gap) <= 0.2
    wanted = "at least 0.6, at most 1.5, at most 0.2"
    return Figure(what=what, measured=f"{exact:.3f}, {loss:.2f}, {gap:+.2f}", wanted=wanted, met=met)


def demo_time() -> list[Figure]:
    """`make demo` again, on a warm environment."""
    with tempfile.TemporaryDirectory() as runs:
        command = [str(BIN.parents[1] / "train" / "bin" / "clusterlab"), "run", "labs/qlora.yaml", f"--runs={runs}"]
        seconds = _seconds(command)
        folder = next(Path(runs).glob("qlora/*"))
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        job_seconds = Run.load(folder).seconds or 0.0
    steps = sum(line["phase"] != "pretrain" for line in lines)
    measured = f"{seconds:.0f} s, of which the job {job_seconds:.0f} s ({steps} steps of training with its evaluations)"
    return [Figure(what="`make demo` again", measured=measured, wanted="under 60 s on 2 cores", met=seconds < 60)]


TABLE = """\
Measured on {day}: {processor}, {cores} cores, no GPU, Python {python}.

| what | measured | wanted | met |
| --- | --- | --- | --- |
{rows}
"""


def _table(figures: list[Figure]) -> str:
    met = {True: "yes", False: "no", None: "-"}
    rows = [f"| {f.what} | {f.measured} | {f.wanted} | {met[f.met]} |" for f in figures]
    return TABLE.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=_processor(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        rows="\n".join(rows),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _median(measure: Callable[[], float], times: int) -> float:
    return statistics.median(measure() for _ in range(times))


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def _json(command: list[str], settings: dict[str, str] | None = None) -> Any:
    """What a command printed as its last line."""
    environment = ENVIRONMENT | (settings or {})
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
