"""``palate eval from-log|online|off-policy``: what the logged requests of a home say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.settings import Settings
    from eval.online.log import Exposure

_EXIT = "Exit codes: 0 done, 2 bad input, 3 no such home or experiment, 5 the store failed"

Home = Annotated[
    Path | None, typer.Option(help="Folder that `palate serve` uses; default: as in the settings.")
]
Config = Annotated[Path | None, typer.Option(help="Settings file.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help="Interactions that count as taken; default: click, cart, purchase, like."
    ),
]


def register(app: typer.Typer) -> None:
    """Attach the commands."""
    app.command(
        epilog="Examples: `palate eval from-log --home palate-home --out questions.jsonl`, "
        f"`palate eval from-log --out bought.jsonl --kind purchase`. {_EXIT}.",
    )(from_log)
    app.command(
        epilog="Examples: `palate eval online --home palate-home`, "
        f"`palate eval online --experiment new-prompt --kind purchase`. {_EXIT}.",
    )(online)
    app.command(
        epilog="Examples: `palate eval off-policy --weight 0` (without the language model), "
        "`palate eval off-policy --weight 1.0 --max-rise 5 --depth 3`, "
        f'`palate eval off-policy --run runs/ID --system "v2|qwen|0"`. {_EXIT}.',
    )(off_policy)


def from_log(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="JSONL file of questions to write.")],
    home: Home = None,
    config: Config = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only requests of this experiment.")
    ] = None,
    kind: Kinds = None,
) -> None:
    """Make logged requests into questions: what the user took afterwards was to be found."""
    from eval.online.questions import to_questions
    from eval.online.tables import console
    from eval.question import write_questions
    from retrieval.errors import InvalidInput

    if not out.absolute().parent.is_dir():
        raise InvalidInput(f"--out {out}: its folder does not exist", "make it first")
    exposures = _read(_settings(ctx, home, config), experiment, kind)
    made = to_questions(exposures)
    why = "; ".join(f"{count} {reason}" for reason, count in made.left_out.items())
    if not made.questions:
        raise InvalidInput(
            f"none of {len(exposures)} logged requests became a question"
            + (f": {why}" if why else ""),
            "requests are kept with log.requests = true; see docs/online.md",
        )
    write_questions(out, made.questions)
    said = console()
    said.print(f"{len(made.questions)} questions in {out}", markup=False)
    if why:
        said.print(f"left out: {why}", markup=False)


def online(
    ctx: typer.Context,
    home: Home = None,
    config: Config = None,
    experiment: Annotated[str | None, typer.Option(help="Default: every one in the log.")] = None,
    kind: Kinds = None,
) -> None:
    """Say which arm of an A/B or interleaving experiment users take more from."""
    from eval.online import ab, interleaving
    from eval.online.tables import console, print_ab, print_interleaved, totals

    exposures = _read(_settings(ctx, home, config), experiment, kind)
    out = console()
    out.print(totals(exposures))
    names = sorted({one.request.experiment for one in exposures if one.request.experiment})
    if not names:
        out.print("No experiment in the log. docs/online.md says how to start one.")
    for name in names:
        of_name = [one for one in exposures if one.request.experiment == name]
        if any(one.request.design == "ab" for one in of_name):
            print_ab(out, name, ab.analyse(of_name))
        if any(one.request.design == "interleave" for one in of_name):
            print_interleaved(out, name, interleaving.analyse(of_name))


def off_policy(
    ctx: typer.Context,
    home: Home = None,
    config: Config = None,
    weight: Annotated[
        float | None,
        typer.Option(min=0, help="Rank by S + WEIGHT x the logged judgement; 0 = S alone."),
    ] = None,
    max_rise: Annotated[
        int | None, typer.Option(min=0, help="Guard of --weight; default: rerank.max_rise.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of an evaluation run.")] = None,
    system: Annotated[str | None, typer.Option(help="System of --run.")] = None,
    depth: Annotated[int, typer.Option(min=1, help="Places from the top that count.")] = 1,
    clip: Annotated[float, typer.Option(min=1, help="Weights are cut here.")] = 100.0,
    experiment: Annotated[
        str | None, typer.Option(help="Only requests of this experiment.")
    ] = None,
    kind: Kinds = None,
) -> None:
    """Estimate from logged requests what another ranking would have earned.

    Without --weight and --run: the ranking that answered, had nothing been shuffled.
    """
    from eval.online.off_policy import estimate, usable
    from eval.online.tables import console, print_estimates
    from eval.online.targets import as_logged, from_run, reweighted
    from retrieval.errors import InvalidInput

    if (run is None) != (system is None) or (run is not None and weight is not None):
        raise InvalidInput(
            "which ranking is meant is not clear", "give --weight, or --run and --system, or none"
        )
    settings = _settings(ctx, home, config)
    exposures = _read(settings, experiment, kind)
    if run is not None and system is not None:
        name, target = f"{system} of {run}", from_run(run, system)
    elif weight is not None:
        rise = settings.rerank.max_rise if max_rise is None else max_rise
        name = f"S + {weight:g} x judgement, at most {rise} places up" if weight else "S alone"
        target = reweighted(usable(exposures), weight=weight, max_rise=rise)
    else:
        name, target = "as ranked, nothing shuffled", as_logged(exposures)
    print_estimates(console(), name, depth, estimate(exposures, target, depth=depth, clip=clip))


def _settings(ctx: typer.Context, home: Path | None, config: Path | None) -> Settings:
    """The command's own flags, else those before ``eval``."""
    from agent.settings import read_settings

    before = ctx.find_root().params
    home = home or before.get("home")
    overrides = {"store": {"home": home}} if home is not None else None
    return read_settings(config or before.get("config"), overrides=overrides)


def _read(
    settings: Settings, experiment: str | None, kinds: Sequence[str] | None
) -> list[Exposure]:
    from typing import get_args

    from eval.online.log import TAKEN, read_log
    from retrieval.errors import InvalidInput, NotFound
    from retrieval.types import InteractionKind

    known = get_args(InteractionKind)
    for kind in kinds or ():
        if kind not in known:
            raise InvalidInput(f"--kind {kind!r}", f"the kinds are {', '.join(known)}")
    found = read_log(settings, experiment=experiment, kinds=tuple(kinds or TAKEN))
    if experiment is not None and not found:
        names = {one.request.experiment for one in read_log(settings)} - {""}
        raise NotFound(
            f"no logged request of experiment {experiment!r}",
            f"the log has {', '.join(sorted(names)) or 'none'}",
        )
    return found
