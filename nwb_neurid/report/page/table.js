// The table of units: sorted, searched, in pages, as csv.

const PAGE = 50;
let ordered = [];
const haystack = new Array(units);

function textOf(row) {
  haystack[row] ??= columns.filter((column) => column.kind !== "number").map((column) => column.value(row)).join("\u0001").toLowerCase();
  return labels.has(row) ? `${haystack[row]}\u0001${labels.get(row).toLowerCase()}` : haystack[row];
}

function orderRows() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  ordered = [];
  for (let row = 0; row < units; row++) if (passes(row) && words.every((word) => textOf(row).includes(word))) ordered.push(row);
  const { column, down } = state.sort;
  if (!column) return;
  const sign = down ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  const value = column.kind === "label" ? (row) => labels.get(row) ?? "" : column.value;
  ordered.sort((a, b) => {
    const x = value(a), y = value(b);
    const missing = (x === null || x === "") - (y === null || y === "");
    return missing || sign * (typeof x === "number" ? x - y : collator.compare(x, y)) || a - b;
  });
}

const labelColumn = { name: "label", title: "your label", kind: "label" };
const shownColumns = () => (labels.size ? [columns[0], labelColumn, ...columns.slice(1)] : columns);

function drawHead() {
  const cells = shownColumns().map((column) => {
    const sorted = state.sort.column === column;
    const button = make("button", { type: "button", title: visible(column.about ?? `Sort by ${column.title}`), "data-column": visible(column.name), text: `${visible(column.title, 40)}${sorted ? (state.sort.down ? " ▼" : " ▲") : ""}`, onclick: () => {
      const own = state.sort.column === column;
      state.sort = own && state.sort.down ? { column: null, down: false } : { column, down: own };
      state.page = 0;
      changed("sort");
    } });
    return make("th", { scope: "col", class: column.kind === "number" ? "number" : "", "aria-sort": sorted ? (state.sort.down ? "descending" : "ascending") : "none" }, button);
  });
  byId("table").tHead.replaceChildren(make("tr", {}, make("th", { scope: "col", "aria-label": "Selected" }), ...cells));
}

function drawTable() {
  orderRows();
  drawHead();
  drawPage();
  const hidden = units - ordered.length;
  byId("shown").textContent = hidden ? `${plural(ordered.length, "unit")} shown of ${units.toLocaleString("en")}` : plural(units, "unit");
}

function drawPage() {
  const pages = Math.max(1, Math.ceil(ordered.length / PAGE));
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  const rows = ordered.slice(state.page * PAGE, (state.page + 1) * PAGE);
  byId("table").tBodies[0].replaceChildren(...rows.map(drawRow));
  byId("page-text").textContent = ordered.length ? `${(state.page * PAGE + 1).toLocaleString("en")} to ${(state.page * PAGE + rows.length).toLocaleString("en")} of ${ordered.length.toLocaleString("en")}` : "No unit matches the filters and the search";
  byId("page-back").disabled = state.page === 0;
  byId("page-on").disabled = state.page >= pages - 1;
}

function drawRow(row) {
  const box = make("input", { type: "checkbox", "aria-label": `Select unit ${visible(facts.ids[row], 40)}`, onclick: (event) => { event.stopPropagation(); toggle(row); } });
  box.checked = state.selected.has(row);
  const cells = shownColumns().map((column) => {
    if (column.kind === "number") return make("td", { class: "number", text: format(column.value(row)) });
    const value = column.kind === "label" ? labels.get(row) ?? "" : column.value(row);
    const cell = make("td", { text: visible(value, 60), title: visible(value) });
    if (column.role === "predicted" && value !== "") cell.prepend(drawMark(styleOf(column, column.codes[row]), 10));
    return cell;
  });
  const line = make("tr", { tabindex: row === state.current ? 0 : -1, "data-row": row, class: row === state.current ? "current" : "", "aria-selected": String(row === state.current), onclick: () => { choose(row); } }, make("td", {}, box), ...cells);
  return line;
}

/** Show where the current unit is, on the page of the table that holds it. */
function followCurrent() {
  const at = ordered.indexOf(state.current);
  const page = Math.floor(at / PAGE);
  if (at >= 0 && page !== state.page) { state.page = page; drawPage(); return; }
  for (const line of byId("table").tBodies[0].rows) {
    const own = Number(line.dataset.row) === state.current;
    line.className = own ? "current" : "";
    line.tabIndex = own ? 0 : -1;
    line.setAttribute("aria-selected", String(own));
  }
}

function markSelected() {
  for (const line of byId("table").tBodies[0].rows) line.cells[0].firstChild.checked = state.selected.has(Number(line.dataset.row));
}

function step(by) {
  const at = ordered.indexOf(state.current);
  const row = ordered[at < 0 ? 0 : Math.min(Math.max(at + by, 0), ordered.length - 1)];
  if (row !== undefined) choose(row);
}

function startTable() {
  byId("search").oninput = (event) => { state.query = event.target.value; state.page = 0; changed("query"); };
  byId("page-back").onclick = () => { state.page--; drawPage(); };
  byId("page-on").onclick = () => { state.page++; drawPage(); };
  byId("table").tBodies[0].addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -units, End: units }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
      const line = byId("table").querySelector("tr.current");
      line?.focus({ preventScroll: true });
      line?.scrollIntoView({ block: "nearest" });
    } else if (event.key === " ") { event.preventDefault(); toggle(state.current); }
  });
  byId("export").onclick = () => {
    const own = shownColumns();
    const cells = (row) => own.map((column) => (column.kind === "label" ? labels.get(row) ?? "" : column.kind === "id" ? idOf(row) : column.value(row)));
    download(`${fileStem()}.units.csv`, csv([own.map((column) => column.name), ...ordered.map(cells)]));
  };
}

/** A unit id for csv: a number where the recording has numbers. */
const idOf = (row) => (facts.ids_are_numbers ? Number(facts.ids[row]) : facts.ids[row]);
const fileStem = () => facts.title.replace(/[^\w.-]+/g, "_").replace(/\.nwb$/, "").slice(0, 80) || "units";
