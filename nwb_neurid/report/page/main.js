// Start: what is drawn when, the colour, the filters, the keys and the theme.

function startColour() {
  const options = columns.filter((column) => column.kind !== "id" && !(column.role === "reason"));
  byId("colour").replaceChildren(...options.map((column) => make("option", { value: columns.indexOf(column), text: visible(column.title, 60) })));
  const known = options.find((column) => column.role === "known");
  const first = predicted ?? columnNamed("cell_type") ?? options.find((column) => column.role === "cluster") ?? known ?? options[0];
  state.colour = first ?? { kind: "text", levels: [""], codes: new Array(units).fill(0) };
  byId("colour").value = String(columns.indexOf(first));
  byId("colour").onchange = (event) => { state.colour = columns[Number(event.target.value)]; state.hidden = new Set(); changed("filter"); };
  byId("confidence").oninput = (event) => { state.confidence = Number(event.target.value); byId("confidence-value").textContent = state.confidence.toFixed(2); state.page = 0; later(() => changed("filter")); };
  byId("hide-abstained").onchange = (event) => { state.labelledOnly = event.target.checked; state.page = 0; changed("filter"); };
  byId("clear-filters").onclick = () => {
    Object.assign(state, { hidden: new Set(), confidence: 0, labelledOnly: false, query: "", page: 0 });
    byId("confidence").value = 0;
    byId("confidence-value").textContent = "0";
    byId("hide-abstained").checked = false;
    byId("search").value = "";
    changed("filter");
  };
  byId("confidence-field").hidden = !probability;
  byId("abstained-field").hidden = !predicted;
}

let pending = 0;
/** Once a frame, however often a slider moves. */
function later(draw) {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(draw);
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  readTone();
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "checkbox" && event.target.type !== "range";
    if (event.key === "Escape") { if (typing) event.target.blur(); else selectRows([], false); return; }
    if (typing) return;
    const act = {
      "/": () => byId("search").focus(), l: () => byId("label-text").focus(), n: () => choose(neighboursOf(state.current)[0] ?? -1),
      b: () => { const before = state.history.pop(); if (before !== undefined) choose(before, { remember: false }); },
      "?": () => byId("help").showModal(),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
    if (event.key === " " && event.target.id === "map") { event.preventDefault(); toggle(state.current); }
  });
  byId("help-button").onclick = () => byId("help").showModal();
}

when(["filter", "theme"], drawMap);
when(["current", "hovered", "selected"], drawMarks);
when(["current", "hovered", "selected", "labels", "theme"], drawUnit);
when(["filter", "query", "sort", "labels"], drawTable);
when(["current"], followCurrent);
when(["selected"], markSelected);
when(["selected"], drawSelection);
when(["labels"], drawLabels);
when(["theme"], drawReliability);

if (!facts.places) {
  byId("place-card").hidden = true;
  document.querySelector("main").classList.add("no-place");
  byId("recording").before(byId("observed"));
} else {
  byId("place").classList.toggle("plane", facts.places.kind === "rois");
  byId("place-title").textContent = facts.kind === "spikes" ? "Probe" : "Imaging plane";
}
setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => { setTheme(event.matches); changed("theme"); });
byId("theme").onclick = () => { setTheme(!isDark()); changed("theme"); };
startColour();
drawAbout();
drawQuality();
drawMap();
startMap();
startUnit();
startTable();
startLabels();
startKeys();
drawTable();
drawSelection();
drawLabels();
choose(Math.max(0, facts.points.x.findIndex(isNumber)), { remember: false });
document.documentElement.dataset.ready = "true";
