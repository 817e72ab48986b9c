"""``palate requests``: what was kept of requests, and how to forget it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from server.cli.console import out, settings_from

app = typer.Typer(
    help="Requests that were kept for evaluation: count them, forget them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command(epilog="Example: `palate requests count`")
def count(ctx: typer.Context) -> None:
    """Say how many requests are kept, of how many users, and since when."""
    from agent.stores import open_stores

    settings = settings_from(ctx)
    with open_stores(settings) as stores:
        requests = 0
        oldest: datetime | None = None
        users: set[str] = set()
        for request in stores.request_log.requests():
            requests += 1
            oldest = oldest or request.at
            if request.user_id is not None:
                users.add(request.user_id)
    since = f", since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    out.print(f"{requests} requests of {len(users)} users{since}")
    if not settings.log.requests:
        out.print("No new ones are kept: log.requests is false.")


@app.command(epilog="Example: `palate requests erase U12`")
def erase(
    ctx: typer.Context, user_id: Annotated[str, typer.Argument(help="Whose requests go.")]
) -> None:
    """Forget every kept request of a user, whether under the id or a pseudonym."""
    from agent.erasure import erase_requests
    from agent.stores import open_stores

    with open_stores(settings_from(ctx)) as stores:
        gone = erase_requests(stores, user_id)
    out.print(f"requests forgotten: {gone}")


@app.command(epilog="Examples: `palate requests prune`, `palate requests prune --days 0`")
def prune(
    ctx: typer.Context,
    days: Annotated[
        float | None, typer.Option(min=0, help="Older ones go; default: log.keep_days.")
    ] = None,
) -> None:
    """Forget what is older than the settings allow; a running service does so every hour."""
    from agent.stores import open_stores

    settings = settings_from(ctx)
    kept = settings.log.keep_days if days is None else days
    with open_stores(settings) as stores:
        gone = stores.request_log.prune(datetime.now(UTC) - timedelta(days=kept))
    out.print(f"requests forgotten: {gone}")
