#!/usr/bin/env bash
# Opens report pages in headless Chromium and fails where one does not work: a message on the console, a request
# to anywhere, a table that does not sort, a chart that is missing its tools.
#
#   tools/check_report.sh [FILE.html ...]      without files: the sample pages of crates/report
#
# SCREENSHOTS=DIR keeps a picture of each page at desktop and at phone width, in light and dark.
# CHROMIUM=PROGRAM names the browser. Without a browser the check says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$browser" ]; then
  echo "skipped: no chromium to open the report with" >&2
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pages=("$@")
if [ ${#pages[@]} -eq 0 ]; then
  cargo run --quiet -p emobox-report --example sample -- "$work/sample"
  pages=("$work/sample/report.html" "$work/sample/published.html" "$work/sample/leaderboard.html")
fi

# open ARGUMENT... PAGE: one fresh profile a call, no sandbox inside containers, no name resolution.
open_page() {
  local profile
  profile=$(mktemp -d "$work/profile.XXXXXX")
  timeout -k 5 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
    --host-resolver-rules="MAP * ~NOTFOUND" --user-data-dir="$profile" --hide-scrollbars "$@" </dev/null
}

failed=0
for page in "${pages[@]}"; do
  name=$(basename "$page" .html)
  # The page with a probe behind it, which presses a heading of each table and looks at what happens.
  cat "$page" - >"$work/$name.probe.html" <<'PROBE'
<script>
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = () => [...table.tBodies[0].rows];
  if (rows().length < 2) continue;
  const name = table.caption.textContent;
  const headings = [...table.tHead.rows[0].cells];
  const column = headings.findIndex((_, i) => rows().some((row) => row.cells[i].dataset.sort !== undefined));
  const button = headings[Math.max(column, 0)].querySelector("button");
  if (!button) { console.error("no button to sort by in: " + name); continue; }
  const before = rows().length;
  button.focus();
  const shown = !table.closest("details:not([open])");
  if (shown && document.activeElement !== button) console.error("a heading takes no focus in: " + name);
  for (const order of ["descending", "ascending"]) {
    if (column < 0) break;
    button.click();
    if (headings[column].getAttribute("aria-sort") !== order) console.error("aria-sort is not " + order + " in: " + name);
    const values = rows().map((row) => row.cells[column].dataset.sort).filter((v) => v !== undefined).map(Number);
    const sorted = [...values].sort((a, b) => (order === "ascending" ? a - b : b - a));
    if (String(values) !== String(sorted)) console.error("rows are not " + order + " in: " + name);
  }
  if (rows().length !== before) console.error("rows were lost in: " + name);
}
const figures = document.querySelectorAll("figure");
for (const figure of figures) {
  const svg = figure.querySelector("svg.chart[role=img] > title");
  if (!svg || !svg.textContent) console.error("a chart without a title: " + figure.id);
  if (figure.querySelectorAll(".tools button").length !== 2) console.error("a chart without tools: " + figure.id);
}
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
if (new Set(ids).size !== ids.length) console.error("an id stands twice");
if (document.documentElement.scrollWidth > window.innerWidth) {
  const wide = [...document.body.querySelectorAll("*")].filter((e) => !e.parentElement.closest(".scroll, nav"));
  const worst = wide.sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0];
  console.error("the page is wider than its window: " + worst.outerHTML.slice(0, 120));
}
document.documentElement.dataset.probed = figures.length;
</script>
PROBE
  for width in 1400 390; do
    log="$work/$name.$width.log"
    open_page --enable-logging=stderr --window-size=$width,1000 --dump-dom "file://$work/$name.probe.html" \
      >"$work/$name.$width.html" 2>"$log" || { echo "$name at $width px: the browser failed" >&2; failed=1; }
    if grep -E 'CONSOLE|net::ERR' "$log" >&2; then
      echo "$name at $width px: see the messages above" >&2
      failed=1
    fi
    if ! grep -q 'data-probed=' "$work/$name.$width.html"; then
      echo "$name at $width px: the probe did not run to its end" >&2
      failed=1
    fi
  done
  charts=$(grep -o 'data-probed="[0-9]*"' "$work/$name.1400.html" | head -1 | tr -dc 0-9)
  echo "$name: $charts charts, opened at 1400 and 390 px"
  if [ -n "${SCREENSHOTS:-}" ]; then
    mkdir -p "$SCREENSHOTS"
    pictures=$(cd "$SCREENSHOTS" && pwd)
    page_path=$(cd "$(dirname "$page")" && pwd)/$(basename "$page")
    open_page --window-size=1400,7000 --screenshot="$pictures/$name-desktop.png" "file://$page_path" 2>/dev/null
    open_page --window-size=390,9000 --screenshot="$pictures/$name-phone.png" "file://$page_path" 2>/dev/null
    open_page --window-size=1400,7000 --blink-settings=preferredColorScheme=0 \
      --screenshot="$pictures/$name-dark.png" "file://$page_path" 2>/dev/null
  fi
done
exit $failed
