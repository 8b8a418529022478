"""The welcome sheet in Spanish."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.course.students.facts import RUNS, SCRATCH, Access, Facts, block, commands, table

SUBMIT = "Hay un solo clúster para la clase: abre un túnel y envía. Lo que es `...` te lo dice el profesor."
TAKE_THE_ROLE = "Después, toma tu rol en la cuenta del curso. `default` en ~/.aws/config son tus propias claves."
LOG_IN = {
    Access.SERVER: "Después, entra en el servidor del curso. Tu token está en esta carpeta y es solo tuyo.",
    Access.ROLE: TAKE_THE_ROLE,
    Access.KUBERNETES: TAKE_THE_ROLE,
    Access.OTHER: "Después, entra con el acceso a la nube que te dé el profesor.",
}
DAYS = {"mon": "lun", "tue": "mar", "wed": "mié", "thu": "jue", "fri": "vie", "sat": "sáb", "sun": "dom"}


def sheet(facts: Facts) -> str:
    """The whole sheet, as Markdown."""
    return "\n\n".join(_parts(facts)) + "\n"


def _parts(facts: Facts) -> Iterator[str]:
    yield "<!-- Hecha por `clusterlab class up` a partir del fichero de la clase; lo que se cambie aquí se pierde. -->"
    yield f"# Te damos la bienvenida a {facts.course}, {facts.student}"
    if facts.team:
        yield f"Tu equipo es {facts.team}, con {', '.join(facts.mates) or 'nadie más'}."
    yield "## Qué teclear primero"
    yield "En el repositorio del curso, sin ninguna nube; uno o dos minutos:"
    yield block("make demo")
    yield f"{LOG_IN[facts.access]} Las órdenes suponen que esta carpeta es `~/{facts.course}`."
    if facts.shared:
        yield SUBMIT
    yield block("make .venv/sky/installed && . .venv/sky/bin/activate")
    yield commands(facts)
    yield from _work(facts)
    yield from _rules(facts)
    yield "## Dónde seguir leyendo"
    yield "`README.md` tiene las prácticas; cada fichero de `labs/` dice al principio qué muestra y cómo se ejecuta."
    yield "`docs/students.md` dice qué hay aquí y quién puede leer qué; `docs/money.md`, cómo se cuenta el dinero."
    if facts.instructors:
        yield f"Pregunta a {', '.join(facts.instructors)}."


def _work(facts: Facts) -> Iterator[str]:
    if facts.labs:
        yield "## Prácticas"
        rows = [(each.lab, str(each.due or "sin fecha"), str(each.runs)) for each in facts.labs]
        yield table(("práctica", "último día", "ejecuciones previstas"), rows)
        yield f"El último día acaba a medianoche, {facts.time_zone}. Cuenta cuándo terminó la ejecución."
    if facts.hours:
        yield f"Clase: {', '.join(map(_in_spanish, facts.hours))}, {facts.time_zone}."
    if facts.shared:
        yield "Lo que deja un trabajo vuelve a `runs/` de la carpeta desde la que lo envías."
    elif facts.bucket:
        runs, scratch = (f"`s3://{facts.bucket}/{each}/{facts.student}/`" for each in (RUNS, SCRATCH))
        yield f"Tus ejecuciones se guardan en {runs} y, durante unos días, lo que es solo temporal en {scratch}."


def _rules(facts: Facts) -> Iterator[str]:
    yield "## Dinero"
    spend = f"Puedes gastar {facts.usd} USD en todas las prácticas."
    plan = f"`clusterlab plan {facts.first_lab}` dice cuánto puede costar una práctica antes de lanzarla"
    refused = "un lanzamiento que el presupuesto no cubre se rechaza. Lo que una ejecución no usa vuelve a estar libre."
    yield f"{'Nadie ha fijado tu presupuesto.' if facts.usd is None else spend} {plan}; {refused}"
    if facts.shared:
        return
    yield "## Plazos de las máquinas"
    ends = "Después se para y se elimina, haga lo que haga; solo un profesor lo alarga."
    yield f"Una máquina tiene un plazo de {facts.lease_hours} horas. {ends} Sin nada que hacer, se elimina antes."
    yield "Lanzada otra vez, una práctica sigue desde lo último que guardó. Al acabar: `sky status`, `sky down NOMBRE`."


def _in_spanish(hours: str) -> str:
    """`tue 10:00-12:00` with the day's name in Spanish."""
    day, space, rest = hours.partition(" ")
    return f"{DAYS.get(day, day)}{space}{rest}"
