#!/usr/bin/env bash
# Make the environment of a lock, or bring it up to date. The Makefile and the images call this:
#   UV=uv PYTHON=python3 images/install.sh images/train.lock .venv/train [options of `uv pip sync`]
set -euo pipefail

lock=$1 environment=$2
shift 2
: "${UV:=uv}" "${PYTHON:=python3}"

[ -e "$environment/pyvenv.cfg" ] || "$UV" venv --quiet --python "$PYTHON" "$environment"

# uv takes the CPU build of torch from find-links where that is offered. There the CUDA libraries that the index's
# build asks for are left out: they are gigabytes that nothing would load.
drop='^$'
torch=$(grep -E '^torch==' "$lock" || true)
if [ -n "$torch" ]; then
  found=$("$UV" pip compile --quiet --no-deps --no-header --python "$PYTHON" - <<<"$torch")
  case $found in *+cpu*) drop='^(cuda|nvidia|triton)[-=]' ;; esac
fi
grep -vE "$drop" "$lock" >"$environment/requirements.txt"
"$UV" pip sync --quiet --python "$environment" "$@" "$environment/requirements.txt"

# The mark of a finished installation: an interpreter is there long before its packages are.
touch "$environment/installed"
