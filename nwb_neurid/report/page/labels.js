// Labels that the reader gives to selected units, and labels.csv.

const undoing = [];
let saved = true;

function drawSelection() {
  const n = state.selected.size;
  byId("selected-count").textContent = n ? `${plural(n, "unit")} selected` : "no unit selected";
  byId("label-apply").disabled = n === 0;
  byId("select-none").disabled = n === 0;
}

function drawLabels() {
  const names = new Set([...labels.values(), ...columns.filter((column) => column.role === "known").flatMap((column) => column.levels.length < 100 ? column.levels : []), ...facts.predictions.flatMap((each) => each.classes)]);
  put("label-known", ...[...names].filter(Boolean).slice(0, 200).map((name) => make("option", { value: name })));
  byId("label-download").disabled = labels.size === 0;
  byId("label-undo").disabled = undoing.length === 0;
  const hint = byId("label-hint");
  if (!labels.size) {
    hint.textContent = "Select units in the map (lasso, or Ctrl and click), in the table or with Space. Type a label and press Apply. Then download labels.csv and fit a label head with it.";
    return;
  }
  const column = byId("label-column").value.trim() || "label";
  hint.replaceChildren(`${plural(labels.size, "unit")} labelled. Next: `, make("code", { text: `nwb-neurid fit-labels MODEL ${facts.origins ? "DATASET" : "RECORDING"} --labels labels.csv --label ${visible(column, 60)} --output FOLDER` }));
}

function startLabels() {
  const field = byId("label-column");
  field.value = facts.predictions[0]?.label.replace(/^putative_/, "") ?? (columnNamed("cell_type") ? "cell_type" : "label");
  field.oninput = drawLabels;
  byId("label-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("label-text").value.trim();
    if (!state.selected.size) return;
    undoing.push([...state.selected].map((row) => [row, labels.get(row)]));
    for (const row of state.selected) if (text) labels.set(row, text); else labels.delete(row);
    saved = false;
    byId("label-text").value = "";
    changed("labels");
  });
  byId("label-undo").onclick = () => {
    for (const [row, before] of undoing.pop() ?? []) if (before === undefined) labels.delete(row); else labels.set(row, before);
    changed("labels");
  };
  byId("select-none").onclick = () => selectRows([], false);
  byId("select-shown").onclick = () => selectRows(ordered, false);
  byId("label-download").onclick = () => {
    // Rows name units where ids do not: they repeat, or csv cannot hold them as they are.
    const from = facts.origins;
    const ids = from?.ids ?? facts.ids, numbers = !from && facts.ids_are_numbers;
    const names = new Set(ids.map((id, row) => (from ? JSON.stringify([from.source[row], id]) : id)));
    const unclear = names.size !== units || (!numbers && ids.some((id) => /^[=+\-@\s]|\s$/.test(id)));
    const head = [...(from ? ["source"] : []), "unit_id", ...(unclear ? ["row"] : []), field.value.trim() || "label"];
    const name = (row) => [...(from ? [from.sources[from.source[row]], ids[row]] : [idOf(row)]), ...(unclear ? [from?.rows[row] ?? row] : [])];
    const rows = [...labels].sort((a, b) => a[0] - b[0]).map(([row, label]) => [...name(row), label]);
    download("labels.csv", csv([head, ...rows]));
    saved = true;
  };
  window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
}
