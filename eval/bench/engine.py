"""How fast a model server is, bare: the limit that everything above it is compared with.

python -m eval.bench.engine --url http://127.0.0.1:8199/v1 --model smollm2-135m-instruct
"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

_PREFIX = "The customer likes quiet grinders, dislikes plastic. " * 40
_ITEM = "a steel coffee grinder with forty settings, quiet motor, price 99, black"


def _complete(
    client: httpx.Client, model: str, prompts: list[str], max_tokens: int, **more: Any
) -> tuple[dict[str, int], float]:
    started = time.perf_counter()
    answer = client.post(
        "completions",
        json={
            "model": model,
            "prompt": prompts,
            "max_tokens": max_tokens,
            "temperature": 0,
            **more,
        },
    )
    answer.raise_for_status()
    usage: dict[str, int] = answer.json()["usage"]
    return usage, time.perf_counter() - started


def main(
    url: Annotated[str, typer.Option(help="OpenAI-compatible URL ending in /v1.")],
    model: Annotated[str, typer.Option(help="Served name.")],
    prompts: Annotated[int, typer.Option(help="Prompts that share one prefix.")] = 20,
) -> None:
    """Pointwise scores, prefill and decoding per second of a bare server."""
    table = Table(title=f"{model} at {url}")
    for column in ("what", "rate", "seconds"):
        table.add_column(column, justify="right" if column != "what" else "left")
    run = str(time.time_ns())
    with httpx.Client(base_url=url.rstrip("/") + "/", timeout=900) as client:
        shared = [f"{run} {_PREFIX}\nItem {i}: {_ITEM}. Buy it? Answer:" for i in range(prompts)]
        _complete(client, model, shared[:1], 1)
        usage, seconds = _complete(client, model, shared, 1, logprobs=5)
        table.add_row(
            "pointwise scores/s, shared prefix", f"{prompts / seconds:.2f}", f"{seconds:.1f}"
        )
        usage, seconds = _complete(client, model, [f"{i} {run} {_PREFIX}" for i in range(4)], 1)
        table.add_row("prefill tok/s", f"{usage['prompt_tokens'] / seconds:.0f}", f"{seconds:.1f}")
        for width in (1, 16, 32):
            story = [f"{run} {i} Write a long story about a fox." for i in range(width)]
            usage, seconds = _complete(client, model, story, 64, ignore_eos=True)
            rate = usage["completion_tokens"] / seconds
            table.add_row(f"decode tok/s x{width}", f"{rate:.1f}", f"{seconds:.1f}")
    Console(file=sys.stdout).print(table)


if __name__ == "__main__":
    typer.run(main)
