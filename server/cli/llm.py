"""``palate llm``: prepare, serve, list and probe language models."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agent.progress import ConsoleProgress
from retrieval.errors import InvalidInput, ModelUnavailable
from server.cli.console import out, settings_from

if TYPE_CHECKING:
    from agent.models.registry import ModelEntry
    from agent.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Prepare, serve, list and probe language models.")

Name = Annotated[
    str, typer.Argument(help="Name in the registry, or auto: what suits this machine.")
]
Port = Annotated[int | None, typer.Option(help="Port on 127.0.0.1; otherwise llm.port.")]


@app.command("list", epilog="Example: `palate llm list`")
def list_models(ctx: typer.Context) -> None:
    """Every model that Palate knows by name, and whether it is ready here."""
    from agent.models.prepare import prepared_path
    from agent.models.registry import load_registry

    settings = settings_from(ctx)
    table = Table(box=None)
    for column in ("name", "role", "tier", "licence", "languages", "size", "ready"):
        table.add_column(column, no_wrap=True)
    for entry in load_registry().values():
        ready = prepared_path(entry, settings.llm.cache_dir) is not None
        size = f"{entry.bytes / 1e6:,.0f} MB"
        languages = " ".join(entry.languages)
        table.add_row(
            entry.name,
            entry.role,
            entry.tier,
            entry.licence,
            languages,
            size,
            "yes" if ready else "no",
        )
    out.print(table)


@app.command(
    "prepare",
    epilog="Examples: `palate llm prepare`, `palate llm prepare smollm2-135m-instruct`",
)
def prepare_model(
    ctx: typer.Context,
    name: Name = "auto",
    file: Annotated[
        Path | None, typer.Option(help="Weights that you have already; the digest decides.")
    ] = None,
) -> None:
    """Fetch, verify and convert a model; does nothing when it is ready. Can be interrupted."""
    from agent.models.prepare import prepare

    settings = settings_from(ctx)
    with ConsoleProgress() as progress:
        entry = _entry(name, settings, progress)
        path = prepare(entry, settings.llm.cache_dir, progress, given=file)
    out.print(f"{entry.name} is ready in {path}", markup=False)


@app.command("serve", epilog="Example: `palate llm serve smollm2-135m-instruct --port 8199`")
def serve_model(ctx: typer.Context, name: Name = "auto", port: Port = None) -> None:
    """Serve a prepared model with vLLM until Ctrl-C or SIGTERM."""
    from agent.models.prepare import prepared_path
    from agent.models.serve import start_server

    settings = settings_from(ctx, {"llm": {"port": port}})
    llm = settings.llm
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with ConsoleProgress() as progress:
        entry = _entry(name, settings, progress)
        if entry.role != "llm":
            raise InvalidInput(f"{entry.name} is no language model", "see palate llm list")
        folder = prepared_path(entry, llm.cache_dir)
        if folder is None:
            raise ModelUnavailable(
                f"{entry.name} is not prepared", f"run: palate llm prepare {entry.name}"
            )
        server = start_server(
            entry,
            folder,
            port=llm.port,
            context_tokens=llm.context_tokens,
            log_path=llm.cache_dir / "logs" / f"vllm-{llm.port}.log",
            progress=progress,
        )
    try:
        with server:
            out.print(
                f"{entry.name} answers at {server.base_url} (log: {server.log_path})", markup=False
            )
            out.print("Ctrl-C stops it")
            code = server.wait()
    except KeyboardInterrupt:
        out.print("stopped")
        return
    raise ModelUnavailable(
        f"the model server ended by itself (exit code {code})", f"its log is {server.log_path}"
    )


@app.command("probe", epilog="Example: `palate llm probe --url http://127.0.0.1:8199/v1`")
def probe_model(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(help="OpenAI-compatible URL ending in /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Served name; otherwise the first.")] = None,
) -> None:
    """Check that a server can do what Palate needs: constrained answers, label probabilities."""
    from agent.models.probe import probe
    from agent.models.running import language_model
    from agent.vllm import OpenAICompatibleModel

    settings = settings_from(ctx, {"llm": {"base_url": url, "model": model}})
    with ConsoleProgress() as progress, language_model(settings, progress) as found:
        if found is None:
            raise InvalidInput("llm.model is none: there is nothing to probe", "give --url")
        if not isinstance(found, OpenAICompatibleModel):
            raise InvalidInput("the scripted model needs no probe", "give --url")
        report = probe(found)
    odds = report.labels["yes"] - report.labels["no"]
    out.print(
        f"ok: {found.info.model_id} takes constraints as {report.dialect}; "
        f"'is ice cold' has log-odds {odds:+.2f}; {report.seconds:.1f} s",
        markup=False,
    )


def _entry(name: str, settings: Settings, progress: ConsoleProgress) -> ModelEntry:
    """The registry's entry; ``auto`` follows the settings, which may say ``auto`` too."""
    from agent.models.registry import find_model
    from agent.models.running import choose_model

    if name != "auto":
        return find_model(name)
    if settings.llm.model in ("none", "scripted") or settings.llm.base_url:
        raise InvalidInput(
            "the settings use no model of the registry", "name one, such as: palate llm list"
        )
    return choose_model(settings.llm, progress)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
