import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

DOCS = Path(__file__).parents[2] / "docs"
SNAPSHOT = DOCS / "openapi.json"
OWN_ROUTES = {"/", "/assets/palate.css", "/assets/palate.js"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    return client.get("/openapi/openapi.json").get_json()


def test_the_snapshot_in_docs_is_what_is_served(document: dict[str, Any]) -> None:
    written = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert document == written, "run: palate openapi > docs/openapi.json"


def test_it_is_openapi_3_1_with_title_and_version(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "Palate"
    assert document["info"]["version"]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_route_of_the_app_is_described(app: Flask, document: dict[str, Any]) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule not in OWN_ROUTES and not rule.rule.startswith("/openapi")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (path, method) for path, methods in document["paths"].items() for method in methods
    }
    assert described == served
    assert len(described) == 11


def test_every_operation_is_whole(document: dict[str, Any]) -> None:
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["tags"], path
            assert "200" in operation["responses"], path
            assert ("requestBody" in operation) == (method == "post"), path
            for response in operation["responses"].values():
                assert response["description"], path
            named = set(re.findall(r"{(\w+)}", path))
            given = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == given, path
            if path.startswith("/v1"):
                assert operation["security"] == [{"key": []}], path
                for status in ("400", "401", "500"):
                    schema = operation["responses"][status]["content"]["application/json"]
                    assert schema["schema"]["$ref"].endswith("/ErrorEnvelope"), path
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_schema_is_valid(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/v1/recommend", "post", {}),
        ("/v1/items", "post", [{}]),
        ("/v1/chat/completions", "post", {"messages": [{"role": "user", "content": "x"}]}),
        ("/v1/models", "get", None),
        ("/readyz", "get", None),
    ],
)
def test_answers_are_as_described(
    client: FlaskClient, document: dict[str, Any], path: str, method: str, body: Any
) -> None:
    answer = client.open(path, method=method.upper(), json=body)
    described = document["paths"][path][method]["responses"]["200"]
    schema = described["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(answer.get_json())


def test_the_guide_shows_every_route_with_an_example(document: dict[str, Any]) -> None:
    guide = (DOCS / "http.md").read_text(encoding="utf-8")
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in guide, f"docs/http.md lacks {method} {path}"
        stem = path.partition("{")[0]
        assert re.search(rf"curl [^\n]*{re.escape(stem)}", guide), f"no curl example for {path}"
