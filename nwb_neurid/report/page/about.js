// The parts that do not change: the head of the page, quality of the predictions, model, methods.

function drawAbout() {
  byId("title").textContent = visible(facts.title, 120);
  const about = Object.fromEntries(facts.recording);
  byId("subtitle").textContent = [about.Subject, about.Session].filter(Boolean).map((text) => visible(text, 60)).join(" · ");
  const chips = [["Units", units.toLocaleString("en")], ["With a vector", facts.points.x.filter(isNumber).length.toLocaleString("en")], ["Observed", about["Observed time"]?.split(" in ")[0] ?? "–"], ["Encoder", Object.fromEntries(facts.model).Encoder]];
  for (const each of facts.predictions.slice(0, 2)) chips.push([`${visible(each.title, 30)} predicted`, `${each.labelled.toLocaleString("en")} of ${plural(units, "unit")}`]);
  put("chips", ...chips.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: visible(value, 40) }))));
  for (const [id, pairs] of [["recording", facts.recording], ["model", facts.model]]) put(id, ...pairs.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: visible(value, 2000) }))));
  byId("methods").textContent = visible(facts.methods, 20000);
  byId("bibtex").textContent = facts.bibtex;
  byId("card").textContent = facts.card;
  byId("card-details").hidden = !facts.card;
  for (const [id, text] of [["copy-methods", facts.methods], ["copy-bibtex", facts.bibtex]]) byId(id).onclick = () => copy(byId(id), text);
  drawObserved();
}

async function copy(button, text) {
  const area = make("textarea", { text });
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function drawObserved() {
  const runs = facts.observed;
  if (!runs.length) { byId("observed").hidden = true; return; }
  const start = runs[0][0], stop = runs[runs.length - 1][1], span = stop - start || 1;
  put("observed", svg("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...runs.map(([from, to]) => svg("rect", { x: ((from - start) / span) * 1000, y: 0, width: Math.max(0.6, ((to - from) / span) * 1000), height: 10 }))));
  byId("observed").setAttribute("aria-label", `Observed time: ${plural(runs.length, "run")} from ${format(start)} to ${format(stop)} s`);
  byId("observed").after(make("div", { class: "observed-text" }, make("span", { text: `${format(start)} s` }), make("span", { text: "observed time" }), make("span", { text: `${format(stop)} s` })));
}

function drawQuality() {
  byId("map-title").textContent = `Embedding (${facts.points.by})`;
  put("quality", ...facts.predictions.map((each, index) => {
    const scope = [each.scope && `Valid among ${visible(each.scope, 1000)}.`, isNumber(each.coverage) && `Prediction sets at a coverage of ${each.coverage}.`, ...each.notes.map((note) => visible(note, 1000))].filter(Boolean).join(" ");
    const grid = make("div", { class: "quality-grid" });
    if (each.truth) grid.append(drawConfusion(each), make("div", {}, make("h3", { text: "Reliability (units in each bin)" }), make("div", { class: "reliability", id: `reliability-${index}`, role: "img", "aria-label": `Accuracy against confidence: ${each.truth.reliability.map((bin) => `${bin.low} to ${bin.high}: ${bin.accuracy} of ${bin.units} units`).join("; ")}` })));
    grid.append(drawReasons(each));
    return make("section", { class: "card", "aria-label": `Predictions of ${visible(each.title, 60)}` }, make("h2", { text: `Predictions: ${visible(each.title, 80)}` }), make("p", { class: "muted", text: scope }), grid);
  }));
  drawReliability();
}

function drawConfusion(each) {
  const { rows, columns: named, counts, units: known, labelled, accuracy, accuracy_of_all: all } = each.truth;
  const head = make("tr", {}, make("th", { text: "true \\ predicted", scope: "col" }), ...named.map((name) => make("th", { scope: "col", text: visible(name, 24), title: visible(name) })));
  const lines = rows.map((name, at) => {
    const total = counts[at].reduce((sum, n) => sum + n, 0);
    return make("tr", {}, make("th", { scope: "row", text: `${visible(name, 24)} (${total})`, title: visible(name) }), ...counts[at].map((n) => {
      const share = total ? n / total : 0;
      const cell = make("td", { class: n ? "" : "empty", title: `${n} of ${total} units`, text: n ? `${n} · ${Math.round(100 * share)}%` : "0" });
      cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round(85 * share)}%, var(--soft))`;
      if (share > 0.55) cell.style.color = "var(--accent-text)";
      return cell;
    }));
  });
  const share = (value) => (isNumber(value) ? `${(100 * value).toFixed(1)}%` : "–");
  return make("div", {}, make("h3", { text: "Confusion (share of the true label)" }), make("div", { class: "confusion-wrap" }, make("table", { class: "confusion" }, make("thead", {}, head), make("tbody", {}, ...lines))),
    make("p", { class: "muted", text: `Of ${known} units with a known label, ${labelled} were labelled, and ${share(accuracy)} of these labels are right. If all had been labelled, ${share(all)} would be right. If the label head was fitted to these units, this is not a test of the model.` }));
}

function drawReasons(each) {
  const total = each.abstained.reduce((sum, one) => sum + one.units, 0);
  return make("div", {}, make("h3", { text: total ? `Abstained on ${plural(total, "unit")}, and why` : "The model abstained on no unit" }), make("div", { class: "reasons" }, ...each.abstained.slice(0, 12).flatMap((one) => [make("b", { text: one.units.toLocaleString("en") }), make("span", { text: visible(one.reason, 300) })])));
}

function drawReliability() {
  facts.predictions.forEach((each, index) => {
    if (!each.truth) return;
    const bins = each.truth.reliability;
    chart(`reliability-${index}`).setOption({
      animation: false, grid: { left: 44, right: 12, top: 22, bottom: 38 },
      xAxis: axis({ type: "value", min: 0, max: 1, name: "confidence", nameGap: 22 }), yAxis: axis({ type: "value", min: 0, max: 1, name: "accuracy", nameGap: 30 }),
      series: [
        { type: "line", data: [[0, 0], [1, 1]], symbol: "none", silent: true, lineStyle: { color: tone.muted, width: 1, type: "dashed" } },
        { type: "line", data: bins.map((bin) => [bin.confidence, bin.accuracy, bin.units]), symbol: "circle", symbolSize: 8, lineStyle: { color: tone.accent, width: 1.6 }, itemStyle: { color: tone.accent }, label: { show: true, position: "top", color: tone.muted, fontSize: 10, formatter: ({ data }) => String(data[2]) } },
      ],
    }, { notMerge: true });
  });
}
