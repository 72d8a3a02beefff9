// What a page of to_html does: contents that follow the reading, tables that sort, rows behind a number.
"use strict";
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// contents: a column where there is room, a menu where there is none
const contents = document.querySelector(".contents");
if (contents) {
  const narrow = matchMedia("(max-width: 60rem)");
  const fit = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fit);
  fit();
  const links = all("a", contents);
  const targets = links.map(link => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const follow = () => {
    const passed = targets.filter(heading => heading && heading.getBoundingClientRect().top < 120).length;
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const now = links[end && scrollY ? links.length - 1 : Math.max(passed - 1, 0)];
    for (const link of links) link.removeAttribute("aria-current");
    if (now) now.setAttribute("aria-current", "location");
    if (!now || narrow.matches) return;
    const [box, own] = [contents.getBoundingClientRect(), now.getBoundingClientRect()];
    if (own.top < box.top || own.bottom > box.bottom) contents.scrollTop += own.top - box.top - 80;
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(() => { waiting = false; follow(); });
    waiting = true;
  }, { passive: true });
  follow();
  contents.addEventListener("click", event => { if (event.target.closest("a")) fit(); });
}

// tables: a click on a head sorts; numbers by their value, whatever follows them; empty cells last
const textOf = cell => (cell ? cell.textContent.trim() : "");
const numberOf = text => {
  const found = /^[+-]?(\d[\d,]*)?(\.\d+)?(e[+-]?\d+)?/i.exec(text.replace(/^[−–]/, "-"))[0];
  return /\d/.test(found) ? parseFloat(found.replaceAll(",", "")) : NaN;
};
const unspan = table => {  // a head that spans several rows is repeated, so that each row is whole
  for (const row of table.tBodies[0].rows) {
    for (const cell of [...row.cells].filter(cell => cell.rowSpan > 1)) {
      let below = row;
      const [span, place] = [cell.rowSpan, cell.cellIndex];
      cell.rowSpan = 1;
      for (let i = 1; i < span && (below = below.nextElementSibling); i++) {
        below.insertBefore(cell.cloneNode(true), below.cells[place] || null);
      }
    }
  }
};
const sortBy = (table, head, place) => {
  unspan(table);
  const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map(row => ({ row, text: textOf(row.cells[place]) }));
  const filled = rows.filter(({ text }) => text);
  const numeric = filled.every(({ text }) => !Number.isNaN(numberOf(text)));
  const compare = numeric
    ? (a, b) => numberOf(a.text) - numberOf(b.text)
    : (a, b) => a.text.localeCompare(b.text, undefined, { numeric: true });
  filled.sort((a, b) => down * compare(a, b));
  table.tBodies[0].append(...[...filled, ...rows.filter(({ text }) => !text)].map(({ row }) => row));
};
const alignNumbers = table => {  // tables of pandas do not say which of their columns are numbers
  const lines = [...table.tHead.rows, ...table.tBodies[0].rows].map(row => [...row.cells].reverse());
  const body = lines.slice(table.tHead.rows.length);
  for (let place = 0; place < Math.min(...lines.map(line => line.length)); place++) {
    const texts = body.map(line => textOf(line[place])).filter(text => text);
    if (texts.some(text => Number.isNaN(numberOf(text)))) continue;
    for (const line of lines) line[place].classList.add("number");
  }
};
const makeSortable = table => {
  if (!table.tHead || !table.tBodies[0] || table.tBodies[0].rows.length < 2) return;
  if (table.classList.contains("dataframe")) alignNumbers(table);
  for (const row of table.tHead.rows) {
    if ([...row.cells].some(cell => cell.colSpan > 1)) continue;
    for (const head of [...row.cells].filter(textOf)) {
      head.tabIndex = 0;
      head.classList.add("sorts");
      head.title = "sort";
      head.addEventListener("click", () => sortBy(table, head, head.cellIndex));
      head.addEventListener("keydown", event => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        sortBy(table, head, head.cellIndex);
      });
    }
  }
};

// rows of the ledger: all of them, those behind a number that was clicked, or those that hold some words
const data = document.getElementById("ledger-rows");
if (data) {
  const { columns, rows } = JSON.parse(data.textContent);
  const [table, said, words] = [".rows table", ".finder .said", ".finder input"].map(s => document.querySelector(s));
  const body = table.createTBody();
  const cellsOf = row => row.map((value, i) => {
    const cell = document.createElement("td");
    cell.textContent = cell.title = value ?? "";
    cell.className = typeof value === "number" ? "number" : "";
    return cell;
  });
  const made = rows.map(row => {
    const line = document.createElement("tr");
    line.append(...cellsOf(row));
    return line;
  });
  const show = (lines, what) => {
    body.replaceChildren(...lines);
    said.textContent = `${lines.length} of ${rows.length} rows${what}`;
  };
  const expand = text => text.split(",").flatMap(part => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-rows]");
    if (link) show(expand(link.dataset.rows).map(i => made[i]), `: those behind “${textOf(link)}”`);
  });
  words.addEventListener("input", () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    show(made.filter(line => wanted.every(word => line.textContent.toLowerCase().includes(word))), "");
  });
  document.querySelector(".finder button").addEventListener("click", () => {
    words.value = "";
    show(made, "");
  });
  show(made, "");
}
all("main table").forEach(makeSortable);

// paper shows what is folded
addEventListener("beforeprint", () => all("details.fold").forEach(fold => { fold.open = true; }));
