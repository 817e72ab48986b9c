#!/usr/bin/env bash
# Makes .venv from the lock file. Needs Python >= 3.11 with venv, nothing else.
#
#   deploy/install.sh [VENV]        default .venv
#
# Traps handled here (docs/decisions/0001-environment.md has the why):
#   - torch must be the CPU build. Where pip's own configuration has a find-links folder
#     that holds it, uv is pointed there (uv does not read pip's configuration); anywhere
#     else uv's own knowledge of PyTorch's CPU index is used (--torch-backend cpu).
#   - torchvision, torchaudio and torchcodec from the package index do not load beside
#     torch+cpu: the lock file holds them under a marker that is never true.
#   - bytecode is compiled now: importing vLLM without it takes a minute more.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
lock=deploy/requirements.lock
stamp="$venv/.installed"
python=${PYTHON:-python3}

want=$(cat "$lock" pyproject.toml deploy/install.sh | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then exit 0; fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "install: $("$python" --version) is too old; set PYTHON to a Python 3.11 or newer" >&2; exit 2; }
echo "install: making $venv from $lock (about 4.8 GB; minutes on a first run)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==0.13.9"

torch=(--torch-backend cpu)
links=()
for folder in $("$venv/bin/python" -m pip config get global.find-links 2>/dev/null || true) ${PIP_FIND_LINKS:-}; do
  links+=(--find-links "$folder")
  if compgen -G "${folder#file://}/torch-*+cpu-*.whl" >/dev/null; then torch=(); fi
done
uv=("$venv/bin/uv" pip)
"${uv[@]}" install --python "$venv/bin/python" --compile-bytecode --no-deps \
  ${links[@]+"${links[@]}"} ${torch[@]+"${torch[@]}"} --requirements "$lock"
"${uv[@]}" install --python "$venv/bin/python" --quiet --no-deps --editable .
echo "$want" >"$stamp"
