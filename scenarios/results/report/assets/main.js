// The controls, and what stands above everything.
function drawHead() {
  const end = DATA.intervals * DATA.interval;
  document.getElementById("lede").textContent = DATA.description;
  document.getElementById("facts").textContent = [DATA.algorithm, plural(RUNS.length, "run"), plural(HOUSES.length, "household"),
    plural(PRODUCERS.length, "producer"), plural(DATA.job_count, "job"),
    `${moment(0)} to ${moment(end)} ${yearOf(DATA.start + end)}, ${zoneName()}`].join(" · ");
}
function drawNotices() {
  const said = [];
  const tell = (run, words) => said.push(RUNS.length > 1 ? `Run ${run.run} ${words}` : `The run ${words}`);
  const covers = run => `Its figures cover the time until ${moment(run.end)}, ${Math.min(99, Math.round(100 * run.covered))}\u202f% of it` +
    (RUNS.length > 1 ? ", and are excluded from means." : ".");
  for (const run of shownRuns()) {
    if (run.state === "running") tell(run, `had not ended when this page was made, or broke off. ${covers(run)}`);
    if (run.state === "interrupted") tell(run, `was interrupted. ${covers(run)}`);
    if (run.state === "failed") tell(run, `failed: ${run.error || "no reason is known"}. ${covers(run)}`);
    for (const [host, why, quarantined] of run.without)
      tell(run, `ended without ${host}, which was ${quarantined ? "quarantined" : "dropped"}: ${why}.`);
    if (run.disputes.length) tell(run, `has ${plural(run.disputes.length, "dispute")}; the ledger stands: ` +
      `${run.disputes.slice(0, 5).join("; ")}${run.disputes.length > 5 ? "; …" : "."}`);
    if (run.missing.length) tell(run, `ended before ${plural(run.missing.length, "job")} registered: ${run.missing.slice(0, 20).join(", ")}${run.missing.length > 20 ? " …" : ""}`);
  }
  if (RUNS.length < DATA.planned) said.push(`${RUNS.length} of ${plural(DATA.planned, "planned run")} are here.`);
  const many = said.length > 6;
  place("notices", said.slice(0, 6).map(words => el("p", { class: "notice", role: "note" }, words)),
    many && el("p", { class: "notice" }, `… and ${said.length - 6} more; choose a run to read about it.`));
}
function drawControls() {
  const simulation = document.getElementById("simulation"), times = document.getElementById("times");
  simulation.replaceChildren(...SIMULATIONS.map((_, i) => el("option", { value: i }, simulationName(i))));
  simulation.parentElement.hidden = SIMULATIONS.length < 2;
  simulation.addEventListener("change", () => { openSimulation(Number(simulation.value)); drawAll(); });
  times.hidden = SIMULATIONS.every(one => one.offsets.every(([, offset]) => offset === 0));
  times.addEventListener("click", () => { chosen.utc = !chosen.utc; useTimes(); drawHead(); drawMade(); drawAll(); });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawDay(); drawSeveral(); } });
  const run = document.getElementById("run"), house = document.getElementById("house");
  run.addEventListener("change", () => { chosen.run = run.value === "" ? null : Number(run.value); drawAll(); });
  house.addEventListener("change", () => { chosen.house = house.value === "" ? null : Number(house.value); drawAll(); });
  document.getElementById("reset").addEventListener("click", () => {
    chosen.run = everyRun();
    chosen.house = null;
    chosen.day = 0;
    chosen.jobs.clear();
    Object.assign(filter, { words: "", supplier: "", changed: false });
    drawAll();
  });
}
// Another simulation: its runs and households, all of them.
function openSimulation(index) {
  useSimulation(index);
  chosen.run = everyRun();
  chosen.house = null;
  chosen.day = 0;
  chosen.jobs.clear();
  Object.assign(filter, { words: "", supplier: "", changed: false });
  fillControls();
  drawHead();
  drawMade();
}
function fillControls() {
  const run = document.getElementById("run"), house = document.getElementById("house");
  run.replaceChildren(...(RUNS.length > 1 && COMPLETE.length > 0 ? [el("option", { value: "" },
    COMPLETE.length < RUNS.length ? `all ${RUNS.length}: mean of the ${COMPLETE.length} complete` : `all ${RUNS.length}: their mean`)] : []),
    ...RUNS.map((r, i) => el("option", { value: i }, `run ${r.run}, seed ${r.seed}${partOf(r) && ` (${partOf(r)})`}`)));
  house.replaceChildren(el("option", { value: "" }, `all ${HOUSES.length}`), ...HOUSES.map((h, i) => el("option", { value: i }, h.label)));
}
// Light or dark as the system has it, or as the reader chooses; print is always light.
const THEMES = ["system", "light", "dark"];
function setTheme(theme) {
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.getElementById("theme").textContent = `Colours: ${theme}`;
}
function startTheme() {
  let theme = "system";
  document.getElementById("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(theme));
  setTheme(theme);
}
// What is chosen stands in the address, so that it can be kept and passed on: report.html#run=2&house=adler&job=wash
// All runs by their mean; where none is complete there is no mean, so the first.
const everyRun = () => (RUNS.length > 1 && COMPLETE.length > 0 ? null : 0);
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const simulation = Math.max(0, SIMULATIONS.findIndex((_, i) => letterOf(i) === asked.get("simulation")));
  if (simulation !== chosen.simulation) openSimulation(simulation);
  const run = RUNS.findIndex(r => String(r.run) === asked.get("run"));
  const house = HOUSES.findIndex(h => h.id === asked.get("house"));
  chosen.run = run < 0 ? everyRun() : run;
  chosen.house = house < 0 ? null : house;
  chosen.day = Math.min(DAYS, Math.max(1, Number(asked.get("day")) || 1)) - 1;
  chosen.jobs = new Set(asked.getAll("job"));
}
function writeAddress() {
  const said = new URLSearchParams();
  if (chosen.simulation) said.set("simulation", letterOf(chosen.simulation));
  if (chosen.run !== null && RUNS.length > 1) said.set("run", RUNS[chosen.run].run);
  if (chosen.house !== null) said.set("house", HOUSES[chosen.house].id);
  if (chosen.day > 0) said.set("day", chosen.day + 1);
  for (const job of chosen.jobs) said.append("job", job);
  if (said.toString() !== location.hash.slice(1)) history.replaceState(null, "", `#${said}`);
}
function drawAll() {
  writeAddress();
  document.getElementById("simulation").value = chosen.simulation;
  document.getElementById("times").textContent = `Times: ${zoneName()}`;
  document.getElementById("run").value = chosen.run ?? "";
  document.getElementById("house").value = chosen.house ?? "";
  document.getElementById("s-houses").hidden = false;
  drawNotices();
  drawSeveral();
  drawTiles();
  drawSplits();
  drawDay();
  drawHouses();
  drawBills();
  drawProducers();
  drawContracts();
  drawRuns();
}
document.body.append(svg("svg", { width: 0, height: 0, style: null, "aria-hidden": "true" }, svg("defs", {},
  svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { class: "hatch-line", x1: 0, y1: 0, x2: 0, y2: 6 })),
  svg("pattern", { id: "dots", width: 6, height: 6, patternUnits: "userSpaceOnUse" },
    svg("circle", { class: "dot", cx: 3, cy: 3, r: 1.1 })),
  svg("pattern", { id: "lines", width: 4, height: 4, patternUnits: "userSpaceOnUse" },
    svg("line", { class: "hatch-line", x1: 0, y1: 0, x2: 0, y2: 4 })))));
useSimulation(0);
readAddress();
addEventListener("hashchange", () => { readAddress(); drawAll(); });
startTheme();
drawHead();
drawControls();
fillControls();
drawMade();
drawAll();
