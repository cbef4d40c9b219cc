#!/usr/bin/env bash
# Opens report pages in headless Chromium and fails where one does not work: a message on the console, a request
# to anywhere, a table that does not sort, a chart that is missing its tools, a chart that is not drawn when its cell is
# chosen, a page wider than its window, a page that takes more than USABLE_MS (2000) milliseconds until it can be used.
#
#   tools/check_report.sh [FILE.html ...]      without files: the sample pages of crates/report
#
# SCREENSHOTS=DIR keeps a picture of each page at desktop and at phone width, in light and dark, HEIGHT pixels high.
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
  cargo build --quiet --workspace --example sample
  target/debug/examples/sample "$work/sample"
  pages=("$work/sample/report.html" "$work/sample/published.html" "$work/sample/leaderboard.html" "$work/sample/large.html")
fi
usable_ms=${USABLE_MS:-2000}

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
  const column = headings.findIndex((_, i) => rows().some((row) => cellAt(row, i).dataset.sort !== undefined));
  const button = headings[Math.max(column, 0)].querySelector("button");
  if (!button) { console.error("no button to sort by in: " + name); continue; }
  const before = rows().length;
  button.focus();
  // A phone shows the first box as lines, without headings.
  if (button.checkVisibility() && document.activeElement !== button) console.error("a heading takes no focus in: " + name);
  for (const order of ["descending", "ascending"]) {
    if (column < 0) break;
    button.click();
    if (headings[column].getAttribute("aria-sort") !== order) console.error("aria-sort is not " + order + " in: " + name);
    const values = rows().map((row) => cellAt(row, column).dataset.sort).filter((v) => v !== undefined).map(Number);
    const sorted = [...values].sort((a, b) => (order === "ascending" ? a - b : b - a));
    if (String(values) !== String(sorted)) console.error("rows are not " + order + " in: " + name);
  }
  if (rows().length !== before) console.error("rows were lost in: " + name);
}
// The charts of single cells: the first, then the last of each corpus's list.
for (const place of document.querySelectorAll(".cells")) {
  const kind = place.dataset.draw;
  place.dispatchEvent(new Event("show"));
  const [corpus, encoder] = place.querySelectorAll("select");
  const figure = place.querySelector("figure");
  const caption = () => figure.querySelector("figcaption").firstChild.textContent;
  const first = caption();
  for (const select of [corpus, encoder]) {
    select.value = [...select.options].pop().value;
    select.dispatchEvent(new Event("change"));
  }
  const several = corpus.options.length * encoder.options.length > 1;
  if (several && caption() === first) console.error("the same chart for another cell: " + kind);
  if (!caption().startsWith(corpus.value)) console.error("the wrong chart: " + caption());
  if (kind === "errors") {
    const [button] = figure.querySelectorAll("button.play");
    const player = figure.querySelector("audio");
    if (!button || !player) console.error("errors that cannot be heard");
    HTMLMediaElement.prototype.play = async () => {};
    button?.click();
    const known = player.src.startsWith("file:///") || player.src.startsWith("data:");
    if (!known || player.src.includes(" ")) console.error("an error plays from " + player.src);
    if (!figure.querySelector("output").textContent.includes("taken for")) console.error("what is played is not said");
    const headings = figure.querySelectorAll("th button");
    headings[4]?.click();
    if (!figure.querySelector("th[aria-sort]")) console.error("errors that do not sort");
    player.removeAttribute("src");
    player.load();
  }
  const canvas = figure.querySelector("canvas");
  if (!canvas) continue;
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  if (!figure.querySelector("output").textContent.startsWith("point 1 of ")) console.error("the arrow keys pick no point");
  for (const button of figure.querySelectorAll(".legend button")) button.click();
  const context = canvas.getContext("2d");
  const colours = new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer));
  if (colours.size < 5) console.error("an empty map: " + caption());
  if (!canvas.getAttribute("aria-label")) console.error("a map without a text");
}
const figures = document.querySelectorAll("figure");
for (const figure of figures) {
  if (figure.querySelector("table.confusion, table.errors, canvas")) continue;
  const svg = figure.querySelector("svg.chart[role=img] > title");
  if (figure.querySelectorAll(".tools").length > 1) console.error("tools twice: " + figure.id);
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
    open_page --enable-logging=stderr --window-size=$width,1000 --dump-dom "file://$work/$name.probe.html" \
      >"$work/$name.$width.html" 2>"$work/$name.$width.log" || touch "$work/$name.$width.failed" &
  done
  wait
  for width in 1400 390; do
    log="$work/$name.$width.log"
    if [ -e "$work/$name.$width.failed" ]; then
      echo "$name at $width px: the browser failed" >&2
      failed=1
    fi
    if grep -E 'CONSOLE|net::ERR' "$log" >&2; then
      echo "$name at $width px: see the messages above" >&2
      failed=1
    fi
    if ! grep -q 'data-probed=' "$work/$name.$width.html"; then
      echo "$name at $width px: the probe did not run to its end" >&2
      failed=1
    fi
  done
  charts=$(grep -o 'data-probed="[0-9]*"' "$work/$name.1400.html" | sed -n 1p | tr -dc 0-9)
  # Of the page as it is, without the probe; the middle of three, as the machine has other work too.
  times=()
  for try in 1 2 3; do
    open_page --window-size=1400,1000 --dump-dom "file://$(cd "$(dirname "$page")" && pwd)/$(basename "$page")" \
      >"$work/$name.timed.html" 2>/dev/null
    times+=("$(grep -o '<html[^>]*data-usable="[0-9]*"' "$work/$name.timed.html" | tr -dc 0-9)")
  done
  usable=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 2p)
  if [ "${usable:-999999}" -gt "$usable_ms" ]; then
    echo "$name: usable only after $usable ms, more than $usable_ms" >&2
    failed=1
  fi
  echo "$name: $(stat -c %s "$page") bytes, $charts charts, opened at 1400 and 390 px, usable after $usable ms (of ${times[*]})"
  if [ -n "${SCREENSHOTS:-}" ]; then
    mkdir -p "$SCREENSHOTS"
    pictures=$(cd "$SCREENSHOTS" && pwd)
    page_path=$(cd "$(dirname "$page")" && pwd)/$(basename "$page")
    open_page --window-size=1400,${HEIGHT:-9000} --screenshot="$pictures/$name-desktop.png" "file://$page_path" 2>/dev/null
    open_page --window-size=390,${HEIGHT:-12000} --screenshot="$pictures/$name-phone.png" "file://$page_path" 2>/dev/null
    open_page --window-size=1400,${HEIGHT:-9000} --blink-settings=preferredColorScheme=0 \
      --screenshot="$pictures/$name-dark.png" "file://$page_path" 2>/dev/null
    open_page --window-size=390,${HEIGHT:-12000} --blink-settings=preferredColorScheme=0 \
      --screenshot="$pictures/$name-phone-dark.png" "file://$page_path" 2>/dev/null
  fi
done
exit $failed
