"""``bci evaluate``: how well decoders do on trials that they have not seen."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from bci.cli import options, output
from bci.cli.adaptation import PROTOCOL as ADAPTATION
from bci.cli.adaptation import Asked, chosen_arms, compare_arms
from bci.cli.evaluated import as_document, print_tables, say_failures
from bci.cli.evaluated_files import write_files
from bci.cli.subjects import Reader, gather
from bci.decoders.recentering import TAU_S, check_time_constant
from bci.errors import InputError, SettingsError
from bci.evaluation import PROTOCOLS, EvaluationTable, Protocol
from bci.evaluation.cells import Grid, Subject, WholeRuns, evaluate_cells
from bci.evaluation.jobs import Pool, Serial
from bci.evaluation.store import claim_folder

__all__ = ["command"]


def command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[REC...|FOLDER...]",
            help="Recordings of one person, each a run; or folders, each a person (one that holds "
            "folders sub-* stands for these).",
        ),
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Decoder; repeat it to compare. Default: ts-lr."),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=REC,REC", help="A person's recordings; repeat it. * works."),
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Of folders, only files called so; repeat it."),
    ] = None,
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
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            metavar="|".join([*PROTOCOLS, ADAPTATION]),
            help="Trials shuffled into folds; each recording, or session, tested by the others; "
            "online runs by calibration. Repeat it. Default: within. online-adaptation, by itself: "
            "trained on the first session, arms that keep learning go through the later ones.",
        ),
    ] = None,
    sessions: Annotated[
        str | None,
        typer.Option(
            metavar="A,A,B",
            help="Session of each recording (or calibration, online); default: its name says it.",
        ),
    ] = None,
    pseudo_online: Annotated[
        bool,
        typer.Option(
            "--pseudo-online",
            help="Decode the test runs whole, as online, rest between trials and all.",
        ),
    ] = False,
    idle: Annotated[
        str,
        typer.Option(
            metavar="class|threshold|NAME",
            help="With --pseudo-online: idle is a class trained on rest, or what no class passes "
            "the threshold of, or the cued class NAME (class takes one called idle or rest).",
        ),
    ] = "class",
    recenter: options.RecenterOption = None,
    folds: options.FoldsOption = 5,
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Shuffle into folds so often, with other seeds.")
    ] = 1,
    permutations: Annotated[
        int, typer.Option(metavar="N", help="Permutations of the labels for a p-value.")
    ] = 0,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Say how many trials are enough, too: within, with fewer and fewer to learn from.",
        ),
    ] = False,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With online-adaptation: how a decoder keeps learning, such as recenter, pseudo, "
            "reward+recenter, supervised, retrained; repeat it. Default: these and more.",
        ),
    ] = None,
    flip: Annotated[
        list[float] | None,
        typer.Option(metavar="PERCENT", help="Rewards that are false; repeat it. Default: 0."),
    ] = None,
    delay: Annotated[
        list[int] | None,
        typer.Option(metavar="TRIALS", help="Trials until a reward comes; repeat it. Default: 0."),
    ] = None,
    loss: Annotated[float, typer.Option(metavar="PERCENT", help="Rewards that never come.")] = 0.0,
    arm_seeds: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Times that arms with chance in them are run."),
    ] = 20,
    retrain: Annotated[
        int, typer.Option(metavar="TRIALS", help="Trials of a session that 'retrained' takes.")
    ] = 20,
    guard: Annotated[
        bool,
        typer.Option(
            "--guard",
            help="With online-adaptation: each arm once more under the guard that online takes it "
            "back when the trained decoder does better.",
        ),
    ] = False,
    param: options.ParamOption = None,
    seed: options.SeedOption = 0,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, max=61, help="Processes on this machine.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            help="Dask scheduler whose workers compute; they are sent the signals.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where tables go (CSV, HTML), and what is finished: the same command goes on.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Let this evaluation replace another in FOLDER.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Cross-validate decoders on recordings.

    Trials are split, never the windows of one; filters are causal, and all that a decoder
    estimates it estimates within the fold. Intervals are 95 %.

    Example: bci evaluate R04.edf R08.edf R12.edf --decoder ts-lr --decoder csp-lda
    --event T1=left_hand --event T2=right_hand --band 7 35 --window 0.5 3.5

    Does learning on help: bci evaluate day1.xdf day2.xdf --protocol online-adaptation
    --sessions 1,2 --flip 0 --flip 20 --out results

    Many people: bci evaluate study/ --match '*task-mi*' --protocol cross-session --jobs 8
    --out results
    """
    if permutations < 0:
        raise SettingsError(f"--permutations {permutations}: give 0 or more, such as 1000")
    if learning_curve and pseudo_online:
        raise SettingsError("--learning-curve is of cued trials: leave out --pseudo-online")
    if idle != "class" and not pseudo_online:
        raise SettingsError(f"--idle {idle}: cued trials have no idle; add --pseudo-online")
    adapting = ADAPTATION in (protocol or [])
    if adapting:
        _check_adapting(protocol or [], pseudo_online, learning_curve, permutations, repeats)
    elif arm or flip or delay or loss or guard:
        raise SettingsError(
            f"--arm, --flip, --delay, --loss and --guard: add --protocol {ADAPTATION}"
        )
    if recenter is not None:
        check_time_constant(recenter)
        if not (pseudo_online or adapting):
            raise SettingsError(
                f"--recenter {recenter:g} follows a run as it goes, and cued trials apart have "
                "none: add --pseudo-online"
            )
    if scheduler and jobs > 1:
        raise SettingsError(f"--jobs {jobs} and --scheduler {scheduler}: give one of them")
    protocols = (
        []
        if adapting
        else _protocols(protocol or [], sessions, folds, seed, pseudo_online=pseudo_online)
    )
    names = tuple(dict.fromkeys(decoder or ("ts-lr",)))
    params = options.check_decoders(names, options.parse_params(param))
    people = gather(recordings or [], subject or [], match or [])
    if sessions and len(people) > 1:
        raise SettingsError(f"--sessions {sessions}: of {len(people)} people names must say them")

    readers = [
        Reader(
            name,
            paths,
            {"unit": unit, "labels": labels, "stream": stream},
            {
                "classes": classes,
                "event": event,
                "band": band,
                "window": window,
                "length": length,
                "step": step,
                "channels": channels,
                "reject": reject,
            },
        )
        for name, paths in people.items()
    ]
    if adapting:
        compare_arms(
            readers,
            names,
            params,
            Asked(
                chosen_arms(arm or (), names),
                tuple(dict.fromkeys(flip or (0.0,))),
                tuple(dict.fromkeys(delay or (0,))),
                loss,
                arm_seeds,
                retrain,
                options.split_names(sessions),
                TAU_S if recenter is None else recenter,
                seed,
                guard,
            ),
            pool=_pool(jobs, scheduler),
            out=out,
            overwrite=overwrite,
            json=json,
        )
        return
    asked = {
        "subjects": {name: [path.name for path in paths] for name, paths in people.items()},
        "reading": readers[0].reading,
        "settings": readers[0].cutting,
        "decoders": names,
        "params": {name: repr(value) for name, value in params.items()},
        "protocols": [p.model_dump(mode="json") for p in protocols],
        "pseudo_online": [pseudo_online, idle, recenter],
        "learning_curve": learning_curve,
        "repeats": repeats,
        "permutations": permutations,
    }
    if len(readers) == 1:  # what is wrong with the only person is said before anything is done
        readers[0].keep()
    output.compile_ahead()
    store = claim_folder(out, asked, overwrite=overwrite) if out else None
    done = all_ = 0
    pool = _pool(jobs, scheduler)
    try:
        with closing(pool), output.progress_bar("evaluating") as show:

            def progress(n: int, total: int) -> None:
                nonlocal done, all_
                done, all_ = n, total
                show(n, total)

            grid = evaluate_cells(
                [Subject(reader.name, reader.read) for reader in readers],
                dict.fromkeys(names, params),
                [_whole_runs(p, idle, recenter) if pseudo_online else p for p in protocols],
                permutations=permutations,
                repeats=repeats,
                learning=Protocol(folds=folds, seed=seed) if learning_curve else None,
                pool=pool,
                store=store,
                progress=progress,
            )
    except KeyboardInterrupt:
        output.show_warnings([_interrupted(done, all_, out)])
        raise
    for reader in readers if len(readers) > 1 else []:
        reader.warn()
    _fail_if_nothing(grid)
    table = EvaluationTable.of([(row.subject, row.evaluated) for row in grid.rows], seed=seed)
    standing = {reader.name: reader.standing for reader in readers if reader.standing}
    document = as_document(
        grid, table, protocols, seed, params, standing, [str(p) for p in recordings or []]
    )
    if out:
        write_files(out, grid, table, document)
    if json:
        output.print_json(document)
    else:
        print_tables(grid, table)
        if out:
            output.results_console().print(
                f"Tables: {out / 'table.html'}, table.csv", soft_wrap=True
            )
    if grid.failures:
        say_failures(grid.failures)
        raise typer.Exit(2 if all(failure.is_input for failure in grid.failures) else 1)


