// The panel of one unit: what it is, its activity, its neighbours.

const activity = facts.activity;
const arrays = {
  waveforms: decode(activity.waveforms?.values), acg: decode(activity.autocorrelograms?.values), isi: decode(activity.intervals?.values),
  splits: decode(activity.raster?.splits), times: decode(activity.raster?.times), traces: decode(activity.traces?.values),
  probabilities: facts.predictions.map((each) => decode(each.probabilities)),
};
const rowOf = (array, encoded, row) => Array.from(array.subarray(row * encoded.shape[1], (row + 1) * encoded.shape[1]));
const RASTER_ROWS = 6;

function markOf(row) {
  return drawMark(predicted ? styleOf(predicted, predicted.codes[row]) : colourOf(row), 11);
}

function chipOf(row) {
  return make("button", { type: "button", class: "chip", "data-row": row, title: describe(row).map((line) => visible(line, 60)).join("\n"), onclick: () => choose(row) }, markOf(row), make("span", { class: "text", text: visible(facts.ids[row], 24) }));
}

function drawUnit() {
  const row = state.hovered >= 0 ? state.hovered : state.current;
  if (row < 0) return;
  byId("unit-title").textContent = `Unit ${visible(facts.ids[row], 80)}`;
  const pick = byId("pick");
  pick.setAttribute("aria-pressed", String(state.selected.has(row)));
  pick.textContent = state.selected.has(row) ? "Selected" : "Select";
  const skip = new Set(facts.predictions.flatMap((each) => [each.predicted, each.probability, each.why]));  // shown with the prediction
  const pairs = columns.filter((column) => column.kind !== "id" && !skip.has(column.name)).map((column) => [column, column.value(row)]).filter(([, value]) => value !== "" && value !== null);
  put("unit-facts",
    make("dl", { class: "pairs" }, ...pairs.slice(0, 15).map(([column, value]) => make("div", { title: visible(`${column.title}: ${value}`) }, make("dt", { text: visible(column.title, 40) }), make("dd", { text: isNumber(value) ? format(value) : visible(value, 60) })))),
    ...(labels.has(row) ? [make("p", { class: "badge", text: `Your label: ${visible(labels.get(row), 60)}` })] : []),
    ...facts.predictions.map((each, index) => drawPrediction(each, index, row)));
  drawActivity(row);
  const near = neighboursOf(row), far = backward[row].filter((other) => !near.includes(other));
  put("unit-neighbours",
    make("div", { class: "neighbour-row" }, make("h3", { text: near.length ? "Nearest neighbours" : "No neighbours: the unit has no vector" }), ...near.map(chipOf)),
    ...(far.length ? [make("div", { class: "neighbour-row" }, make("h3", { text: "Is a nearest neighbour of" }), ...far.slice(0, 12).map(chipOf), ...(far.length > 12 ? [make("span", { class: "muted", text: `and ${far.length - 12} more` })] : []))] : []));
}

function drawPrediction(each, index, row) {
  const best = each.most_probable.levels[each.most_probable.codes[row]];
  const why = each.reasons.levels[each.reasons.codes[row]];
  const abstained = columnNamed(each.predicted).value(row) === "abstained";
  const set = each.sets[row];
  const head = make("div", { class: "prediction-head" }, make("span", { class: "muted", text: visible(each.title, 40) }), make("b", { text: best === "" ? "no prediction" : visible(best, 80) }));
  if (abstained) head.append(make("span", { class: "badge warn", text: "abstained" }));
  if (set.length) head.append(make("span", { class: "badge", title: isNumber(each.coverage) ? `Prediction set at a coverage of ${each.coverage}` : "Prediction set", text: `set: ${set.map((code) => visible(each.classes[code], 24)).join(", ")}` }));
  const block = make("div", { class: "prediction" }, head);
  if (why) block.append(make("p", { class: "muted", text: visible(why, 240) }));
  const shares = arrays.probabilities[index];
  if (shares && best !== "") {
    const own = rowOf(shares, each.probabilities, row).map((value, code) => [value / 10000, code]).sort((a, b) => b[0] - a[0]).slice(0, 6);
    if (own[0][0] > 0) block.append(make("div", { class: "bars" }, ...own.flatMap(([share, code]) => {
      const style = styleOf({ role: "class", levels: each.classes, ranks: each.classes.map((name) => order.indexOf(name)) }, code);
      return [
        make("span", { class: `text ${set.includes(code) ? "in-set" : ""}`, title: visible(each.descriptions[code] || each.classes[code]), text: visible(each.classes[code], 40) }),
        svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: 100 * share, height: 10, fill: style.colour })),
        make("span", { class: "value", text: share.toFixed(2) }),
      ];
    })));
  }
  return block;
}

function mini(id, option) {
  chart(id).setOption({ animation: false, grid: { left: 34, right: 6, top: 8, bottom: 30 }, ...option });
}

