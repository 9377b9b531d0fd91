"""``bci features``: what tells the classes apart, for people to judge."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from bci.cli import options, output
from bci.errors import SettingsError
from bci.features.analysis import Analysis, AnalysisSettings, Described, analyse
from bci.features.comparison import Comparison
from bci.features.comparison import compare as put_beside
from bci.features.erds import ErdsSettings
from bci.features.library import Library, document, load_analysis
from bci.features.page import PAGE, write_page
from bci.features.selection import SelectionSettings
from bci.features.settings import ConnectivitySettings
from bci.features.tables import chance_lines, training_line

__all__ = ["command"]


def command(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Workspace: the analysis goes to its derivatives/rolandic-features."
        ),
    ],
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="REC...",
            help="Recordings: any file that MNE reads, or XDF. Each is one run.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Of the analysis.")] = "analysis",
    event: options.EventOption = None,
    classes: options.ClassesOption = None,
    band: options.BandOption = (2.0, 45.0),
    window: options.WindowOption = (0.5, 3.5),
    channels: options.ChannelsOption = None,
    reject: options.RejectOption = False,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    montage: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Where the electrodes are: a montage of MNE's, such as biosemi64, or a file. "
            "Default: where the stream, or the standard head, has their names.",
        ),
    ] = "",
    spatial: Annotated[
        str,
        typer.Option(
            metavar="auto|none|average|small-laplacian|large-laplacian",
            help="Spatial filter before the spectra; auto: small-laplacian where the electrodes' "
            "places are known.",
        ),
    ] = "auto",
    freqs: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH", help="Frequencies (Hz); default: 4 40, or what --band holds of it."
        ),
    ] = None,
    freq_step: Annotated[
        float, typer.Option(metavar="HZ", help="From one frequency to the next.")
    ] = 1.0,
    spectrum: Annotated[
        str, typer.Option(metavar="burg|welch|multitaper", help="How power is estimated.")
    ] = "burg",
    order: Annotated[
        str,
        typer.Option(metavar="N|aic|bic", help="Order of Burg's models, or how it is chosen."),
    ] = "16",
    segment: Annotated[
        float, typer.Option(metavar="S", help="Length of Welch's segments, of connectivity too.")
    ] = ConnectivitySettings().segment_s,
    measure: Annotated[
        str,
        typer.Option(
            metavar="MEASURE",
            help="Connectivity: coherence, imaginary, abs_imaginary, wpli, plv, ciplv, or none.",
        ),
    ] = ConnectivitySettings().measure,
    partners: Annotated[
        str | None,
        typer.Option(metavar="C3,C4,...", help="Channels that node strength counts. Default: all."),
    ] = None,
    test: Annotated[
        str, typer.Option(metavar="wilcoxon|t", help="Test of each channel and frequency.")
    ] = "wilcoxon",
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Test clusters by permutation, too.")
    ] = False,
    erds: Annotated[
        str | None,
        typer.Option(
            metavar="C3,C4,...|none",
            help="Channels whose ERD/ERS is mapped. Default: C3, Cz and C4, or the first three.",
        ),
    ] = None,
    baseline: Annotated[
        tuple[float, float],
        typer.Option(metavar="START STOP", help="What ERD/ERS is relative to, from the cue (s)."),
    ] = ErdsSettings().baseline_s,
    n_features: Annotated[
        int, typer.Option(metavar="N", help="How many features are suggested, of each kind.")
    ] = SelectionSettings().n_features,
    width: Annotated[
        float, typer.Option(metavar="HZ", help="Width of the bands that are suggested.")
    ] = SelectionSettings().width_hz,
    suggest_channels: Annotated[
        str | None,
        typer.Option(metavar="C3,C4,...", help="Channels that may be suggested. Default: all."),
    ] = None,
    suggest_band: Annotated[
        tuple[float, float],
        typer.Option(metavar="LOW HIGH", help="Where suggested bands may lie (Hz)."),
    ] = (SelectionSettings().fmin_hz, SelectionSettings().fmax_hz),
    distance: Annotated[
        float,
        typer.Option(metavar="CM", help="No two suggested channels are nearer than this."),
    ] = 0.0,
    redundancy: Annotated[
        bool,
        typer.Option(
            "--redundancy/--no-redundancy",
            help="Rather suggest what is not like features suggested before it.",
        ),
    ] = True,
    prior: Annotated[
        bool, typer.Option("--prior/--no-prior", help="Prefer sensorimotor channels.")
    ] = True,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="C4;13:16",
            help="A feature to look at, suggested or not: channel, semicolon, band; before it fc "
            "for connectivity. Repeat it.",
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER", help="Put it beside another analysis: its folder, name or hash."
        ),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Draw what it shows.")
    ] = True,
    heads: Annotated[
        bool,
        typer.Option(
            "--heads/--no-heads", help="Draw maps of the head; they need the electrodes' places."
        ),
    ] = True,
    listed: Annotated[
        bool, typer.Option("--list", help="List the analyses of the workspace, and do no more.")
    ] = False,
    seed: options.SeedOption = 0,
    json: options.JsonOption = False,
) -> None:
    """Show what tells the classes apart: spectra, connectivity, contrast, suggested features.

    An analysis is kept with its parameters, arrays, tables and pictures; another one with some
    parameters changed computes only what hangs on them.

    Example: bci features R04.edf R08.edf R12.edf --event T1=left_hand --event T2=right_hand
    --out study --feature "C4;10:13"
    """
    if out.exists() and not out.is_dir():
        raise SettingsError(f"--out {out} is no folder: name one")
    library = Library(out)
    if listed:
        _list(library, json=json)
        return
    if not recordings:
        raise SettingsError("no recording was given: name at least one file, or --list")
    other = load_analysis(library.find(compare)) if compare is not None else None
    opened = options.open_recordings(recordings, unit=unit, labels=labels, stream=stream)
    output.show_recording_warnings(opened)
    epochs = options.epoch_settings(
        opened,
        classes=classes,
        event=event,
        band=band,
        window=window,
        length=None,
        step=None,
        channels=channels,
        reject=reject,
    )
    settings = AnalysisSettings.make(
        name=name,
        epochs=epochs,
        montage=montage,
        spatial=spatial,
        spectrum=_spectrum(spectrum, order, segment, freqs, freq_step, band),
        connectivity=None if measure == "none" else {"measure": measure, "segment_s": segment},
        partners=options.split_names(partners),
        test=test,
        clusters=cluster,
        erds=None if erds == "none" else {"baseline_s": baseline},
        erds_channels=() if erds == "none" else options.split_names(erds),
        selection={
            "n_features": n_features,
            "width_hz": width,
            "channels": options.split_names(suggest_channels) or (),
            "fmin_hz": suggest_band[0],
            "fmax_hz": suggest_band[1],
            "min_distance_m": distance / 100,
            "redundancy": redundancy,
            "prior": prior,
        },
        features=tuple(feature or ()),
        seed=seed,
    )
    with output.progress_bar("analysing") as progress:
        analysis = analyse(opened, settings, library.cache, progress)
    output.show_left_out(analysis.left_out)
    output.show_warnings(analysis.notes)
    beside = None if other is None else put_beside(analysis, other)
    with output.progress_bar("writing") as progress:
        place = library.write(
            analysis,
            lambda folder: write_page(
                analysis, folder, beside, figures=figures, heads=heads, progress=progress
            ),
        )

    if json:
        said = {"folder": str(place), **document(analysis)}
        said["computed"] = list(analysis.computed)
        if beside is not None:
            said["comparison"] = beside.as_dict()
        output.print_json(said)
    else:
        _print(analysis, place)
        if beside is not None:
            _print_comparison(beside)


def _spectrum(
    method: str,
    order: str,
    segment: float,
    freqs: tuple[float, float] | None,
    step_hz: float,
    band: tuple[float, float],
) -> dict[str, Any]:
    low, high = freqs or (max(4.0, band[0]), min(40.0, band[1]))
    if order not in ("aic", "bic") and not order.isdecimal():
        raise SettingsError(f"--order {order}: give a whole number, aic or bic")
    return {
        "method": method,
        "order": int(order) if order.isdecimal() else order,
        "fmin_hz": low,
        "fmax_hz": high,
        "step_hz": step_hz,
        "segment_s": segment,
    }


def _list(library: Library, *, json: bool) -> None:
    entries = library.entries()
    if json:
        output.print_json(
            {
                "folder": str(library.folder),
                "analyses": [
                    {
                        "folder": str(entry.path),
                        "name": entry.name,
                        "content": entry.content,
                        "created": entry.created,
                        "recordings": list(entry.recordings),
                        "n_trials": entry.n_trials,
                    }
                    for entry in entries
                ],
            }
        )
        return
    console = output.results_console()
    if not entries:
        console.print(f"No analysis in {library.folder} yet.", soft_wrap=True)
        return
    table = Table("analysis", "made", "recordings", "trials", box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in entries:
        runs = entry.recordings
        named = runs[0] if len(runs) == 1 else f"{runs[0]} to {runs[-1]} ({len(runs)})"
        trials = ", ".join(f"{n} {name}" for name, n in entry.n_trials.items())
        table.add_row(entry.path.name, entry.created[:16], named, trials)
    console.print(table)


def _print(analysis: Analysis, place: Path) -> None:
    console = output.results_console()
    trials = ", ".join(f"{n} trials of {name}" for name, n in analysis.n_trials.items())
    runs = ", ".join(source.name for source in analysis.recordings)
    order = f", order {analysis.order}" if analysis.order else ""
    console.print(
        f"{trials} ({runs}); {len(analysis.channels)} channels, spatial filter "
        f"{analysis.spatial}, {analysis.settings.spectrum.method} spectra{order}",
        soft_wrap=True,
    )
    console.print(_table("suggested", analysis.suggestions))
    if analysis.features:
        console.print(_table("asked for", analysis.features))
    for line in (*chance_lines(analysis), training_line(analysis)):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"{place / PAGE}", soft_wrap=True)


def _table(title: str, described: Sequence[Described]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for column in ("R2", "d", "p", "stability"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in described:
        table.add_row(*item.cells())
    return table


def _print_comparison(beside: Comparison) -> None:
    console = output.results_console()
    console.print(
        f"Beside {beside.second.label}: their R2 maps of power correlate by "
        f"{beside.correlation:.2f} over {len(beside.channels)} channels that both have.",
        soft_wrap=True,
    )
    table = Table("differs", beside.first.label, beside.second.label, box=box.SIMPLE_HEAD)
    for name, values in beside.differences.items():
        table.add_row(name, *map(str, values))
    first, second = (
        ", ".join(item.name for item in analysis.suggestions)
        for analysis in (beside.first, beside.second)
    )
    table.add_row("suggested", first, second)
    console.print(table)
