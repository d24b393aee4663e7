// Several simulations side by side: mean and 95 % interval of a figure, and a table of the main figures.
const MAIN_FIGURES = ["self_sufficiency", "self_consumption", "consumed_wh", "delivered_wh", "grid_wh", "produced_wh",
  "consumption_peak_to_average", "peak_import_w", "jobs_on_grid", "mean_delay_s", "bill_eur"];
let compared = "self_sufficiency";

function simulationName(index) {
  const one = SIMULATIONS[index];
  return `${letterOf(index)} · ${one.scenario}, ${one.algorithm}, ${plural(one.runs.length, "run")}`;
}
const spreadIn = (one, name) => one.spread[name] || { runs: 0, mean: null, low_95: null, high_95: null };
function spreadText(of, unit) {
  if (of.mean === null) return NONE;
  const half = of.low_95 === null ? null : of.high_95 - of.mean;
  return `${written(of.mean, unit)}${half ? ` ± ${written(half, unit)}` : ""}`;
}
function drawSeveral() {
  document.getElementById("s-several").hidden = SIMULATIONS.length < 2;
  if (SIMULATIONS.length < 2) return;
  const figures = MAIN_FIGURES.map(name => DATA.figures.find(figure => figure.name === name))
    .filter(figure => figure && SIMULATIONS.some(one => spreadIn(one, figure.name).mean !== null));
  if (!figures.some(figure => figure.name === compared)) compared = figures[0].name;
  const figure = figures.find(one => one.name === compared);
  const choice = el("select", { onchange: () => { compared = choice.value; drawSeveral(); } },
    figures.map(one => el("option", { value: one.name, selected: one.name === compared }, one.label)));
  const table = el("table", {}, el("caption", {}, "Mean of the runs ± half of its 95 % confidence interval (Student's t)"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Figure"),
      SIMULATIONS.map((_, i) => el("th", { scope: "col", class: "num" }, simulationName(i))))),
    el("tbody", {}, figures.map(one => el("tr", {}, el("th", { scope: "row", title: one.note || null }, one.label),
      SIMULATIONS.map(simulation => el("td", { class: "num" }, spreadText(spreadIn(simulation, one.name), one.unit)))))));
  const scenarios = new Set(SIMULATIONS.map(one => one.scenario));
  const room = Math.max(300, Math.min(1000, document.getElementById("several").clientWidth || 1000));
  const saved = () => ({ title: `${figure.label}: mean and 95 % interval`, ...whiskers(figure, 900), keys: [] });
  const shown = whiskers(figure, room);
  place("several", el("div", { class: "tools" }, el("label", {}, "Figure", choice)),
    el("div", { class: "chart" }, shown.drawing), saveButtons(`simulations ${figure.label}`, saved),
    el("div", { class: "scroll" }, table),
    scenarios.size > 1 && el("p", { class: "note" }, "These are simulations of different scenarios: differences are not due to the algorithm alone."),
    el("p", { class: "note" }, "Below is one simulation at a time; choose it at the top of the page."));
}
function whiskers(figure, width) {
  const rows = SIMULATIONS.map((one, i) => ({ name: simulationName(i), of: spreadIn(one, figure.name) }));
  const ends = rows.filter(row => row.of.mean !== null).flatMap(({ of }) => [of.mean, of.low_95 ?? of.mean, of.high_95 ?? of.mean]);
  const low = Math.min(...ends), high = Math.max(...ends), margin = (high - low || Math.abs(high) || 1) * 0.08;
  const gap = 44, height = rows.length * gap + 26, left = 10, right = width - 10;
  const x = value => left + ((right - left) * (value - low + margin)) / (high - low + 2 * margin);
  const marks = [low, (low + high) / 2, high].filter((value, i, all) => all.indexOf(value) === i);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": rows.map(row => `${row.name}: ${spreadText(row.of, figure.unit)}`).join("; ") },
  svg("g", { class: "axis" }, marks.map((value, i) => [
    svg("line", { x1: x(value), x2: x(value), y1: 0, y2: height - 20 }),
    svg("text", { x: x(value), y: height - 4, "text-anchor": marks.length < 2 ? "middle" : ["start", "middle", "end"][i] }, written(value, figure.unit))])),
  rows.map(({ name, of }, i) => {
    const y = i * gap + 28;
    return [svg("text", { class: "saved-text", x: left, y: y - 12 }, `${name}: ${spreadText(of, figure.unit)}`),
      of.low_95 !== null && of.mean !== null && [svg("line", { class: "whisker", x1: x(of.low_95), x2: x(of.high_95), y1: y, y2: y }),
        [of.low_95, of.high_95].map(end => svg("line", { class: "whisker", x1: x(end), x2: x(end), y1: y - 5, y2: y + 5 }))],
      of.mean !== null && svg("circle", { class: "middle", cx: x(of.mean), cy: y, r: 4.5 })];
  }));
  return { drawing, width, height };
}
