// The facts, the state of the page, and small tools that the other scripts share.

const facts = JSON.parse(document.getElementById("facts").textContent);
const units = facts.ids.length;
const byId = (id) => document.getElementById(id);

/** A typed array from base64, little-endian as all machines with a browser are. */
function decode(encoded) {
  if (!encoded) return null;
  const text = atob(encoded.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const types = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array };
  return new types[encoded.type](bytes.buffer);
}

/** A text as it can be shown: control characters and marks that reverse the direction of text become visible. */
function visible(text, longest = 160) {
  let shown = String(text);
  if (shown.length > longest) shown = shown.slice(0, longest - 1) + "…";
  return shown
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** An element with classes, text and children. Text is never read as markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const put = (id, ...children) => byId(id).replaceChildren(...children);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function format(value) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: Math.max(3, Math.floor(Math.log10(size || 1)) + 1) });
}

/** A cell of a csv file; a text that a spreadsheet would compute gets an apostrophe first. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

const csv = (rows) => rows.map((row) => row.map(csvCell).join(",") + "\n").join("");

function download(name, text, type = "text/csv;charset=utf-8") {
  saveUrl(name, URL.createObjectURL(new Blob([text], { type })));
}

function saveUrl(name, url) {
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Every column of the table, to show, sort, colour and export by.
const columns = [
  { name: "unit_id", title: "unit", kind: "id", value: (row) => facts.ids[row] },
  ...facts.texts.map((text) => ({ name: text.name, title: text.name, kind: "text", role: text.role, levels: text.levels, codes: text.codes, value: (row) => text.levels[text.codes[row]] })),
  ...facts.numbers.map((number) => ({ name: number.name, title: number.name, kind: "number", about: number.about, values: number.values, value: (row) => number.values[row] })),
];
const columnNamed = (name) => columns.find((column) => column.name === name);
const probability = facts.predictions.map((each) => columnNamed(each.probability)).find(Boolean);
const predicted = columns.find((column) => column.role === "predicted" && column.levels.some((level) => level && level !== "abstained"));
const neighbours = decode(facts.neighbours);
const nearCount = facts.neighbours.shape[1];
const neighboursOf = (row) => Array.from(neighbours.subarray(row * nearCount, (row + 1) * nearCount)).filter((other) => other >= 0);

// Which units have this one among their neighbours: the links go both ways.
const backward = Array.from({ length: units }, () => []);
for (let row = 0; row < units; row++) for (const other of neighboursOf(row)) backward[other].push(row);

const state = {
  colour: null, hidden: new Set(), confidence: 0, labelledOnly: false, query: "",
  current: -1, hovered: -1, history: [], selected: new Set(), sort: { column: null, down: false }, page: 0, lasso: false,
};

const hasVector = (row) => isNumber(facts.points.x[row]);

const labels = new Map();  // row -> label that the reader of the page gave

/** Whether a unit passes the filters (its label, its probability), which all views share. */
function passes(row) {
  if (state.confidence > 0 && probability && !(probability.values[row] >= state.confidence)) return false;
  if (state.labelledOnly && predicted && ["", "abstained"].includes(predicted.value(row))) return false;
  return !(state.colour.kind === "text" && state.hidden.has(state.colour.codes[row]));
}

const listeners = [];
/** Draw again what depends on these parts of the state. */
function changed(...parts) {
  for (const [wanted, draw] of listeners) if (parts.some((part) => wanted.includes(part))) draw(parts);
}
const when = (wanted, draw) => listeners.push([wanted, draw]);

function choose(row, { remember = true } = {}) {
  if (row < 0 || row >= units) return;
  if (remember && state.current >= 0 && state.current !== row) state.history.push(state.current);
  state.current = row;
  state.hovered = -1;
  changed("current");
}

function toggle(row) {
  if (!state.selected.delete(row)) state.selected.add(row);
  changed("selected");
}

function selectRows(rows, add) {
  state.selected = new Set(add ? [...state.selected, ...rows] : rows);
  changed("selected");
}
