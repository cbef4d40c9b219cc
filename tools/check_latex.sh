#!/usr/bin/env bash
# Compiles the LaTeX that the program prints, and fails where pdflatex does. A developer's check: CI has no TeX.
#   apt-get install texlive-latex-base texlive-latex-recommended
#
#   tools/check_latex.sh [FILE.tex ...]      without files: the sample tables of crates/report, at full size
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v pdflatex >/dev/null; then
  echo "no pdflatex on this machine: apt-get install texlive-latex-base texlive-latex-recommended" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  cargo build --quiet --locked --workspace --example sample
  target/debug/examples/sample "$work/sample"
  files=("$work/sample/tables.tex" "$work/sample/large.tex")
fi
for file in "${files[@]}"; do
  if ! pdflatex -halt-on-error -interaction=nonstopmode -output-directory="$work" "$file" >"$work/log" 2>&1; then
    grep -A5 '^!' "$work/log" >&2
    echo "$file does not compile" >&2
    exit 1
  fi
  echo "$file: $(grep -o 'Output written.*' "$work/log" | sed 's/.*(//; s/)\.*//')"
done
