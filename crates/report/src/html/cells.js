
// Charts of single cells. Their data wait as text until the part comes into view; then the cell that is chosen is drawn.
const DIGITS = new Map([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].map((c, i) => [c, i]));
const PACKED = 4095;
const COLOURS = 12;
const unpack = (text) => {
  const numbers = new Uint16Array(text.length / 2);
  for (let i = 0; i < numbers.length; i++) numbers[i] = DIGITS.get(text[2 * i]) * 64 + DIGITS.get(text[2 * i + 1]);
  return numbers;
};
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const SVG = document.querySelector("svg.chart")?.namespaceURI ?? new DOMParser().parseFromString("<svg/>", "text/html").querySelector("svg").namespaceURI;
const draw = (parent, name, attributes = {}, text = "") => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== "") element.textContent = text;
  parent.append(element);
  return element;
};
const chart = (id, width, height, title) => {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { class: "chart", role: "img", viewBox: `0 0 ${width} ${height}`, width, height, "aria-labelledby": id };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  svg.style.setProperty("--w", width + "px");
  draw(svg, "title", { id }, title);
  return svg;
};
const write = (svg, x, y, text, anchor = "start", kind = "") => draw(svg, "text", { x, y, "text-anchor": anchor, class: kind }, text);
const rule = (svg, x1, y1, x2, y2, kind) => draw(svg, "line", { x1, y1, x2, y2, class: kind });
const percent = (value) => (value === null ? "–" : (100 * value).toFixed(2));
const numbersTable = (headings, rows) => {
  const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((text, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, String(text)))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
};
const behind = (summary, content) => make("details", {}, make("summary", {}, summary), make("div", { class: "scroll" }, content));
const title = (cell) => [cell.c, cell.e + (cell.m ? ": " + cell.m : "")].join(", ");

// Rows are the reference; a table, because that is what it is.
const drawConfusion = (cell) => {
  const head = make("tr", {}, make("th", { scope: "col" }, "reference \\ predicted"));
  for (const name of cell.classes) head.append(make("th", { scope: "col" }, name));
  head.append(make("th", { scope: "col", class: "n" }, "n"));
  const body = make("tbody");
  cell.counts.forEach((row, i) => {
    const support = row.reduce((a, b) => a + b, 0);
    const line = make("tr", {}, make("th", { scope: "row" }, cell.classes[i] ?? "?"));
    row.forEach((count, j) => {
      const share = support ? count / support : 0;
      const box = make("td", { class: share > 0.58 ? "heat strong" : "heat", title: `${cell.classes[i]} taken for ${cell.classes[j]}: ${count} of ${support}` });
      box.textContent = count ? (100 * share).toFixed(0) : "";
      box.style.setProperty("--share", (100 * share).toFixed(1) + "%");
      line.append(box);
    });
    line.append(make("td", { class: "n" }, String(support)));
    body.append(line);
  });
  const table = make("table", { class: "confusion" }, make("thead", {}, head), body);
  return [make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title(cell) }, table)];
};

