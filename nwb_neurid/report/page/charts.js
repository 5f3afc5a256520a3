// Colours, shapes and the charts of the library, in the colours of the page.

const PALETTES = {
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A7400", "#3B3F46"],
  dark: ["#4AA3DF", "#FF8A4C", "#2CC79A", "#E59CC6", "#F2B53A", "#8FD0F5", "#E8DC4A", "#C9D1DA"],
};
const SHAPES = [
  "M5 0A5 5 0 1 1 5 10A5 5 0 1 1 5 0Z", "M0.6 0.6H9.4V9.4H0.6Z", "M5 0L10 9.2H0Z", "M5 -0.6L10.4 5L5 10.6L-0.4 5Z",
  "M3.4 0H6.6V3.4H10V6.6H6.6V10H3.4V6.6H0V3.4H3.4Z", "M5 10L0 0.8H10Z", "M2 0L5 3L8 0L10 2L7 5L10 8L8 10L5 7L2 10L0 8L3 5L0 2Z",
];
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];

const isDark = () => document.documentElement.dataset.theme === "dark";
const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let tone = {};
function readTone() {
  tone = Object.fromEntries(["text", "muted", "line", "soft", "accent", "ring", "off", "bar", "card"].map((name) => [name, cssColour(`--${name}`)]));
  tone.palette = PALETTES[isDark() ? "dark" : "light"];
}

/** Colour and shape of a level of a column of text; what is unknown or abstained on is grey. */
function styleOf(column, code) {
  const level = column.levels[code];
  if (level === "") return { colour: tone.off, shape: 0, faint: true };
  if (column.role === "predicted" && level === "abstained") return { colour: tone.muted, shape: 0, hollow: true };
  const rank = rankOf(column, code);
  return { colour: tone.palette[rank % tone.palette.length], shape: rank % (units > 3000 ? 4 : SHAPES.length) };
}

/** One label has one colour wherever it appears: classes come first, in the order of the model. */
const order = [...new Set(facts.predictions.flatMap((each) => each.classes))];
function rankOf(column, code) {
  if (!column.ranks) {
    const known = new Set(order);
    const own = column.levels.some((level) => known.has(level)) ? [...order, ...column.levels.filter((level) => !known.has(level))] : column.levels;
    const rank = new Map(own.filter((level) => level !== "" && level !== "abstained").map((level, index) => [level, index]));
    column.ranks = column.levels.map((level) => rank.get(level) ?? 0);
  }
  return column.ranks[code];
}

function mix(a, b, share) {
  const part = (text, at) => parseInt(text.slice(at, at + 2), 16);
  return `rgb(${[1, 3, 5].map((at) => Math.round(part(a, at) + (part(b, at) - part(a, at)) * share)).join(",")})`;
}

function ramp(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return mix(VIRIDIS[low], VIRIDIS[low + 1], at - low);
}

/** From which to which value colours of a column of numbers go: its 1st to its 99th percentile. */
function rangeOf(column) {
  if (!column.range) {
    const sorted = column.values.filter((value, row) => isNumber(value) && hasVector(row)).sort((a, b) => a - b);
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    column.range = sorted.length ? [at(0.01), at(0.99)] : [0, 1];
  }
  return column.range;
}

function colourOf(row) {
  const column = state.colour;
  if (column.kind === "text") return styleOf(column, column.codes[row]);
  const value = column.values[row];
  const [low, high] = rangeOf(column);
  return isNumber(value) ? { colour: ramp((value - low) / (high - low || 1)), shape: 0 } : { colour: tone.off, shape: 0, faint: true };
}

/** The mark of a unit or a label, as it is drawn in the map. */
function drawMark(style, size = 11) {
  const path = svg("path", { d: SHAPES[style.shape], fill: style.hollow ? "none" : style.colour, stroke: style.colour, "stroke-width": style.hollow ? 1.8 : 0.6 });
  return svg("svg", { viewBox: "-1 -1.6 12 13.2", width: size, height: size, "aria-hidden": "true" }, path);
}

const symbolOf = (shape) => ["circle", "rect", "triangle", "diamond"][shape] ?? `path://${SHAPES[shape]}`;

const charts = new Map();
function chart(id) {
  if (!charts.has(id)) {
    const made = echarts.init(byId(id), null, { renderer: "canvas" });
    charts.set(id, made);
    new ResizeObserver(() => {
      if (byId(id).clientWidth === made.getWidth() && byId(id).clientHeight === made.getHeight()) return;
      made.resize();
      if (PLACES.some(([own]) => own === id)) drawMarks();
    }).observe(byId(id));
  }
  return charts.get(id);
}

const axis = (more = {}) => ({
  axisLine: { onZero: false, lineStyle: { color: tone.line } }, axisTick: { show: false }, splitLine: { show: false }, nameTextStyle: { color: tone.muted, fontSize: 10.5 },
  axisLabel: { color: tone.muted, fontSize: 10.5, hideOverlap: true }, nameLocation: "middle", ...more,
});
