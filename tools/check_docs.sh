#!/usr/bin/env bash
# Builds the documentation as a site into target/site and fails where a page is in no menu or a link leads nowhere.
# That the commands in it run is crates/cli/tests/it/documents.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=target/ci-site
[ -x "$environment/bin/mkdocs" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check -r docs/requirements.txt
"$environment/bin/mkdocs" build --quiet --strict
echo "the site: $(find target/site -name '*.html' | wc -l) pages in target/site"