def _check_adapting(
    protocols: Sequence[str],
    pseudo_online: bool,
    learning_curve: bool,
    permutations: int,
    repeats: int,
) -> None:
    if len(set(protocols)) > 1:
        raise SettingsError(f"--protocol {ADAPTATION}: give it by itself, its table is another")
    for name, given in (
        ("--pseudo-online", pseudo_online),
        ("--learning-curve", learning_curve),
        ("--permutations", permutations),
        ("--repeats", repeats > 1),
    ):
        if given:
            raise SettingsError(f"--protocol {ADAPTATION} has no {name}: leave it out")


def _protocols(
    names: Sequence[str], sessions: str | None, folds: int, seed: int, *, pseudo_online: bool
) -> list[Protocol]:
    chosen = list(dict.fromkeys(names)) or ["leave-one-run-out" if pseudo_online else "within"]
    for name in chosen:
        if name not in PROTOCOLS:
            raise SettingsError(f"--protocol {name!r}: give one of {', '.join(PROTOCOLS)}")
    told = options.split_names(sessions)
    return [
        Protocol.make(
            name=name,
            folds=folds,
            seed=seed,
            sessions=told if name in ("cross-session", "calibration-online") else (),
        )
        for name in chosen
    ]


def _whole_runs(protocol: Protocol, idle: str, recenter_s: float | None) -> WholeRuns:
    if idle == "threshold":
        return WholeRuns(protocol, "threshold", recenter_s)
    return WholeRuns(protocol, "class", recenter_s, "" if idle == "class" else idle)


def _pool(jobs: int, scheduler: str | None) -> Pool:
    # Neither is needed by most calls: joblib's pool, and Dask, which takes a second to import.
    if scheduler:
        from bci.evaluation.cluster import Dask

        return Dask(scheduler)
    if jobs > 1:
        from bci.evaluation.processes import Processes

        return Processes(jobs)
    return Serial()


def _interrupted(done: int, total: int, out: Path | None) -> str:
    said = f"{done} of {total} cells were done"
    if out is None:
        return f"{said}, and none is kept: with --out FOLDER the same command would go on there"
    return f"{said} and are kept in {out}: the same command goes on from there"


def _fail_if_nothing(grid: Grid) -> None:
    """Where all failed, the first reason is the command's."""
    if grid.rows or not grid.failures:
        return
    first = grid.failures[0]
    if first.is_input:
        raise InputError(first.reason if len(grid.epochs) == 1 else str(first))
    raise RuntimeError(str(first))