const drawCalibration = (cell, id) => {
  const [left, top, side] = [38, 10, 190];
  const svg = chart(id, left + side + 14, top + side + 38, title(cell));
  const x = (v) => left + v * side;
  const y = (v) => top + (1 - v) * side;
  for (const tick of [0, 0.5, 1]) {
    rule(svg, x(0), y(tick), x(1), y(tick), "grid");
    rule(svg, x(tick), y(0), x(tick), y(1), "grid");
    write(svg, left - 6, y(tick) + 4, 100 * tick, "end", "soft");
    write(svg, x(tick), top + side + 15, 100 * tick, "middle", "soft");
  }
  rule(svg, x(0), y(0), x(1), y(1), "chance");
  const path = cell.bins.map(([c, a], i) => `${i ? "L" : "M"}${x(c).toFixed(1)} ${y(a).toFixed(1)}`).join("");
  draw(svg, "path", { d: path, class: "l0" });
  const most = Math.max(1, ...cell.bins.map((bin) => bin[2]));
  for (const [confidence, accuracy, n] of cell.bins) {
    const dot = draw(svg, "circle", { cx: x(confidence), cy: y(accuracy), r: 1.5 + 5.5 * Math.sqrt(n / most), class: "dot f0" });
    draw(dot, "title", {}, `confidence ${percent(confidence)} %: ${percent(accuracy)} % right of ${n}`);
  }
  write(svg, x(1), top + side + 31, "confidence %", "end", "soft");
  draw(svg, "text", { transform: `translate(11 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle", class: "soft" }, "right %");
  const [loss, brier, error] = cell.scores;
  const note = `Share that is right against the probability of the predicted class; dashed: as it should be. Log-loss ${loss.toFixed(3)}, Brier score ${brier.toFixed(3)}, expected calibration error ${percent(error)} %.`;
  const rows = cell.bins.map(([c, a, n]) => [percent(c), percent(a), n]);
  return [make("div", { class: "scroll" }, svg), make("p", { class: "note" }, note), behind("Data", numbersTable(["confidence %", "right %", "n"], rows))];
};

const drawTraining = (cell, id) => {
  const [left, top, width, height, gap] = [40, 24, 235, 150, 52];
  const rows = [];
  const full = left + 2 * width + gap + 12;
  // The names in rows, each where the last left room.
  const legend = [];
  let [legendX, legendY] = [left, top + height + 52];
  for (const name of cell.names) {
    const size = 22 + 6.3 * name.length;
    if (legendX > left && legendX + size > full) [legendX, legendY] = [left, legendY + 18];
    legend.push([legendX, legendY]);
    legendX += size + 12;
  }
  const svg = chart(id, full, legendY + 12, title(cell));
  const across = (epoch) => (cell.epochs > 1 ? (epoch - 1) / (cell.epochs - 1) : 0.5) * width;
  const panel = (start, heading, ticks, label) => {
    write(svg, start, 14, heading, "start", "head");
    for (const tick of ticks) {
      const y = top + (1 - tick) * height;
      rule(svg, start, y, start + width, y, "grid");
      write(svg, start - 6, y + 4, label(tick), "end", "soft");
    }
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const epoch = Math.round(1 + share * (cell.epochs - 1));
      write(svg, start + across(epoch), top + height + 15, epoch, "middle", "soft");
    }
    rule(svg, start, top + height, start + width, top + height, "axis");
    write(svg, start + width, top + height + 30, "epoch", "end", "soft");
  };
  const right = left + width + gap;
  const quarters = [0, 0.25, 0.5, 0.75, 1];
  panel(left, "cross-entropy (validation dashed)", quarters, (tick) => (tick * cell.highest).toFixed(2));
  panel(right, "validation UA %", quarters, (tick) => (100 * tick).toFixed(0));
  const curve = (start, text, kind) => {
    let pen = "M";
    let path = "";
    unpack(text).forEach((value, i) => {
      if (value === PACKED) {
        pen = "M";
        return;
      }
      const x = start + across(1 + i * cell.every);
      path += `${pen}${x.toFixed(1)} ${(top + (1 - value / (PACKED - 1)) * height).toFixed(1)}`;
      pen = "L";
    });
    if (path) draw(svg, "path", { d: path, class: kind });
  };
  // The chosen points lie on top of the others.
  for (const chosen of [false, true]) {
    for (const [fold, points] of cell.folds) {
      for (const [name, epoch, ua, trainLoss, validLoss, validUa] of points) {
        if (chosen !== epoch > 0) continue;
        const kind = `l${name % COLOURS} ${chosen ? "bold" : "thin"}`;
        curve(left, trainLoss, kind);
        curve(left, validLoss, kind + " dash");
        curve(right, validUa, kind);
        rows.push([fold, cell.names[name], epoch || "–", ua === null ? "–" : (100 * ua).toFixed(1)]);
      }
    }
  }
  for (const [fold, points] of cell.folds) {
    for (const [name, epoch, ua] of points) {
      if (!epoch || ua === null) continue;
      const dot = draw(svg, "circle", { cx: right + across(epoch), cy: top + (1 - ua) * height, r: 4, class: `dot f${name % COLOURS}` });
      draw(dot, "title", {}, `fold ${fold}: ${cell.names[name]}, epoch ${epoch}`);
    }
  }
  legend.forEach(([x, y], i) => {
    draw(svg, "circle", { cx: x + 6, cy: y - 4, r: 5, class: `dot f${i % COLOURS}` });
    write(svg, x + 16, y, cell.names[i]);
  });
  const every = cell.every > 1 ? ` One epoch in ${cell.every} is drawn.` : "";
  const note = `Loss and validation accuracy over ${cell.epochs} epochs, folds: ${cell.folds.length}, sweep points: ${cell.names.length}.${every}`;
  rows.sort((a, b) => a[0] - b[0]);
  const table = numbersTable(["fold", "sweep point", "chosen epoch", "its validation UA %"], rows);
  return [make("div", { class: "scroll" }, svg), make("p", { class: "note" }, note), behind("Data", table)];
};

const drawMap = (cell) => {
  const SIDE = 460;
  const numbers = unpack(cell.points);
  const colourings = cell.groups ?? [];
  const stride = 4 + colourings.length;
  const count = numbers.length / stride;
  const groups = [["emotion", cell.labels, 2]];
  if (cell.speakers.length) groups.push(["speaker", cell.speakers, 3]);
  colourings.forEach(([by, list], i) => groups.push([by, list, 4 + i]));
  let [, names, slot] = groups[0];
  let highlighted = null;
  let picked = -1;
  const canvas = make("canvas", { class: "chart", tabindex: 0, role: "img" });
  const context = canvas.getContext("2d");
  const legend = make("ul", { class: "legend" });
  const said = make("output", { class: "note", "aria-live": "polite" });
  const choice = make("fieldset", { class: "choice" }, make("legend", {}, "colour by"));
  const place = (i) => [10 + (numbers[stride * i] / PACKED) * (SIDE - 20), 10 + (1 - numbers[stride * i + 1] / PACKED) * (SIDE - 20)];
  const paint = () => {
    const style = getComputedStyle(canvas);
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [SIDE * ratio, SIDE * ratio];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const colour = (name) => style.getPropertyValue(name).trim();
    const colours = Array.from({ length: COLOURS }, (_, i) => colour("--s" + i));
    context.strokeStyle = colour("--rule");
    context.strokeRect(0.5, 0.5, SIDE - 1, SIDE - 1);
    // A highlighted group lies on top of the others.
    for (const top of highlighted === null ? [true] : [false, true]) {
      for (let i = 0; i < count; i++) {
        const group = numbers[stride * i + slot];
        if (highlighted !== null && (group === highlighted) !== top) continue;
        const [x, y] = place(i);
        context.globalAlpha = top ? 0.9 : 0.15;
        context.fillStyle = group < names.length ? colours[group % COLOURS] : colour("--soft");
        context.beginPath();
        context.arc(x, y, 3.2, 0, 2 * Math.PI);
        context.fill();
      }
    }
    context.globalAlpha = 1;
    if (picked >= 0) {
      const [x, y] = place(picked);
      context.strokeStyle = colour("--ink");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      context.stroke();
    }
  };
  const say = () => {
    if (picked < 0) return (said.textContent = "Hover, or focus the map and press the arrow keys, to read single points.");
    const words = [cell.keys?.[picked], ...groups.map(([, list, index]) => list[numbers[stride * picked + index]])];
    said.textContent = `point ${picked + 1} of ${count}: ` + words.filter((word) => word !== undefined).join(", ");
  };
  const pick = (i) => {
    if (i === picked) return;
    picked = i;
    paint();
    say();
  };
  const showLegend = () => {
    const sizes = new Array(names.length).fill(0);
    for (let i = 0; i < count; i++) if (numbers[stride * i + slot] < names.length) sizes[numbers[stride * i + slot]]++;
    legend.replaceChildren();
    names.forEach((name, i) => {
      if (!sizes[i]) return;
      const button = make("button", { type: "button", "aria-pressed": "false" });
      button.append(make("span", { class: `swatch b${i % COLOURS}`, "aria-hidden": "true" }), name, make("small", {}, " " + sizes[i]));
      button.addEventListener("click", () => {
        highlighted = highlighted === i ? null : i;
        for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && highlighted === i));
        paint();
      });
      legend.append(make("li", {}, button));
    });
    const by = groups.find((group) => group[2] === slot)[0];
    canvas.setAttribute("aria-label", `${count} utterances of ${title(cell)} (${cell.note}), coloured by ${by}`);
  };
  for (const [by, list, index] of groups) {
    const radio = make("input", { type: "radio", name: "map-colour", value: by });
    radio.checked = index === slot;
    radio.addEventListener("change", () => {
      [names, slot, highlighted] = [list, index, null];
      showLegend();
      paint();
    });
    choice.append(make("label", {}, radio, by));
  }
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let [best, near] = [-1, 15 * 15];
    for (let i = 0; i < count; i++) {
      const [px, py] = place(i);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < near) [best, near] = [i, distance];
    }
    if (best >= 0) pick(best);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !count) return;
    event.preventDefault();
    pick((picked + step + count) % count);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => canvas.isConnected && paint());
  showLegend();
  say();
  const figure = make("div", { class: "map" }, canvas, make("div", {}, groups.length > 1 ? choice : "", legend));
  // Colours are known once the canvas stands on the page.
  queueMicrotask(paint);
  const note = make("p", { class: "note" }, `${count} utterances laid out by ${cell.m} of their features (${cell.note}); names of the groups can be pressed to bring them forward.`);
  return [figure, said, note];
};

// A row can be played: from inside the page where it holds the audio, else from where the file lies on this machine.
const embedded = new Map(JSON.parse(document.getElementById("embedded-audio")?.textContent ?? "[]").map(([corpus, key, address]) => [corpus + "\n" + key, address]));
const fileAddress = (path) => "file://" + (path.startsWith("/") ? "" : "/") + path.split("/").map((part) => encodeURIComponent(part).replace("%3A", ":")).join("/");
const drawErrors = (cell) => {
  const player = make("audio", { controls: "", preload: "none", "aria-label": "the utterance that was chosen" });
  const said = make("output", { class: "note", "aria-live": "polite" }, "Press ▶ in a row to hear it.");
  let path = "";
  player.addEventListener("error", () => {
    if (!player.getAttribute("src")) return;
    const away = location.protocol !== "file:" && !player.src.startsWith("data:");
    said.textContent = away
      ? `A page from a server cannot play files of this machine (${path}): open it from the disk, or make it with emobox report --html --embed-audio.`
      : `The browser cannot play ${path}: emobox report --html --embed-audio puts what every browser plays into the page.`;
  });
  const play = (row) => {
    const [key, corpusPath, part, , reference, predicted] = row;
    path = cell.root + "/" + corpusPath;
    const inside = embedded.get(cell.c + "\n" + key);
    player.src = inside ?? fileAddress(path) + (part ? `#t=${part[0]},${part[1]}` : "");
    said.textContent = `${key}: ${reference}, taken for ${predicted}`;
    player.play().catch(() => {});
  };
  const headings = ["", "utterance", "speaker", "reference", "predicted", "confidence %", "reference's %", "fold", "text"];
  const used = headings.map((_, i) => i < 2 || cell.rows.some((row) => row[i + 1] !== null));
  const numeric = (i) => i >= 5 && i <= 7;
  const head = make("tr", {}, ...headings.map((text, i) => make("th", { scope: "col", class: numeric(i) ? "n" : "" }, text || "hear")).filter((_, i) => used[i]));
  const body = make("tbody");
  for (const row of cell.rows) {
    const [key, corpusPath, , speaker, reference, predicted, confidence, share, fold, text] = row;
    const button = make("button", { type: "button", class: "play", "aria-label": "hear " + key }, "▶");
    button.disabled = corpusPath === null;
    button.addEventListener("click", () => play(row));
    const cells = [button, key, speaker, reference, predicted, confidence, share, fold, text].map((value, i) => {
      const shown = value === null ? "–" : (i === 5 || i === 6) ? value.toFixed(1) : value;
      const box = make(i === 1 ? "th" : "td", i === 1 ? { scope: "row" } : numeric(i) ? { class: "n" } : {}, shown);
      if (numeric(i) && value !== null) box.dataset.sort = value;
      return box;
    });
    body.append(make("tr", {}, ...cells.filter((_, i) => used[i])));
  }
  const some = cell.rows.length < cell.wrong ? ` The ${cell.rows.length} most confident are listed.` : "";
  const table = make("table", { class: "sortable errors" }, make("caption", {}, make("span", {}, `${cell.wrong} of ${cell.n} test utterances were taken for another class.${some}`)), make("thead", {}, head), body);
  const box = make("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "errors of " + title(cell) }, table);
  const place = make("div", { class: "hear" }, player, said, box);
  makeSortable(table);
  makeFilter(table);
  return [place];
};

const drawers = { errors: drawErrors, confusion: drawConfusion, calibration: drawCalibration, training: drawTraining, map: drawMap };
for (const place of document.querySelectorAll(".cells")) {
  const kind = place.dataset.draw;
  const choose = (name, label) => {
    const select = make("select", { id: `${kind}-${name}` });
    return [select, make("label", { for: select.id }, label, select)];
  };
  let started = false;
  const start = () => {
    if (started) return;
    started = true;
    const cells = JSON.parse(place.querySelector("script").textContent);
    const [corpus, corpusLabel] = choose("corpus", "corpus");
    const [encoder, encoderLabel] = choose("encoder", "encoder");
    const figure = make("figure", { id: "drawn-" + kind });
    const once = (list) => [...new Set(list)];
    const name = (cell) => cell.e + (cell.m && several ? ", " + cell.m : "");
    const several = once(cells.map((cell) => cell.m)).length > 1;
    const fill = (select, names) => {
      const before = select.value;
      select.replaceChildren(...names.map((text) => new Option(text, text)));
      if (names.includes(before)) select.value = before;
    };
    const show = () => {
      const cell = cells.find((one) => one.c === corpus.value && name(one) === encoder.value);
      const caption = make("figcaption", {}, title(cell));
      figure.replaceChildren(caption, ...drawers[kind](cell, `drawn-${kind}-title`));
      addTools(figure);
    };
    const choices = () => {
      fill(encoder, cells.filter((cell) => cell.c === corpus.value).map(name));
      show();
    };
    fill(corpus, once(cells.map((cell) => cell.c)));
    corpus.addEventListener("change", choices);
    encoder.addEventListener("change", show);
    place.append(make("div", { class: "choice" }, corpusLabel, encoderLabel), figure);
    choices();
  };
  place.addEventListener("show", start);
  if (!("IntersectionObserver" in window)) start();
  else new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start();
  }, { rootMargin: "600px" }).observe(place);
}

// When the page can be used, in milliseconds since it was asked for, with its layout done; tools/check_report.sh reads it.
document.body.getBoundingClientRect();
document.documentElement.dataset.usable = Math.round(performance.now());
