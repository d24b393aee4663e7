// All standing contracts, to be sorted and filtered; and for each job the course of its negotiation.
const filter = { words: "", supplier: "", changed: false };
const badge = contract => el("span", { class: `badge ${contract.shares.length ? "sun" : "grid"}` }, supplier(contract));
const covered = contract => (contract.job.energy > 0 ? contract.delivered / contract.job.energy : null);
function changesOf(contract) {
  const said = [];
  if (contract.moved) said.push(`moved ${contract.moved}×`);
  if (contract.cancelled) said.push(`cancelled ${contract.cancelled}×`);
  return said.join(", ");
}
function matching(contracts) {
  const words = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  return contracts.filter(contract => {
    if (chosen.house !== null && contract.job.house !== chosen.house
      && !contract.shares.some(share => share.producer.house === chosen.house)) return false;
    if (filter.changed && !contract.moved && !contract.cancelled) return false;
    if (filter.supplier === "+" && !contract.shares.length) return false;
    if (filter.supplier === "-" && contract.shares.length) return false;
    if (filter.supplier.startsWith("p") && !contract.shares.some(share => share.producer === PRODUCERS[filter.supplier.slice(1)])) return false;
    if (!words.length) return true;
    const { job } = contract;
    const hay = [job.id, job.source, HOUSES[job.house].label, job.device, job.profile, supplier(contract)].join(" ").toLowerCase();
    return words.every(word => hay.includes(word));
  });
}
function drawContracts() {
  const runs = shownDetailed(), several = runs.length > 1;
  const all = runs.flatMap(run => run.contracts);
  const list = el("div"), count = el("span", { class: "count", role: "status" });
  const words = el("input", { type: "search", size: 24, value: filter.words, placeholder: "job, household, device …" });
  const suppliers = el("select", {}, [["", "any supplier"], ["+", "any producer"], ["-", "the grid"],
    ...(PRODUCERS.length > MOST_ROWS ? [] : PRODUCERS).map((p, i) => [`p${i}`, p.id])].map(([value, name]) =>
    el("option", { value, selected: value === filter.supplier }, name)));
  const changed = el("input", { type: "checkbox", checked: filter.changed });
  const columns = [
    { name: "Job", value: c => c.job.id, cell: c => c.job.id, kind: "text" },
    several && { name: "Run", value: c => c.run.run, cell: c => c.run.run, kind: "num" },
    { name: "Household", value: c => HOUSES[c.job.house].label, cell: c => HOUSES[c.job.house].label, kind: "text" },
    { name: "Device", value: c => c.job.device, cell: c => c.job.device, kind: "text" },
    { name: "Supplier", value: supplier, cell: badge, kind: "text" },
    { name: "May start", value: c => c.job.earliest, cell: c => period(c.job.earliest, c.job.latest), kind: "time" },
    { name: "Starts", value: c => c.start, cell: c => moment(c.start), kind: "time" },
    { name: "Energy, kWh", value: c => c.job.energy, cell: c => kwh(c.job.energy), kind: "num", first: -1 },
    { name: "Covered", value: covered, cell: c => written(covered(c), "share"), kind: "num", first: -1 },
    { name: "Agreed", value: c => c.agreed, cell: c => moment(c.agreed), kind: "time" },
    { name: "Changes", value: c => c.moved + c.cancelled, cell: changesOf, kind: "text", first: -1 },
  ].filter(Boolean);
  function refresh() {
    const rows = matching(all);
    count.textContent = `${number(rows.length, 0)} of ${plural(all.length, "contract")}`;
    list.replaceChildren(sortableTable({
      caption: `Standing contracts; times in ${zoneName()}. Covered: by the producer's panel, minute by minute.`,
      columns, rows, page: 60, by: columns.findIndex(column => column.name === "Starts"),
    }).node);
    drawTimeline();
  }
  words.addEventListener("input", () => { filter.words = words.value; refresh(); });
  suppliers.addEventListener("change", () => { filter.supplier = suppliers.value; refresh(); });
  changed.addEventListener("change", () => { filter.changed = changed.checked; refresh(); });
  place("contracts", el("div", { class: "tools" }, el("label", {}, "Find", words), el("label", {}, "Supplied by", suppliers),
    el("label", {}, changed, " moved or cancelled only"), count), list,
  DATA.large && el("p", { class: "note" }, `Of ${number(sum(runs.map(run => run.contract_count)), 0)} contracts, those that took ` +
    `most from the grid are listed, ${number(all.length, 0)} of them. All are in the results file: ssmic results export ${DATA.file}.`),
  runs.length < shownRuns().length && el("p", { class: "note" },
    `Contracts of the first ${plural(runs.length, "run")} only, or the page would become too large; figures are those of all runs.`));
  refresh();
}
