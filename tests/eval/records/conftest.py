from pathlib import Path

import pytest

from tests.eval.example_run import write_example_run


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One example run for tests that only read."""
    return write_example_run(tmp_path_factory.mktemp("runs") / "20250102T030405000000-example")
