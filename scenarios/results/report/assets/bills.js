// Bills of an energy community, line by line: a row a house, and what the community pays outside.
const BILL_LINES = ["Grid energy", "Fed in", "Bought", "Sold", "Grid fees", "Local fees", "Fixed fees", "VAT"];
const KEYS = {
  static: "each house may use a fixed share of all production",
  proportional: "all production is shared in proportion to consumption",
  hierarchical: "each house uses its own production first; the rest is shared in proportion to what the others lack",
  negotiated: "as contracts delivered it, minute by minute",
};
function drawBills() {
  const section = document.getElementById("s-bills");
  section.hidden = !DATA.community;
  if (!DATA.community) return;
  const runs = meantRuns();
  const of = (index, column) => mean(runs.map(run => run.houses[index][column]));
  const rows = HOUSES.map((house, index) => ({
    index, house, lines: BILL_LINES.map((_, i) => of(index, 7 + i)), bill: of(index, 5), alone: of(index, 6),
  }));
  const lines = BILL_LINES.map((name, i) => ({ name, i })).filter(({ i }) => rows.some(row => row.lines[i] !== 0));
  const total = pick => sum(rows.map(pick));
  const money = (name, value) => ({ name: `${name}, €`, kind: "num", first: -1, value, cell: row => number(value(row), 2) });
  const shown = rows.filter(row => chosen.house === null || row.index === chosen.house);
  const saved = row => row.alone - row.bill;
  const most = rows.reduce((best, row) => (saved(row) > saved(best) ? row : best), rows[0]);
  const gain = total(saved);
  const outside = lines.filter(({ i }) => i !== 2 && i !== 3).map(({ name, i }) => `${name === "VAT" ? name : name.toLowerCase()} ${number(total(row => row.lines[i]), 2)}`);
  place("bills",
    el("p", {}, `Allocation key “${DATA.community.key}” over ${DATA.community.minutes} minutes: ${KEYS[DATA.community.key]}. `,
      `All bills together are ${written(total(row => row.bill), "eur")}, which is what the community pays outside ` +
      `(${outside.join(", ")}); without it they are ${written(total(row => row.alone), "eur")}. ` +
      `${gain >= 0 ? `It saves ${written(gain, "eur")}` : `It costs ${written(-gain, "eur")} more`}` +
      `${rows.length > 1 && saved(most) > 0 ? `; ${most.house.label} saves most, ${written(saved(most), "eur")}` : ""}.`),
    sortableTable({
      caption: runs.length > 1 ? `Mean of ${runs.length} runs` : "Lines of each bill; negative amounts are paid to the house",
      page: 25,
      columns: [
        { name: "Household", value: row => row.house.label, cell: row => houseLink(row.index), kind: "text" },
        ...lines.map(({ name, i }) => money(name, row => row.lines[i])),
        money("Bill", row => row.bill), money("Without", row => row.alone), money("Saved", saved),
      ],
      rows: shown,
    }).node);
}
