// The embedding, the probe or imaging plane, the legend and the lasso.

const PLACES = [["map", facts.points], ...(facts.places ? [["place", facts.places]] : [])];
const pointSize = units > 8000 ? 4 : units > 2500 ? 6 : units > 600 ? 8 : 10;

const MANY = units > 3000;  // then the points of a series are drawn as one path, in the shapes that the library has
const BINS = 32;

/** The points that share a look: a level of a column of text, or a bin of a column of numbers; -1 for what is filtered
 *  out, -2 for units without a vector, which have a place on the probe or in the plane only. */
function groupPoints(place) {
  const column = state.colour, groups = new Map();
  const [low, high] = column.kind === "number" ? rangeOf(column) : [0, 1];
  for (let row = 0; row < units; row++) {
    if (!isNumber(place.x[row]) || !isNumber(place.y[row])) continue;
    let key = hasVector(row) ? -1 : -2;
    if (passes(row) && hasVector(row)) {
      const value = column.kind === "number" ? column.values[row] : column.codes[row];
      if (column.kind === "text") key = value;
      else key = isNumber(value) ? Math.min(Math.max(Math.floor(((value - low) / (high - low || 1)) * BINS), 0), BINS - 1) : BINS;
    }
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push([place.x[row], place.y[row], row]);
  }
  return groups;
}

function listSeries(place, size) {
  const edge = size > 5 ? 0.6 : 0;
  return [...groupPoints(place)].sort((a, b) => a[0] - b[0]).map(([key, data]) => {
    const base = { type: "scatter", id: `points ${key}`, data, symbolSize: size, progressive: 0, animation: false, cursor: "pointer", large: MANY, largeThreshold: 1, emphasis: { disabled: MANY, scale: 1.5 } };
    if (key < 0) return { ...base, silent: key === -1, symbolSize: Math.max(3, size * 0.6), itemStyle: { color: tone.off, opacity: 0.5 }, z: 1 };
    const style = state.colour.kind === "text" ? styleOf(state.colour, key) : key === BINS ? { colour: tone.off, shape: 0, faint: true } : { colour: ramp(key / (BINS - 1)), shape: 0 };
    const look = style.hollow ? { color: "transparent", borderColor: style.colour, borderWidth: 1.4 } : { color: style.colour, opacity: style.faint ? 0.75 : 0.95, borderColor: tone.card, borderWidth: edge };
    return { ...base, symbol: symbolOf(style.shape), itemStyle: look, z: style.faint || style.hollow ? 1 : 2 };
  });
}

/** Rings around the current unit, its neighbours and the selected units: on a canvas above the chart, so that a click
 *  does not draw all points again. */
function drawMarks() {
  for (const [id, place] of PLACES) {
    const made = chart(id), holder = byId(id);
    let layer = holder.querySelector("canvas.marks");
    if (!layer) {
      layer = make("canvas", { class: "marks", "aria-hidden": "true" });
      holder.append(layer);
    }
    const scale = devicePixelRatio || 1, [width, height] = [made.getWidth(), made.getHeight()];
    if (layer.width !== Math.round(width * scale) || layer.height !== Math.round(height * scale)) [layer.width, layer.height] = [width * scale, height * scale].map(Math.round);
    const pen = layer.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [x0, y0] = made.convertToPixel("grid", [0, 0]), [x1, y1] = made.convertToPixel("grid", [1, 1]);  // both axes are linear
    const size = id === "map" ? pointSize : Math.max(4, pointSize - 2);
    const ring = (rows, radius, colour, thick, dash = []) => {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.setLineDash(dash);
      pen.beginPath();
      for (const row of rows) {
        if (!isNumber(place.x[row]) || !isNumber(place.y[row])) continue;
        const x = x0 + (x1 - x0) * place.x[row], y = y0 + (y1 - y0) * place.y[row];
        pen.moveTo(x + radius, y);
        pen.arc(x, y, radius, 0, 2 * Math.PI);
      }
      pen.stroke();
    };
    const row = state.hovered >= 0 ? state.hovered : state.current;
    ring(state.selected, size / 2 + 2.5, tone.accent, 2);
    if (row < 0) continue;
    ring(neighboursOf(row), size / 2 + 2.5, tone.muted, 1.4, [2, 2]);
    ring([row], size / 2 + 5, tone.ring, 2.4);
  }
}

