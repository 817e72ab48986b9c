import re

import pytest
from flask.testing import FlaskClient

OUTSIDE = re.compile(r"""(?:src|href|action|data-url)\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE)
LOADED = re.compile(r"""(?:src|href)\s*=\s*["']([^"'>]+)["']""")


@pytest.mark.parametrize("path", ["/", "/openapi/", "/openapi/scalar"])
def test_a_page_loads_nothing_from_another_host(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        text = response.get_data(as_text=True)
        policy = response.headers["Content-Security-Policy"]
    assert response.mimetype == "text/html"
    assert not OUTSIDE.search(text)
    assert "http://" not in text
    assert "https://" not in text
    # Whatever a script would still try, the browser refuses.
    for directive in policy.split(";"):
        _, *sources = directive.split()
        allowed = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
        assert set(sources) <= allowed
    assert policy.startswith("default-src 'self'")


@pytest.mark.parametrize("path", ["/", "/openapi/"])
def test_everything_that_a_page_names_is_served_here(client: FlaskClient, path: str) -> None:
    with client.get(path) as page:
        found = [at for at in LOADED.findall(page.get_data(as_text=True)) if at != "data:,"]
    assert len(found) >= 2
    for at in found:
        with client.get(at if at.startswith("/") else path + at) as response:
            assert response.status_code == 200, at


def test_scripts_and_styles_hold_no_address_of_another_host(client: FlaskClient) -> None:
    for name in ("palate.js", "palate.css"):
        with client.get(f"/assets/{name}") as response:
            text = response.get_data(as_text=True)
        assert "//" not in re.sub(r"^\s*//.*$|; //.*$", "", text, flags=re.MULTILINE)
        assert "innerHTML =" not in text


def test_the_landing_page_can_be_used_without_a_mouse_or_eyes(client: FlaskClient) -> None:
    with client.get("/") as response:
        text = response.get_data(as_text=True)
    assert '<html lang="en">' in text
    inputs = re.findall(r'<input id="(\w+)"', text)
    assert inputs
    for name in inputs:
        assert f'<label for="{name}"' in text
    assert 'role="status"' in text
    with client.get("/assets/palate.css") as response:
        assert "prefers-color-scheme: dark" in response.get_data(as_text=True)


@pytest.mark.parametrize("name", ["index.html", "..%2Fapp.py", "palate.py", ".."])
def test_only_the_pages_own_files_are_served(client: FlaskClient, envelope_of, name: str) -> None:
    envelope_of(client.get(f"/assets/{name}"), 404)
