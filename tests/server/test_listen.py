import pytest

from retrieval.errors import InvalidInput
from server.listen import bound_socket, url_of
from server.routes.page import PAGES


def test_a_taken_port_is_one_clear_error() -> None:
    with bound_socket("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with (
            pytest.raises(InvalidInput, match=f"port {port} on 127.0.0.1 is in use") as caught,
            bound_socket("127.0.0.1", port),
        ):
            pass
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "x" * 300, "\u0000", "é" * 70])
def test_a_host_that_is_not_here_is_one_clear_error(host: str) -> None:
    with pytest.raises(InvalidInput, match="cannot listen"), bound_socket(host, 0):
        pass


def test_the_url_can_be_clicked_on_this_machine() -> None:
    with bound_socket("0.0.0.0", 0) as bound:
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}/"


def test_the_pages_are_where_the_server_looks() -> None:
    assert {path.name for path in PAGES.iterdir()} == {
        "index.html", "palate.css", "palate.js", "reference.html",
    }  # fmt: skip