function extent(values, pad = 0.05) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (isNumber(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) return [0, 1];
  const room = (high - low || 1) * pad;
  return [low - room, high + room];
}

/** The same number of pixels for a unit of length both ways, as in a picture of the plane. */
function keepShape(place, width, height) {
  const [x, y] = [extent(place.x), extent(place.y)];
  const scale = Math.max((x[1] - x[0]) / width, (y[1] - y[0]) / height);
  return [[x, width], [y, height]].map(([[low, high], size]) => [(low + high - scale * size) / 2, (low + high + scale * size) / 2]);
}

function outlineSeries() {
  const data = [];
  for (const [row, outline] of facts.places.outlines.entries()) {
    if (!hasVector(row)) continue;
    for (let at = 0; at < outline.length; at += 2) data.push([outline[at], outline[at + 1]]);
    if (outline.length) data.push([outline[0], outline[1]], ["-", "-"]);
  }
  return { type: "line", id: "outlines", data, symbol: "none", silent: true, animation: false, connectNulls: false, lineStyle: { color: tone.muted, width: 1, opacity: 0.7 }, z: 0 };
}

function drawMap() {
  for (const [id, place] of PLACES) {
    const isMap = id === "map";
    const size = isMap ? pointSize : Math.max(4, pointSize - 2);
    const rois = place.kind === "rois";
    const [spanX, spanY] = rois ? keepShape(place, Math.max(50, byId(id).clientWidth - 56), Math.max(50, byId(id).clientHeight - 42)) : [extent(place.x), extent(place.y)];
    const option = {
      animation: false,
      grid: isMap ? { left: 6, right: 6, top: 6, bottom: 6 } : { left: 48, right: 8, top: 8, bottom: 34 },
      xAxis: axis({ type: "value", ...box(spanX), axisLabel: { show: !isMap, color: tone.muted, fontSize: 10.5, hideOverlap: true, showMinLabel: false, showMaxLabel: false }, name: isMap ? "" : place.titles[0], nameGap: 22, axisLine: { show: !isMap, onZero: false, lineStyle: { color: tone.line } } }),
      yAxis: axis({ type: "value", ...box(spanY), inverse: rois, axisLabel: { show: !isMap, color: tone.muted, fontSize: 10.5, showMinLabel: false, showMaxLabel: false }, name: isMap ? "" : place.titles[1], nameGap: 36, axisLine: { show: !isMap, onZero: false, lineStyle: { color: tone.line } } }),
      series: [...(rois && !isMap ? [outlineSeries()] : []), ...listSeries(place, size)],
    };
    if (isMap) option.dataZoom = ["xAxisIndex", "yAxisIndex"].map((which) => ({ type: "inside", [which]: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, preventDefaultMouseMove: false, ...(zoom[which] ?? {}) }));
    chart(id).setOption(option, { notMerge: true });
  }
  drawLegend();
  drawMarks();
}

const box = ([min, max]) => ({ min, max });
const zoom = {};

