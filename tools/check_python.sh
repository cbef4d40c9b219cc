#!/usr/bin/env bash
# The Python wheel as a user gets it: built, installed into a fresh environment, tested from there.
# Profile, features (crates/python/Cargo.toml) and target folder are those of the tests: only the extension module is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
environment=target/ci-python
rm -rf "$environment" target/ci-wheels
"$python" -m venv "$environment"
pip=("$environment/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install 'maturin>=1.9,<2' pytest mypy scikit-learn tensorboard pandas onnxruntime nbclient ipykernel

"$environment/bin/maturin" build --profile dev --out target/ci-wheels
"${pip[@]}" install target/ci-wheels/emobox-*.whl

# From elsewhere, so that the installed package is tested and not the source folder.
root=$PWD
cd target
../"$environment/bin/python" -m pytest -q -ra -p no:cacheprovider --rootdir "$root" -c "$root/pyproject.toml" "$root/python/tests"
../"$environment/bin/mypy" --config-file "$root/pyproject.toml" "$root/python/emobox"
../"$environment/bin/stubtest" --mypy-config-file "$root/pyproject.toml" emobox
