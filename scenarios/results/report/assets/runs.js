// How figures are spread over runs, the runs one by one, and what all of it was made with.
function strip(values, spread) {
  const low = Math.min(...values), high = Math.max(...values);
  const at = value => `${high > low ? 4 + (92 * (value - low)) / (high - low) : 50}%`;
  return svg("svg", { class: "strip", "aria-hidden": "true" }, svg("line", { x1: "2%", x2: "98%", y1: 9, y2: 9 }),
    values.map(value => svg("circle", { cx: at(value), cy: 9, r: 3.2 })),
    svg("line", { class: "mean", x1: at(spread.mean), x2: at(spread.mean), y1: 2, y2: 16 }));
}
function drawRuns() {
  const known = DATA.figures.filter(figure => DATA.spread[figure.name] && DATA.spread[figure.name].runs > 0);
  const several = RUNS.length > 1, counted = COMPLETE.length < RUNS.length ? `the ${COMPLETE.length} complete ones of ${RUNS.length} runs` : `${RUNS.length} runs`;
  const name = figure => el("th", { scope: "row", title: figure.note || null }, figure.label);
  const cell = (value, unit) => el("td", { class: "num" }, written(value, unit));
  const table = several
    ? el("table", {}, el("caption", {}, `Of ${counted}; in brackets the interval that holds the mean with 95 % confidence (Student's t)`),
      el("thead", {}, el("tr", {}, ["Figure", "Mean", "Standard deviation", "95 % interval", "Lowest", "Highest", "Runs"].map((head, i) =>
        el("th", { scope: "col", class: i && i < 6 ? "num" : null }, head)))),
      el("tbody", {}, known.map(figure => {
        const s = DATA.spread[figure.name], values = COMPLETE.map(run => run.kpis[figure.name]).filter(v => v !== null);
        const between = s.low_95 === null ? NONE : `[${written(s.low_95, figure.unit)}, ${written(s.high_95, figure.unit)}]`;
        return el("tr", {}, name(figure), cell(s.mean, figure.unit), cell(s.standard_deviation, figure.unit),
          el("td", { class: "num" }, between), cell(s.minimum, figure.unit), cell(s.maximum, figure.unit),
          el("td", {}, strip(values, s)));
      })))
    : el("table", {}, el("caption", {}, ofPart() ? `All figures of the run, ${ofPart()}: they cover that part only` : "All figures of the run"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Figure"), el("th", { scope: "col", class: "num" }, "Value"), el("th", { scope: "col" }, "What it is"))),
      el("tbody", {}, known.map(figure => el("tr", {}, name(figure), cell(RUNS[0].kpis[figure.name], figure.unit), el("td", {}, figure.note)))));
  place("runs", el("div", { class: "scroll" }, table), el("h3", {}, "Peaks over intervals"), peaksTable(), optimumTable(),
    several && el("h3", {}, "Run by run"), several && runTable());
}
function peaksTable() {
  const runs = meantRuns();
  const rows = runs[0].peaks.map((row, i) => row.map((value, j) => (j ? mean(runs.map(run => run.peaks[i][j]).filter(v => v !== null)) : value)));
  return el("div", { class: "scroll" }, el("table", {},
    el("caption", {}, `Highest mean power of an interval, and how far it stands above the mean of all${runs.length > 1 ? `; mean of ${runs.length} runs` : ""}`),
    el("thead", {}, el("tr", {}, ["Interval", "Peak consumption", "Peak to average", "Peak production", "Peak to average"].map((head, i) =>
      el("th", { scope: "col", class: i ? "num" : null }, head)))),
    el("tbody", {}, rows.map(row => el("tr", {}, el("th", { scope: "row" }, `${row[0] / 60} min`),
      ["w", "ratio", "w", "ratio"].map((unit, i) => el("td", { class: "num" }, written(row[i + 1], unit))))))));
}
function optimumTable() {
  const tables = [
    optimumTableOf("optimum", "Compared with the optimum for whole jobs", "The clairvoyant optimum knows all jobs and the real production in advance; no run or plan that keeps the rules of contracts for whole jobs can be above the bound. The last columns: the shares that would have been reached without negotiation; PySSMic's rule promises more than the forecasts, which no contract does, so its share may exceed 100 %"),
    optimumTableOf("shared_optimum", "Compared with the optimum for shared supply", "Here all panels supply the jobs together, minute by minute; no run can be above the bound"),
  ].filter(Boolean);
  return tables.length ? tables.flat() : null;
}
function optimumTableOf(kind, title, caption) {
  const runs = meantRuns().filter(run => run.comparison[kind]);
  if (!runs.length) return null;
  const of = run => run.comparison[kind];
  const cell = (value, unit) => el("td", { class: "num" }, written(value, unit));
  const without = (kind === "optimum" && runs[0].comparison.baselines || []).map(baseline => baseline.name);
  const shareOf = (run, name) => (run.comparison.baselines.find(baseline => baseline.name === name) || { share: null }).share;
  return [el("h3", {}, title), el("div", { class: "scroll" }, el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ["Run", "Delivered", "Best plan known", "Proven bound", "Share of the best plan", ...without.map(name => `By ${name}`)].map((head, i) =>
      el("th", { scope: "col", class: i ? "num" : null }, head)))),
    el("tbody", {}, runs.map(run => el("tr", {}, el("th", { scope: "row" }, `Run ${run.run}`), cell(run.kpis.delivered_wh, "wh"),
      cell(of(run).best_wh, "wh"), cell(of(run).bound_wh, "wh"), cell(of(run).share, "share"),
      without.map(name => cell(shareOf(run, name), "share")))))))];
}
function runTable() {
  const figure = (name, key, unit) => ({ name, kind: "num", first: -1, value: run => run.kpis[key], cell: run => written(run.kpis[key], unit) + (partOf(run) && "*") });
  const optimum = run => run.comparison.optimum?.share ?? null;
  return sortableTable({
    caption: "Equal ledgers have equal hashes" + (COMPLETE.length < RUNS.length ? ". * Of the part that ran; in no mean" : ""),
    page: 60,
    rowClass: run => (chosen.run !== null && RUNS[chosen.run] === run ? "chosen" : null),
    columns: [
      { name: "Run", kind: "", value: run => run.run, cell: run => el("button", { type: "button", class: "link",
        onclick: () => { chosen.run = RUNS.indexOf(run); drawAll(); window.scrollTo({ top: 0 }); } }, `Run ${run.run}`) },
      { name: "Seed", kind: "num", value: run => run.seed, cell: run => run.seed },
      { name: "State", kind: "", value: run => run.state, cell: run => partOf(run) || run.state },
      figure("Self-sufficiency", "self_sufficiency", "share"), figure("Self-consumption", "self_consumption", "share"),
      figure("Grid", "grid_wh", "wh"), figure("On the grid", "jobs_on_grid", "count"),
      ...(RUNS.some(optimum) ? [{ name: "Share of optimum", kind: "num", first: -1, value: optimum, cell: run => written(optimum(run), "share") }] : []),
      { name: "Negotiations", kind: "num", first: -1, value: run => run.negotiations, cell: run => number(run.negotiations, 0) },
      { name: "Messages", kind: "num", first: -1, value: run => run.messages, cell: run => number(run.messages, 0) },
      { name: "Run time", kind: "num", first: -1, value: run => run.wall_s, cell: run => (run.wall_s === null ? NONE : `${number(run.wall_s, 2)} s`) },
      { name: "Ledger", kind: "", value: run => run.sha, cell: run => (run.sha ? el("code", { title: run.sha }, run.sha.slice(0, 10)) : NONE) },
    ],
    rows: RUNS,
  }).node;
}
function drawMade() {
  const line = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
  const settings = Object.entries(DATA.settings).map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  place("made", el("dl", {},
    line("Results", el("code", {}, DATA.file)), line("Created", DATA.created),
    line("Algorithm", DATA.algorithm), settings.length > 0 && line("Settings", settings.join(" · ")),
    line("Broker", DATA.broker), line("Hosts", DATA.hosts === null ? "one per household" : DATA.hosts),
    line("Seeds", RUNS.map(run => run.seed).join(", ")),
    RUNS.length === 1 && line("Ledger (SHA-256)", el("code", {}, RUNS[0].sha || NONE)),
    RUNS.length === 1 && line("Messages", `${number(RUNS[0].messages, 0)}, ${plural(RUNS[0].negotiations, "negotiation")}`),
    line("Versions", Object.entries(DATA.versions).map(([name, version]) => `${name} ${version}`).join(" · "))),
  el("p", { class: "note" }, "Energy is settled minute by minute. In a minute a panel delivers what it gives, at most what the jobs " +
    "with its contracts draw; what it promised and did not give is grid power. So consumed = delivered + base load from panels + " +
    `grid, and contracted = delivered + shortfall. Times are shown ${inZone()}${DATA.knows_offset ? "" : ", because this file was written before results kept the scenario's offset"}.`));
}