function drawLegend() {
  const column = state.colour;
  if (column.kind === "number") {
    const [low, high] = rangeOf(column);
    const canvas = make("canvas", { class: "ramp", width: 180, height: 10, "aria-hidden": "true" });
    const pen = canvas.getContext("2d");
    for (let x = 0; x < 180; x++) { pen.fillStyle = ramp(x / 179); pen.fillRect(x, 0, 1, 10); }
    put("legend", make("span", { class: "muted", text: format(low) }), canvas, make("span", { class: "muted", text: `${format(high)}  ${visible(column.title)}` }));
    return;
  }
  const counts = new Array(column.levels.length).fill(0);
  for (const code of column.codes) counts[code]++;
  const codes = column.levels.map((_, code) => code).sort((a, b) => (column.levels[a] === "") - (column.levels[b] === ""));
  const entries = codes.slice(0, 60).map((code) => {
    const name = column.levels[code] === "" ? (column.role === "cluster" ? "in none" : "unknown") : visible(column.levels[code], 40);
    return make("button", {
      type: "button", "aria-pressed": String(!state.hidden.has(code)), title: `Hide or show ${name}`, "data-level": code,
      onclick: () => { if (!state.hidden.delete(code)) state.hidden.add(code); state.page = 0; changed("filter"); },
    }, drawMark(styleOf(column, code), 12), make("span", { class: "text", text: name }), make("span", { class: "n", text: counts[code].toLocaleString("en") }));
  });
  if (codes.length > 60) entries.push(make("span", { class: "muted", text: `and ${codes.length - 60} more` }));
  if (column.role === "cluster") entries.push(make("div", { class: "cluster-lines muted" }, ...facts.clusters.map((line) => make("div", { text: visible(line, 300) }))));
  put("legend", ...entries);
}

function describe(row) {
  const known = columns.find((column) => column.role === "known");
  const lines = [];
  if (predicted && predicted.value(row)) lines.push(`${predicted.value(row)}${probability && isNumber(probability.value(row)) ? ` · p ${format(probability.value(row))}` : ""}`);
  if (known && known.value(row)) lines.push(`${known.title}: ${known.value(row)}`);
  if (labels.has(row)) lines.push(`your label: ${labels.get(row)}`);
  return lines;
}

function showTip(row, event) {
  const wrap = byId("map-wrap").getBoundingClientRect();
  const tip = byId("tip");
  tip.replaceChildren(make("b", { class: "text", text: `Unit ${visible(facts.ids[row], 40)}` }), ...describe(row).map((line) => make("div", { class: "text", text: visible(line, 60) })));
  tip.hidden = false;
  const x = event.offsetX, y = event.offsetY;
  tip.style.left = `${Math.max(0, Math.min(x + 14, wrap.width - tip.offsetWidth - 6))}px`;
  tip.style.top = `${y + 16 + tip.offsetHeight > wrap.height ? Math.max(0, y - tip.offsetHeight - 10) : y + 16}px`;
}

let waiting = 0;
function hover(row) {
  if (state.hovered === row) return;
  state.hovered = row;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => changed("hovered"));
}

function startMap() {
  for (const [id] of PLACES) {
    const made = chart(id);
    made.on("click", ({ data, event }) => {
      if (!data || data.length < 3) return;
      const native = event?.event ?? {};
      if (native.ctrlKey || native.metaKey || native.shiftKey) toggle(data[2]);
      choose(data[2]);
    });
    made.on("mouseover", ({ data, event }) => {
      if (!data || data.length < 3) return;
      hover(data[2]);
      if (id === "map") showTip(data[2], event);
    });
    const leave = () => { byId("tip").hidden = true; hover(-1); };
    made.on("mouseout", leave);
    made.on("globalout", leave);
  }
  const map = chart("map");
  map.on("datazoom", () => { for (const each of map.getOption().dataZoom) for (const which of ["xAxisIndex", "yAxisIndex"]) if (each[which] !== undefined && each[which] !== null && each[which].length !== 0) zoom[which] = { start: each.start, end: each.end }; drawMarks(); });
  byId("zoom-in").onclick = () => zoomBy(0.7);
  byId("zoom-out").onclick = () => zoomBy(1 / 0.7);
  byId("zoom-reset").onclick = () => zoomTo([0, 100], [0, 100]);
  byId("save-map").onclick = () => saveUrl("embedding.png", map.getDataURL({ pixelRatio: 2, backgroundColor: tone.card }));
  byId("tool-move").onclick = () => useLasso(false);
  byId("tool-lasso").onclick = () => useLasso(true);
  byId("map").addEventListener("keydown", steer);
  startLasso();
}

