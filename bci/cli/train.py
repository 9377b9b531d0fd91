"""``bci train``: from recordings to a model file."""

from pathlib import Path
from typing import Annotated

import typer

from bci.cli import options, output
from bci.decoders import Model
from bci.decoders.adapt import reference_for, with_arm
from bci.errors import ModelError
from bci.evaluation import Score, train_model
from bci.online.teaching import check_arm
from bci.signal.epochs import LeftOut

__all__ = ["command"]


def command(
    recordings: options.RecordingsArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the model goes.")],
    decoder: Annotated[str, typer.Option(metavar="NAME", help="Decoder.")] = "acm-svm",
    classes: options.ClassesOption = None,
    event: options.EventOption = None,
    band: options.BandOption = (8.0, 32.0),
    window: options.WindowOption = (0.5, 3.5),
    length: options.LengthOption = None,
    step: options.StepOption = None,
    channels: options.ChannelsOption = None,
    reject: options.RejectOption = False,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    folds: options.FoldsOption = 5,
    cv: Annotated[
        bool, typer.Option("--cv/--no-cv", help="Cross-validate first; the scores go on the card.")
    ] = True,
    recenter: options.RecenterOption = None,
    adapt: options.AdaptOption = None,
    param: options.ParamOption = None,
    seed: options.SeedOption = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace FILE if it is there.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Train a decoder on recordings and write it as a model.

    The decoder is cross-validated over trials, then fitted on all of them.

    Example: bci train R04.edf R08.edf --decoder acm-svm --event T1=left_hand
    --event T2=right_hand --channels sensorimotor --out s001.bci
    """
    check_place(out, overwrite=overwrite)
    params = options.check_decoders((decoder,), options.parse_params(param))
    arm = adapt or ""
    check_arm(arm)
    recenter = recenter if recenter is not None else reference_for(arm, decoder)
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
        reject=reject,
    )
    output.compile_ahead()
    with output.progress_bar(f"training {decoder}") as progress:
        model = train_model(
            opened,
            settings,
            decoder,
            params,
            folds=folds,
            seed=seed,
            cv=cv,
            recenter_s=recenter,
            progress=progress,
        )
    if arm:
        model = with_arm(model, arm)
    output.show_left_out([LeftOut(**item) for item in model.card["left_out"]])
    model.save(out, overwrite=overwrite)
    if json:
        output.print_json(
            {
                "model": str(out),
                "decoder": decoder,
                "classes": list(model.classes),
                "channels": list(model.channels),
                "rate_hz": model.rate_hz,
                "settings": settings.model_dump(mode="json"),
                "recenter_s": recenter,
                "adapt": arm or None,
                **{key: model.card[key] for key in ("cv", "n_trials", "recordings", "left_out")},
            }
        )
    else:
        _print_summary(out, model)


def check_place(out: Path, *, overwrite: bool) -> None:
    """Check, before any work, that the model can be written.

    Raises
    ------
    ModelError
        When something is there that may not be replaced, or the folder is not.
    """
    if out.is_dir():
        raise ModelError(f"--out {out} is a folder: name a file in it")
    if out.exists() and not out.is_file():
        raise ModelError(f"--out {out} is no ordinary file and is not replaced: name another")
    if out.exists() and not overwrite:
        raise ModelError(f"--out {out} exists: give another name, or --overwrite to replace it")
    if not out.parent.is_dir():
        raise ModelError(f"--out {out}: there is no folder {out.parent}: make it first")


def _print_summary(out: Path, model: Model) -> None:
    console = output.results_console()
    n_trials = model.card["n_trials"]
    console.print(
        f"{out}: {model.decoder}, {len(model.channels)} channels at {model.rate_hz:g} Hz, "
        + ", ".join(f"{n} trials of {name}" for name, n in n_trials.items()),
        soft_wrap=True,
    )
    if model.recentering is not None:
        console.print(f"Recentres online, time constant {model.recentering.tau_s:g} s.")
    if model.card.get("adapt"):
        console.print(f"Goes on learning online: arm {model.card['adapt']['arm']}.")
    scores = model.card["cv"]
    if scores is None:
        console.print("Not cross-validated: how well it decodes is not known.")
        return
    parts = [f"accuracy {output.percent(Score(**scores['accuracy']))}"]
    if scores["roc_auc"]:
        parts.append(f"ROC-AUC {output.decimal(Score(**scores['roc_auc']))}")
    console.print(
        f"Cross-validated: {', '.join(parts)}; chance at 95 %: {100 * scores['chance_95']:.0f} %.",
        soft_wrap=True,
    )
    if not scores["above_chance"]:
        console.print("Not above chance: don't expect it to decode.")