function drawActivity(row) {
  const stroke = { color: tone.accent, width: 1.6 };
  if (arrays.waveforms) {
    const peak = activity.waveforms.peak[row];
    const wave = isNumber(peak) ? rowOf(arrays.waveforms, activity.waveforms.values, row).map((value, at) => [at * activity.waveforms.step_ms, (value / 127) * peak]) : [];
    mini("waveform", { xAxis: axis({ type: "value", name: "ms", nameGap: 18, max: "dataMax" }), yAxis: axis({ type: "value", scale: true, splitNumber: 3 }), series: [{ type: "line", data: wave, symbol: "none", lineStyle: stroke }] });
  }
  if (arrays.acg) {
    const own = rowOf(arrays.acg, activity.autocorrelograms.values, row), peak = activity.autocorrelograms.peak_hz[row];
    const right = own.map((value, at) => [at + 0.5, (value / 255) * peak]);
    const both = [...right.map(([lag, rate]) => [-lag, rate]).reverse(), ...right];
    mini("acg", { xAxis: axis({ type: "value", name: "lag (ms)", nameGap: 18, min: -50, max: 50, interval: 50 }), yAxis: axis({ type: "value", name: "Hz", nameGap: 22, splitNumber: 2 }), series: [{ type: "line", step: "middle", data: both, symbol: "none", lineStyle: { width: 0 }, areaStyle: { color: tone.bar, opacity: 1 } }] });
  }
  if (arrays.isi) {
    const edges = activity.intervals.edges_ms, peak = activity.intervals.peak[row];
    const shares = rowOf(arrays.isi, activity.intervals.values, row).map((value, at) => [edges[at], (value / 255) * peak]);
    shares.push([edges[edges.length - 1], 0]);
    mini("isi", { xAxis: axis({ type: "log", name: "ms", nameGap: 18, min: edges[0], max: edges[edges.length - 1], axisLabel: { color: tone.muted, fontSize: 10.5, formatter: (value) => ({ 1: "1", 100: "100", 10000: "10k" }[Math.round(value)] ?? "") } }), yAxis: axis({ type: "value", name: "%", nameGap: 22, splitNumber: 2 }), series: [{ type: "line", step: "end", data: shares, symbol: "none", lineStyle: { width: 0 }, areaStyle: { color: tone.bar, opacity: 1 } }] });
  }
  if (arrays.times) drawRaster(row);
  if (arrays.traces) {
    const { start_s: start, step_s: step, low, high } = activity.traces;
    const trace = rowOf(arrays.traces, activity.traces.values, row).map((value, at) => [start + at * step, value === 0 ? null : low[row] + ((value - 1) / 254) * (high[row] - low[row])]);
    mini("raster", { grid: { left: 44, right: 8, top: 8, bottom: 32 }, xAxis: axis({ type: "value", name: "s", nameGap: 18, min: start, max: "dataMax" }), yAxis: axis({ type: "value", scale: true, splitNumber: 3 }), series: [{ type: "line", data: trace, symbol: "none", lineStyle: { ...stroke, width: 1 } }] });
  }
}

/** The stretch folded into lines of equal length, read like a text. */
function drawRaster(row) {
  const { start_s: start, length_s: length } = activity.raster;
  const line = length / RASTER_ROWS, data = [];
  for (let at = arrays.splits[row]; at < arrays.splits[row + 1]; at++) {
    const time = (arrays.times[at] / 65535) * length, place = Math.min(Math.floor(time / line), RASTER_ROWS - 1);
    data.push([time - place * line, place - 0.36], [time - place * line, place + 0.36], ["-", "-"]);
  }
  byId("raster-title").textContent = `Raster: ${format(length)} s from ${format(start)} s, in ${RASTER_ROWS} lines${activity.raster.gaps ? ", with gaps in observed time" : ""}`;
  mini("raster", {
    grid: { left: 34, right: 8, top: 4, bottom: 32 }, xAxis: axis({ type: "value", min: 0, max: line, name: `s, each line ${format(line)} s`, nameGap: 18 }),
    yAxis: axis({ type: "value", min: -0.5, max: RASTER_ROWS - 0.5, inverse: true, interval: 1, axisLabel: { show: false } }),
    series: [{ type: "line", data, symbol: "none", silent: true, connectNulls: false, lineStyle: { color: tone.text, width: 1.1 } }],
  });
}

function startUnit() {
  const there = { "fig-waveform": arrays.waveforms, "fig-acg": arrays.acg, "fig-isi": arrays.isi, "fig-raster": arrays.times || arrays.traces };
  for (const [id, array] of Object.entries(there)) byId(id).hidden = !array;
  if (arrays.traces) byId("raster-title").textContent = `Trace (${facts.kind})`;
  byId("pick").onclick = () => toggle(state.current);
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
}
