"""The verb `fit`.

clusterlab fit --model llama-2-7b --gpus 8 --accelerator A100-80GB
"""

from __future__ import annotations

from typing import Annotated

import typer

from clusterlab.errors import ClusterlabError
from clusterlab.fit.memory import Precision
from clusterlab.terminal import Infras, Json, print_json, terminal


def fit(
    model: Annotated[str, typer.Option(help="Shape of the model, such as llama-2-7b.")],
    accelerator: Annotated[str, typer.Option(help="By the catalog's name, such as A100-80GB.")],
    gpus: Annotated[int, typer.Option(help="How many of them, on one machine or several.")] = 1,
    seq_length: Annotated[int, typer.Option(min=1, help="Tokens of a sequence.")] = 4096,
    micro_batch_size: Annotated[int, typer.Option(min=1, help="Sequences of a micro-batch.")] = 1,
    micro_batches: Annotated[int, typer.Option(min=1, help="Micro-batches of a step, of each replica.")] = 8,
    precision: Annotated[Precision, typer.Option(help="In what numbers Adam trains.")] = Precision.MIXED,
    infra: Infras = None,
    json: Json = False,
) -> None:
    """Show which strategies fit a training on some GPUs, the cheapest first, by formula.

    Counts weights, gradients, optimizer states and activations. Looks at each kind of machine of the catalog, in the
    region where it costs least. Exits with 1 where nothing fits.
    """
    from clusterlab.catalog import Catalog
    from clusterlab.fit.plan import plan as plan_fit
    from clusterlab.fit.shapes import shape_of
    from clusterlab.fit.strategies import Training
    from clusterlab.fit.table import render
    from clusterlab.infra import Infra, within

    training = Training(
        shape=shape_of(model, path="--model"),
        seq_length=seq_length,
        micro_batch_size=micro_batch_size,
        micro_batches=micro_batches,
        precision=precision,
    )
    catalog = Catalog.load()
    if infra:
        catalog = within(catalog, [Infra.parse(each, path="--infra") for each in infra], path="--infra")
    planned = plan_fit(training, catalog, accelerator=accelerator, num_gpus=gpus)
    if json:
        print_json(planned.as_json())
    else:
        console = terminal()
        for part in render(planned):
            console.print(part)
    if not planned.fits:
        raise typer.Exit(ClusterlabError.exit_code)