function useLasso(on) {
  state.lasso = on;
  byId("tool-lasso").setAttribute("aria-pressed", String(on));
  byId("tool-move").setAttribute("aria-pressed", String(!on));
  byId("map-wrap").classList.toggle("lassoing", on);
}

const zoomNow = () => chart("map").getOption().dataZoom.map((each) => [each.start, each.end]);
function zoomBy(factor) {
  zoomTo(...zoomNow().map(([start, end]) => {
    const middle = (start + end) / 2, half = Math.min(50, ((end - start) / 2) * factor);
    const low = Math.min(Math.max(0, middle - half), 100 - 2 * half);
    return [low, low + 2 * half];
  }));
}
function zoomTo(x, y) {
  [["xAxisIndex", x], ["yAxisIndex", y]].forEach(([which, [start, end]], index) => {
    zoom[which] = { start, end };
    chart("map").dispatchAction({ type: "dataZoom", dataZoomIndex: index, start, end });
  });
}

/** Arrow keys go to the nearest unit in that direction. */
function steer(event) {
  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const direction = directions[event.key];
  if (!direction) return;
  event.preventDefault();
  const { x, y } = facts.points;
  const from = isNumber(x[state.current]) ? state.current : 0;
  const [spanX, spanY] = [extent(x), extent(y)].map(([low, high]) => high - low);
  let best = -1, least = Infinity;
  for (let row = 0; row < units; row++) {
    if (row === from || !isNumber(x[row]) || !passes(row)) continue;
    const dx = (x[row] - x[from]) / spanX, dy = (y[row] - y[from]) / spanY;
    const along = dx * direction[0] + dy * direction[1], across = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
    if (along <= 0 || across > along * 1.2) continue;
    if (along + 2 * across < least) { least = along + 2 * across; best = row; }
  }
  choose(best);
}

/** Drag around units to select them; with Ctrl they are added to the selection. */
function startLasso() {
  const wrap = byId("map-wrap"), polygon = byId("lasso").firstElementChild;
  let path = null;
  const point = (event) => { const place = wrap.getBoundingClientRect(); return [event.clientX - place.left, event.clientY - place.top]; };
  const stop = (event) => { event.stopPropagation(); event.preventDefault(); };
  wrap.addEventListener("pointerdown", (event) => {
    if (!(state.lasso || event.shiftKey) || event.button !== 0) return;
    stop(event);
    path = [point(event)];
    wrap.setPointerCapture(event.pointerId);
  }, true);
  wrap.addEventListener("mousedown", (event) => { if (path) stop(event); }, true);
  wrap.addEventListener("pointermove", (event) => {
    if (!path) return;
    stop(event);
    path.push(point(event));
    polygon.setAttribute("points", path.map((each) => each.join(",")).join(" "));
  }, true);
  const end = (event) => {
    if (!path) return;
    stop(event);
    const around = path;
    path = null;
    polygon.setAttribute("points", "");
    if (around.length > 3) selectRows(rowsWithin(around), event.ctrlKey || event.metaKey);
  };
  wrap.addEventListener("pointerup", end, true);
  wrap.addEventListener("pointercancel", end, true);
}

function rowsWithin(around) {
  const map = chart("map"), rows = [];
  const [x0, y0] = map.convertToPixel("grid", [0, 0]), [x1, y1] = map.convertToPixel("grid", [1, 1]);  // both axes are linear
  for (let row = 0; row < units; row++) {
    if (!isNumber(facts.points.x[row]) || !passes(row)) continue;
    const x = x0 + (x1 - x0) * facts.points.x[row], y = y0 + (y1 - y0) * facts.points.y[row];
    let inside = false;
    for (let i = 0, j = around.length - 1; i < around.length; j = i++) {
      const [xi, yi] = around[i], [xj, yj] = around[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    if (inside) rows.push(row);
  }
  return rows;
}
