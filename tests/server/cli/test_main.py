import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from retrieval.errors import (
    Forbidden,
    InvalidInput,
    ModelUnavailable,
    NotFound,
    PalateError,
    StoreError,
)
from server.cli import main as cli
from server.cli.console import GlobalOptions, options_from, settings_from

HEAVY = (
    "bm25s", "chromadb", "flask", "implicit", "jieba", "langchain", "numpy", "openai", "PIL",
    "pyarrow", "scipy", "sentence_transformers", "sqlalchemy", "torch", "transformers", "vllm",
)  # fmt: skip


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Let the whole command line consist of one command that raises."""

    def install(error: BaseException) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise error

        monkeypatch.setattr(cli, "app", fail)

    return install


@pytest.mark.parametrize("kind", [InvalidInput, NotFound, Forbidden, StoreError, ModelUnavailable])
def test_an_error_is_one_line_a_hint_and_its_exit_code(
    failing, capsys: pytest.CaptureFixture[str], kind: type[PalateError]
) -> None:
    failing(kind("user 'a[b]' is [bold]odd[/bold]", "write another"))
    assert cli.main([]) == kind.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: user 'a[b]' is [bold]odd[/bold]\nhint: write another\n"


def test_ctrl_c_is_130(failing, capsys: pytest.CaptureFixture[str]) -> None:
    failing(KeyboardInterrupt())
    assert cli.main([]) == 130
    assert capsys.readouterr().err == ""


def test_the_unexpected_goes_to_a_file_and_not_to_the_screen(
    failing,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PALATE_STORE_HOME", str(tmp_path))
    monkeypatch.setattr(cli, "_crash_home", [])
    failing(ZeroDivisionError("at the heart of it"))
    assert cli.main([]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "ZeroDivisionError" in err
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in err
    assert "at the heart of it" in log.read_text(encoding="utf-8")


def test_a_crash_makes_no_home(
    failing, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_STORE_HOME", str(tmp_path / "no" / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(cli, "_crash_home", [])
    failing(RuntimeError())
    assert cli.main([]) == 1
    assert not (tmp_path / "no").exists()
    assert list(tmp_path.glob("palate-error-*.log"))
    assert "palate-error-" in capsys.readouterr().err


def test_unknown_commands_and_flags_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recomend"]) == 2
    assert "recommend" in capsys.readouterr().err
    assert cli.main(["serve", "--prot", "1"]) == 2
    assert "--port" in capsys.readouterr().err


def test_version_and_help_and_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "palate 0.1.0\n"
    assert cli.main(["--help"]) == 0
    assert "Examples" in capsys.readouterr().out
    assert cli.main([]) == 2


def every_command() -> list[list[str]]:
    group = typer.main.get_command(cli.app)
    found: list[list[str]] = []

    def walk(command: object, path: list[str]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found.append(path)
            return
        for name, child in inner.items():
            walk(child, [*path, name])

    walk(group, [])
    return found


def test_all_commands_are_attached() -> None:
    names = {path[0] for path in every_command()}
    assert names == {
        "convert", "eval", "fit", "ingest", "llm", "openapi", "profiles", "prompts", "recommend",
        "requests", "rules", "serve",
    }  # fmt: skip


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_the_help_of_every_command_carries_an_example(path: list[str]) -> None:
    result = CliRunner().invoke(cli.app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "palate" in result.output.partition("Example")[2]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, server.cli.main as cli\n"
        "assert cli.main(['--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"


def test_settings_follow_the_flags_and_not_given_means_not_set(tmp_path: Path) -> None:
    seen = {}
    app = typer.Typer()

    @app.command()
    def look(ctx: typer.Context) -> None:
        ctx.obj = GlobalOptions(home=tmp_path)
        seen["options"] = options_from(ctx)
        seen["settings"] = settings_from(ctx, {"server": {"port": 9, "host": None}})

    assert CliRunner().invoke(app, []).exit_code == 0
    assert seen["options"].home == tmp_path
    assert seen["settings"].store.home == tmp_path
    assert seen["settings"].server.port == 9
    assert seen["settings"].server.host == "127.0.0.1"
