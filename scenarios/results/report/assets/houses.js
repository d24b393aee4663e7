// Households and producers: a bar each, and what it adds up to.
function chooseHouse(index) {
  chosen.house = index;
  drawAll();
  document.getElementById("main").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}
function houseLink(index) {
  return el("button", { type: "button", class: "link", onclick: () => chooseHouse(index) }, HOUSES[index].label);
}
function drawHouses() {
  const runs = meantRuns();
  const rows = HOUSES.map((house, index) => {
    const energies = runs.map(run => energyOf(run, index));
    const over = pick => mean(energies.map(pick));
    const row = { index, house, stray: deviation(energies.map(e => e.grid)) };
    for (const key of ["consumed", "own", "near", "grid"]) row[key] = over(e => e[key]);
    row.share = row.consumed > 0 ? (row.own + row.near) / row.consumed : null;
    row.bill = DATA.tariff ? over(e => e.bill) : null;
    row.alone = DATA.tariff ? over(e => e.alone) : null;
    return row;
  }).filter(row => chosen.house === null || row.index === chosen.house);
  const widest = Math.max(...rows.map(row => row.consumed), 1);
  const energy = (name, key) => ({ name: `${name}, kWh`, kind: "num", first: -1, value: row => row[key],
    cell: row => `${kwh(row[key])}${key === "grid" && row.stray ? ` (SD ${kwh(row.stray)})` : ""}` });
  const money = (name, value) => ({ name: `${name}, €`, kind: "num", first: -1, value, cell: row => number(value(row), 2) });
  const bars = row => stack([["own", row.own], ["near", row.near], ["grid", row.grid]], widest,
    `${row.house.label}: own panels ${written(row.own, "wh")}, neighbours ${written(row.near, "wh")}, grid ${written(row.grid, "wh")}`);
  const table = sortableTable({
    caption: runs.length > 1 ? `Mean of ${runs.length} runs; of grid energy the standard deviation too` : "Energy of each household",
    page: 25,
    columns: [
      { name: "Household", value: row => row.house.label, cell: row => houseLink(row.index), kind: "text" },
      { name: "Shares", cell: bars, kind: "wideline" },
      energy("Consumed", "consumed"), energy("Own", "own"), energy("Neighbours", "near"), energy("Grid", "grid"),
      { name: "Self-sufficiency", kind: "num", first: -1, value: row => row.share, cell: row => written(row.share, "share") },
      ...(DATA.tariff ? [money("Bill", row => row.bill), money("Without", row => row.alone),
        money("Saved", row => row.alone - row.bill)] : []),
    ],
    rows,
  });
  place("houses", el("ul", { class: "keys" }, el("li", {}, swatch("own"), "own panels"),
    el("li", {}, swatch("near"), "panels of neighbours"), el("li", {}, swatch("grid"), "grid")), table.node,
  saveButtons("households", () => barsPicture("Energy of each household, kWh",
    [["own", "own panels"], ["near", "panels of neighbours"], ["grid", "grid"]],
    rows.slice(0, MOST_ROWS).map(row => [row.house.label, bars(row), kwh(row.consumed)]))),
  DATA.tariff && el("p", { class: "note" },
    `Bills in euro: grid power ${DATA.tariff.import} ct/kWh, among neighbours ${DATA.tariff.neighbour}, ` +
    `fed in ${DATA.tariff.feed_in}. A negative bill is paid out. “Without”: without the neighbourhood, that is, the same ` +
    "consumption at the same times on the house's own panels and the grid."));
}
function drawProducers() {
  const runs = meantDetailed();
  const rows = PRODUCERS.map((producer, index) => ({ producer, index, produced: producedBy(p => p === producer) }))
    .filter(row => chosen.house === null || row.producer.house === chosen.house);
  if (DATA.large) for (const row of rows) {
    const over = pick => mean(meantRuns().map(pick)) || 0;
    row.own = over(run => run.houses[row.producer.house][1]);
    row.near = over(run => run.sold[row.producer.house]);
    row.rest = Math.max(0, row.produced - row.own - row.near);
  } else for (const row of rows) {
    const served = runs.map(run => run.contracts.flatMap(({ job, shares }) =>
      shares.filter(share => share.producer === row.producer).map(share => ({ job, ...share }))));
    const over = pick => mean(served.map(contracts => sum(contracts.map(pick)))) || 0;
    const base = part => mean(runs.map(run => givenBy(run, row.producer)[part])) || 0;
    row.own = over(c => (c.job.house === row.producer.house ? c.delivered : 0)) + base(0);
    row.near = over(c => (c.job.house === row.producer.house ? 0 : c.delivered)) + base(1);
    row.promised = over(c => c.promised);
    row.jobs = over(() => 1);
    row.rest = Math.max(0, row.produced - row.own - row.near);
  }
  if (!rows.length) {
    place("producers", el("p", { class: "note" }, chosen.house === null ? "There is no producer." : "This household has no panels."));
    return;
  }
  const widest = Math.max(...rows.map(row => row.produced), 1);
  const energy = (name, key) => ({ name: `${name}, kWh`, kind: "num", first: -1, value: row => row[key], cell: row => kwh(row[key]) });
  const bars = row => stack([["own", row.own], ["near", row.near], ["rest", row.rest]], widest,
    `${row.producer.id}: own ${written(row.own, "wh")}, neighbours ${written(row.near, "wh")}, surplus ${written(row.rest, "wh")}`);
  place("producers", el("ul", { class: "keys" }, el("li", {}, swatch("own"), "to the same house"),
    el("li", {}, swatch("near"), "to neighbours"), el("li", {}, swatch("rest"), "surplus")), sortableTable({
    caption: runs.length > 1 ? `Mean of ${runs.length} runs` : "What each producer gave, and what houses used of it, for jobs and base loads",
    page: 25,
    columns: [
      { name: "Producer", value: row => row.producer.id, cell: row => row.producer.id, kind: "text" },
      { name: "Household", value: row => HOUSES[row.producer.house].label, cell: row => houseLink(row.producer.house), kind: "text" },
      { name: "Shares", kind: "wideline", cell: bars },
      energy("Produced", "produced"), !DATA.large && energy("Promised", "promised"),
      { name: "To houses, kWh", kind: "num", first: -1, value: row => row.own + row.near, cell: row => kwh(row.own + row.near) },
      !DATA.large && { name: "Jobs", kind: "num", first: -1, value: row => row.jobs, cell: row => written(row.jobs, "count") },
    ].filter(Boolean),
    rows,
  }).node, saveButtons("producers", () => barsPicture("Production of each producer, kWh",
    [["own", "to the same house"], ["near", "to neighbours"], ["rest", "surplus"]],
    rows.slice(0, MOST_ROWS).map(row => [row.producer.id, bars(row), kwh(row.produced)]))));
}
