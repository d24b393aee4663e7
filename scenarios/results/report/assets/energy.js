// The figures in large, and where energy came from and went to.
function tile(name, value, unit, more) {
  const [textual, symbol] = value === null || value === undefined ? [NONE, ""] : WRITE[unit](value);
  return el("div", { class: "tile" },
    el("div", { class: "name" }, name),
    el("div", { class: "value" }, textual, symbol && el("span", { class: "unit" }, symbol)),
    more && el("div", { class: "more" }, more));
}
// What a figure of half a run says of itself.
const ofPart = () => (chosen.run === null ? "" : partOf(RUNS[chosen.run]));
const straying = (stray, unit) => (stray === null ? "" : stray === 0 ? "in every run" : `SD ${written(stray, unit)}`);
// A figure's mean over the shown runs, and the standard deviation of the runs: ± is a 95 % interval on this page.
function figureTile(label, name, unit) {
  const values = meantRuns().map(run => run.kpis[name]).filter(value => value !== null && value !== undefined);
  const stray = deviation(values);
  return tile(label, mean(values), unit, ofPart() || straying(stray, unit));
}

function drawTiles() {
  if (chosen.house === null) {
    place("tiles",
      figureTile("Self-sufficiency", "self_sufficiency", "share"),
      figureTile("Self-consumption", "self_consumption", "share"),
      figureTile("Consumed", "consumed_wh", "wh"),
      figureTile("From panels", "local_wh", "wh"),
      figureTile("From the grid", "grid_wh", "wh"),
      figureTile("Produced", "produced_wh", "wh"),
      figureTile("Peak to average, consumption", "consumption_peak_to_average", "ratio"),
      figureTile("Jobs on the grid", "jobs_on_grid", "count"),
      DATA.tariff && figureTile("Total bill", "bill_eur", "eur"),
      meantRuns().some(run => run.comparison.optimum) && optimumTile("optimum", "Share of the best plan known"),
      meantRuns().some(run => run.comparison.shared_optimum) && optimumTile("shared_optimum", "Share of the best plan known, shared supply"));
    return;
  }
  const energies = meantRuns().map(run => energyOf(run, chosen.house));
  const over = pick => mean(energies.map(pick));
  const consumed = over(e => e.consumed);
  place("tiles",
    tile("Self-sufficiency", consumed ? over(e => e.own + e.near) / consumed : null, "share", ofPart()),
    tile("Consumed", consumed, "wh"),
    tile("From own panels", over(e => e.own), "wh"),
    tile("From neighbours", over(e => e.near), "wh"),
    tile("From the grid", over(e => e.grid), "wh"),
    tile("Produced", producedBy(p => p.house === chosen.house), "wh"),
    tile("Jobs", over(e => e.jobs), "count"),
    DATA.tariff && tile("Bill", over(e => e.bill), "eur", `without neighbourhood ${written(over(e => e.alone), "eur")}`));
}
function optimumTile(name, title) {
  const shares = meantRuns().map(run => run.comparison[name] && run.comparison[name].share)
    .filter(share => typeof share === "number");
  return tile(title, mean(shares), "share");
}

const PARTS = {
  own: ["own", null], near: ["near", "hatch"], grid: ["grid", "dots"], rest: ["rest", "lines"], sun: ["sun", null],
};
function swatch(kind) {
  const [colour, pattern] = PARTS[kind];
  if (kind === "sun") return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("rect", { width: 16, height: 16, class: "sun-area" }), svg("path", { d: "M0,1H16", class: "sun-line" }));
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("rect", { width: 16, height: 16, rx: 3, class: `f-${colour}` }),
    pattern && svg("rect", { width: 16, height: 16, rx: 3, class: `f-${pattern}` }));
}
// A bar of parts; colours are backed by patterns, and the numbers stand beside it.
function stack(parts, whole, label) {
  let at = 0;
  const shapes = [];
  for (const [kind, value] of parts) {
    const width = whole > 0 ? (100 * value) / whole : 0;
    if (width <= 0) continue;
    const [colour, pattern] = PARTS[kind];
    const box = { x: `${at}%`, y: 0, width: `${width}%`, height: "100%" };
    shapes.push(svg("rect", { ...box, class: `f-${colour}` }), pattern && svg("rect", { ...box, class: `f-${pattern}` }));
    at += width;
  }
  return svg("svg", { class: "stack", role: "img", "aria-label": label }, shapes.filter(Boolean));
}
function splitBar(title, names) {
  const whole = sum(names.map(([, , value]) => value));
  const share = value => (whole > 0 ? ` (${written(value / whole, "share")})` : "");
  const label = `${title}: ${names.map(([, name, value]) => `${name} ${written(value, "wh")}${share(value)}`).join(", ")}`;
  const bar = () => stack(names.map(([kind, , value]) => [kind, value]), whole, label);
  const saved = () => ({ title: `${title}: ${written(whole, "wh")}`, drawing: bar(), width: 800, height: 40,
    keys: names.map(([kind, name, value]) => [kind, `${name} ${written(value, "wh")}${share(value)}`]) });
  return el("div", {},
    el("div", { class: "split-title" }, el("span", {}, title), el("b", {}, written(whole, "wh"))),
    bar(),
    el("ul", { class: "keys" }, names.map(([kind, name, value]) =>
      el("li", {}, swatch(kind), el("span", {}, name), el("b", {}, written(value, "wh")), share(value)))), saveButtons(title, saved));
}
function drawSplits() {
  const energies = meantRuns().map(run => energyOf(run, chosen.house));
  const over = pick => mean(energies.map(pick));
  const own = over(e => e.own), near = over(e => e.near), grid = over(e => e.grid);
  const all = chosen.house === null;
  const produced = all ? mean(meantRuns().map(run => run.kpis.produced_wh)) : producedBy(p => p.house === chosen.house);
  const sold = all ? near : mean(meantDetailed().map(run => soldBy(run, chosen.house))) || 0;
  const place_ = all ? "the same house" : "this house";
  place("splits",
    splitBar("Where the energy came from", [
      ["own", "own panels", own], ["near", "panels of neighbours", near], ["grid", "grid", grid]]),
    produced > 0 && splitBar("Where the solar energy went", [
      ["own", `to ${place_}`, own], ["near", all ? "to neighbours" : "sold to neighbours", sold],
      ["rest", "surplus", Math.max(0, produced - own - sold)]]));
}
