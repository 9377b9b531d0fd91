"""``bci evaluate``: how well decoders do on trials that they have not seen."""

from collections.abc import Sequence
from typing import Annotated, cast

import typer
from rich import box
from rich.table import Table

from bci.cli import options, output
from bci.errors import SettingsError
from bci.evaluation import Result, Scheme, evaluate
from bci.signal.epochs import Epochs, cut_epochs

__all__ = ["command"]


def command(
    recordings: options.RecordingsArgument,
    decoder: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Decoder; repeat it to compare. Default: ts-lr."),
    ] = None,
    classes: options.ClassesOption = None,
    event: options.EventOption = None,
    band: options.BandOption = (8.0, 32.0),
    window: options.WindowOption = (0.5, 3.5),
    length: options.LengthOption = None,
    step: options.StepOption = None,
    channels: options.ChannelsOption = None,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    folds: options.FoldsOption = 5,
    scheme: Annotated[
        str,
        typer.Option(
            metavar="within|leave-one-run-out",
            help="Trials shuffled into folds, or each recording tested by the others.",
        ),
    ] = "within",
    permutations: Annotated[
        int, typer.Option(metavar="N", help="Permutations of the labels for a p-value.")
    ] = 0,
    param: options.ParamOption = None,
    seed: options.SeedOption = 0,
    json: options.JsonOption = False,
) -> None:
    """Cross-validate decoders on recordings.

    Trials are split, never the windows of one; filters are causal, and all that a decoder
    estimates it estimates within the fold. Intervals are 95 %.

    Example: bci evaluate R04.edf R08.edf R12.edf --decoder ts-lr --decoder csp-lda
    --event T1=left_hand --event T2=right_hand --band 7 35 --window 0.5 3.5
    """
    if scheme not in ("within", "leave-one-run-out"):
        raise SettingsError(f"--scheme {scheme!r}: give within or leave-one-run-out")
    if permutations < 0:
        raise SettingsError(f"--permutations {permutations}: give 0 or more, such as 1000")
    names = tuple(dict.fromkeys(decoder or ("ts-lr",)))
    params = options.check_decoders(names, options.parse_params(param))

    opened = options.open_recordings(recordings, unit=unit, labels=labels, stream=stream)
    output.show_recording_warnings(opened)
    settings = options.epoch_settings(
        opened,
        classes=classes,
        event=event,
        band=band,
        window=window,
        length=length,
        step=step,
        channels=channels,
    )
    output.compile_ahead()
    epochs = cut_epochs(opened, settings)
    output.show_left_out(epochs.left_out)
    results = []
    for name in names:
        with output.progress_bar(f"evaluating {name}") as progress:
            result = evaluate(
                epochs,
                name,
                params,
                folds=folds,
                seed=seed,
                scheme=cast(Scheme, scheme),
                permutations=permutations,
                progress=progress,
            )
        results.append(result)

    if json:
        output.print_json(
            {
                "results": [result.as_dict() for result in results],
                "classes": list(epochs.classes),
                "channels": list(epochs.channels),
                "rate_hz": epochs.rate_hz,
                "settings": settings.model_dump(mode="json"),
                "scheme": scheme,
                "folds": int(results[0].folds.max()) + 1,
                "seed": seed,
                "params": params,
                "recordings": [str(path) for path in recordings],
                "left_out": [item._asdict() for item in epochs.left_out],
            }
        )
    else:
        _print_table(results, epochs)


def _print_table(results: Sequence[Result], epochs: Epochs) -> None:
    first = results[0]
    columns = ["accuracy", "kappa", *epochs.classes]
    if first.roc_auc:
        columns.insert(0, "ROC-AUC")
    if first.p_value is not None:
        columns.append("p")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("decoder", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        cells = [output.percent(result.accuracy), f"{result.kappa.mean:.2f}"]
        if result.roc_auc:
            cells.insert(0, output.decimal(result.roc_auc))
        cells += [
            output.percent(result.per_class[name]) if name in result.per_class else "-"
            for name in epochs.classes
        ]
        if result.p_value is not None:
            cells.append(f"{result.p_value:.3g}")
        table.add_row(result.decoder, *cells)
    console = output.results_console()
    runs = ", ".join(epochs.recordings)
    console.print(f"{first.n_trials} trials of {runs}; {len(epochs.channels)} channels")
    console.print(table)
    console.print(
        f"In brackets: 95 % intervals. Chance reaches an accuracy of {100 * first.chance_95:.0f} % "
        f"in at most one of twenty such sessions of {first.n_trials} trials."
    )
    for result in results:
        if not result.above_chance:
            console.print(f"{result.decoder}: not above chance.")
