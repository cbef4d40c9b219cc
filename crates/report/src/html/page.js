"use strict";

// Sorting: each heading becomes a button; rows that are equal keep their order, footers stay where they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const value = (row) => {
      const cell = row.cells[column];
      return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
    };
    button.addEventListener("click", () => {
      const numeric = [...body.rows].some((row) => typeof value(row) === "number");
      const before = heading.getAttribute("aria-sort");
      const descending = before === null ? numeric : before === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        // Missing values go last either way.
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
        return descending ? -order : order;
      });
      body.append(...rows);
    });
  });
}

// A long table gets a field that leaves only the rows with all the words typed.
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 24) continue;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "filter rows";
  field.setAttribute("aria-label", "filter rows of: " + table.caption.textContent);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.closest(".scroll").before(field);
}

// Each chart can be saved as a file of its own, as SVG or as PNG at twice its size.
const chartStyle = document.getElementById("chart-style").textContent;
const save = (name, url) => {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
};
const asFile = (svg) => {
  const copy = svg.cloneNode(true);
  const style = document.createElementNS(svg.namespaceURI, "style");
  style.textContent = chartStyle;
  copy.prepend(style);
  return "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy));
};
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg.chart");
  if (!svg) continue;
  const tools = document.createElement("span");
  tools.className = "tools";
  const add = (kind, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind;
    button.setAttribute("aria-label", `save “${figure.querySelector("figcaption").firstChild.textContent}” as ${kind}`);
    button.addEventListener("click", action);
    tools.append(button);
  };
  add("SVG", () => save(figure.id + ".svg", asFile(svg)));
  add("PNG", () => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      const { width, height } = svg.viewBox.baseVal;
      [canvas.width, canvas.height] = [2 * width, 2 * height];
      const context = canvas.getContext("2d");
      context.fillStyle = getComputedStyle(document.body).backgroundColor;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      save(figure.id + ".png", canvas.toDataURL("image/png"));
    };
    image.src = asFile(svg);
  });
  figure.querySelector("figcaption").append(tools);
}
