"""What a lab's page says, in English and in Spanish; what stays in English is what the lab's own file says."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.lab import Expectation
from clusterlab.report.results import number


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The page in one language."""

    language: str
    """As HTML names it."""
    other: str
    """The link to the page in the other language."""
    goal: str
    claim: str
    source: str
    original: str
    """Why some of it is in another language; empty where all is in one."""
    run: str
    run_note: str
    costs: str
    costs_head: tuple[str, ...]
    costs_note: str
    this_machine: str
    either: str
    nodes: str
    unknown: str
    expected: str
    expected_note: str
    expected_head: tuple[str, ...]
    at_most: str
    at_least: str
    between: str
    verified: str
    verified_as: str
    verified_head: tuple[str, ...]
    never: str
    missing: str
    notes: str
    files: str
    files_head: tuple[str, ...]
    files_are: tuple[str, str, str, str]
    """What the lab, its sidecar, its job and its values are."""
    all_labs: str
    all_head: tuple[str, ...]
    all_note: str

    def value_of(self, value: float | None) -> str:
        """What was measured."""
        return self.missing if value is None else number(value)

    def range_of(self, expected: Expectation) -> str:
        """The range in which a metric must lie."""
        if expected.low is None:
            return self.at_most.format(f"{expected.high:g}")
        if expected.high is None:
            return self.at_least.format(f"{expected.low:g}")
        if expected.low == expected.high:
            return f"{expected.low:g}"
        return self.between.format(f"{expected.low:g}", f"{expected.high:g}")


ENGLISH = Words(
    language="en",
    other="En español",
    goal="What you learn",
    claim="The claim under test",
    source="Source",
    original="",
    run="Run it",
    run_note="From the repository's root, with `.venv/train` active (`make env`); `sky` comes with `.venv/sky`.",
    costs="What it costs",
    costs_head=("scale", "machine", "hours", "USD", "budget, USD"),
    costs_note="Low / expected / high, from list prices on demand of {day}; `clusterlab plan {path}` has the parts.",
    this_machine="this machine",
    either=" or ",
    nodes="{} nodes with {} each",
    unknown="unknown",
    expected="What it must show",
    expected_note="A run passes where every metric of its scale lies in its range, the ends included.",
    expected_head=("metric", "expected", "source", "hardware"),
    at_most="at most {}",
    at_least="at least {}",
    between="{} to {}",
    verified="The last verified result",
    verified_as="**{verdict}** at `{scale}`, on {day}, at commit `{commit}`, on {machine}, in {seconds} s.",
    verified_head=("metric", "measured", "expected", ""),
    never="Not reproduced yet: `make results LABS={lab}` does it on this machine.",
    missing="missing",
    notes="Good to know",
    files="Its files",
    files_head=("file", "is"),
    files_are=("the task that SkyPilot takes", "what is expected of it", "the job", "every value that `--env` sets"),
    all_labs="Labs",
    all_head=("lab", "title", "on one GPU, USD", "last result"),
    all_note="Each runs at `tiny` on any machine without a GPU, and on a cloud by `sky launch`. USD as expected at "
    "`single`. [Results](../results.md) has what was measured.",
)

SPANISH = Words(
    language="es",
    other="In English",
    goal="Qué se aprende",
    claim="La afirmación que se pone a prueba",
    source="Fuente",
    original="Lo que procede del propio archivo de la práctica (afirmación, fuentes, métricas) se deja en inglés, "
    "tal como aparece en la terminal.",
    run="Cómo se ejecuta",
    run_note="Desde la raíz del repositorio, con `.venv/train` activado (`make env`); `sky` viene con `.venv/sky`.",
    costs="Cuánto cuesta",
    costs_head=("escala", "máquina", "horas", "USD", "presupuesto, USD"),
    costs_note="Mínimo / esperado / máximo, con los precios de lista bajo demanda del {day}; `clusterlab plan {path}` "
    "los desglosa.",
    this_machine="esta máquina",
    either=" o ",
    nodes="{} nodos, cada uno con {}",
    unknown="desconocido",
    expected="Qué debe mostrar",
    expected_note="Una ejecución pasa (PASS) si todas las métricas de su escala caen dentro de su intervalo, extremos "
    "incluidos.",
    expected_head=("métrica", "se espera", "fuente", "hardware"),
    at_most="{} como máximo",
    at_least="{} como mínimo",
    between="de {} a {}",
    verified="El último resultado verificado",
    verified_as="**{verdict}** en la escala `{scale}`, el {day}, con el commit `{commit}`, en {seconds} s "
    "(máquina: {machine}).",
    verified_head=("métrica", "medido", "se espera", ""),
    never="Todavía no se ha reproducido: `make results LABS={lab}` lo hace en esta máquina.",
    missing="falta",
    notes="Conviene saber",
    files="Sus archivos",
    files_head=("archivo", "qué es"),
    files_are=(
        "la tarea que lanza SkyPilot",
        "lo que se espera de ella",
        "el trabajo",
        "todos los valores que se cambian con `--env`",
    ),
    all_labs="Prácticas",
    all_head=("práctica", "título", "en una GPU, USD", "último resultado"),
    all_note="Todas se ejecutan en la escala `tiny` en cualquier máquina sin GPU, y en la nube con `sky launch`. USD: "
    "lo esperado en `single`. Lo que se midió está en [Results](../../results.md), en inglés.",
)


def plain(text: str) -> str:
    """Text that Markdown shows as it is, code in backticks apart."""
    parts = " ".join(text.split()).split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)
