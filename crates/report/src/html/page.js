"use strict";

// The cell of a row that covers a column; empty cells with one reason span several.
const cellAt = (row, column) => {
  let at = 0;
  for (const cell of row.cells) {
    at += cell.colSpan;
    if (column < at) return cell;
  }
  return row.cells[row.cells.length - 1];
};

// Sorting: each heading becomes a button; rows that are equal keep their order, footers stay where they are.
const makeSortable = (table) => {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  if (body.rows.length < 2) return;
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const value = (row) => {
      const cell = cellAt(row, column);
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
};
document.querySelectorAll("table.sortable").forEach(makeSortable);

// A long table gets a field that leaves only the rows with all the words typed.
const makeFilter = (table) => {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 24) return;
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
};
document.querySelectorAll("table.sortable").forEach(makeFilter);

// Each chart can be saved as a file of its own: as PNG at twice its size, and as SVG where it is one.
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
const addTools = (figure) => {
  const svg = figure.querySelector("svg.chart");
  const drawn = figure.querySelector("canvas.chart");
  if (!svg && !drawn) return;
  const tools = document.createElement("span");
  tools.className = "tools";
  const caption = figure.querySelector("figcaption");
  const name = caption.firstChild.textContent;
  const add = (kind, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind;
    button.setAttribute("aria-label", `save “${name}” as ${kind}`);
    button.addEventListener("click", action);
    tools.append(button);
  };
  if (svg) add("SVG", () => save(figure.id + ".svg", asFile(svg)));
  add("PNG", () => {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    const copy = (source, width, height) => {
      [canvas.width, canvas.height] = [width, height];
      context.fillStyle = getComputedStyle(document.body).backgroundColor;
      context.fillRect(0, 0, width, height);
      context.drawImage(source, 0, 0, width, height);
      save(figure.id + ".png", canvas.toDataURL("image/png"));
    };
    if (!svg) return copy(drawn, drawn.width, drawn.height);
    const image = new Image();
    const { width, height } = svg.viewBox.baseVal;
    image.onload = () => copy(image, 2 * width, 2 * height);
    image.src = asFile(svg);
  });
  caption.append(tools);
};
document.querySelectorAll("figure").forEach(addTools);
