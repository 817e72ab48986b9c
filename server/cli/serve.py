"""``palate serve``: the HTTP service."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Annotated

import typer

from agent.progress import ConsoleProgress
from server.cli.console import out, settings_from


def register(app: typer.Typer) -> None:
    """Attach the command."""
    app.command(
        epilog=(
            "Examples: `palate serve`, `palate serve --port 9000 --no-llm`, "
            "`PALATE_SERVER_API_KEYS=secret palate serve --host 0.0.0.0`"
        )
    )(serve)
    app.command(epilog="Example: `palate openapi > openapi.json`")(openapi)


def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; beyond this machine needs keys.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    threads: Annotated[int | None, typer.Option(help="Requests answered at once.")] = None,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Without a language model: fused scores stand.")
    ] = False,
) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM."""
    # Only what this command needs, and only when it runs: --help stays fast.
    from server.auth import require_closed_door
    from server.listen import bound_socket, serve_until_stopped, sigterm_as_exit, url_of

    settings = settings_from(
        ctx,
        {
            "server": {"host": host, "port": port, "threads": threads},
            "llm": {"model": "none" if no_llm else None},
        },
    )
    require_closed_door(settings.server)
    with ExitStack() as running:
        running.enter_context(sigterm_as_exit())
        bound = running.enter_context(bound_socket(settings.server.host, settings.server.port))
        # The heavy part, once nothing cheap can go wrong any more.
        from agent.build import build_recommender
        from agent.models.late import LateModel, late_language_model
        from server.app import create_app

        with ConsoleProgress() as progress:
            model = running.enter_context(late_language_model(settings, progress))
            progress.start("loading the catalogue and fitting the sources", None)
            recommender = build_recommender(settings, model=model)
            running.enter_context(closing(recommender))
        app = create_app(settings, recommender=recommender)
        out.print(f"Palate answers at {url_of(bound)} (stop with Ctrl-C)")
        if isinstance(model, LateModel) and not model.ready:
            out.print("The language model is starting; until it joins the fused score ranks.")
        serve_until_stopped(app, bound, settings.server)
    out.print("Stopped.")


def openapi() -> None:
    """Print the OpenAPI document of the service, e.g. for a client generator."""
    from server.app import openapi_document

    out.print_json(data=openapi_document(), sort_keys=True)
