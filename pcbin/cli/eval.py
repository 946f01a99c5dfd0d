"""`pcbin eval`: a model's reconstructions of clouds it never saw, measured beside the noise floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.reading import reading_options
from pcbin.errors import ExtraError, TrainingError

if TYPE_CHECKING:
    from pcbin.files import Options

SPLITS = ["train", "validation", "test", "all"]
split = click.option(
    "--split", type=click.Choice(SPLITS), default="test", show_default=True, help="By hash of the names."
)
only = click.option("--label", "only", multiple=True, help="Only clouds of this label; may be repeated.")
first = click.option("--first", type=int, help="Only this many clouds of each source.")
emd = click.option(
    "--emd", type=click.IntRange(0), default=24, show_default=True, help="Clouds of each source for EMD."
)
by_label = click.option("--by-label", is_flag=True, help="A line for every label as well.")
data = click.argument("data", nargs=-1, required=True, type=o.readable)


@o.verb(
    click.argument("model"), data, split, only, first, o.effort, o.bits, emd, by_label, o.jobs, o.engine,
    reading_options,
)  # fmt: skip
def command(
    model: str, data: tuple[str, ...], split: str, only: tuple[str, ...], first: int | None, by_label: bool,
    reading: Options, **options: Any,
) -> None:  # fmt: skip
    """Measure MODEL (a name or a file) on DATA, paths or URLs: CD, EMD, F-score and D1 PSNR, each beside the noise
    floor.

    CD is the mean form, both directions added; the sum form is 2,048 times that. Each cloud is held at 4,096 points:
    one random half is coded and compared with its decode, the other half gives the floor.
    """
    try:
        from pcbin.train.evaluate import evaluate, table
        from pcbin.train.pools import blocks
    except ImportError as error:
        raise ExtraError.of("train", error.name or "numba") from None
    from pcbin.codec import BATCH
    from pcbin.model import load as load_model
    from pcbin.pipeline.encode import Skipped

    skipped: list[Skipped] = []

    def tell(name: str, cause: str) -> None:
        skipped.append(Skipped(name, cause))

    sources = blocks(data, BATCH, only, reading, split=split, first=first, tell=tell)
    result = evaluate(load_model(model), sources, tell=tell, **options)
    if not result:
        raise TrainingError(f"no cloud of {', '.join(data)} is in the {split} split", remedy="use --split all")
    report.show(result, table(result, labels=by_label).splitlines())
    report.complain(skipped, "measured")
