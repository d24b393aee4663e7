// A table that can be sorted by any column and shows its rows page by page.
// columns: {name, value(row) for sorting, cell(row) -> child or text, kind: "num" | "text" | "time" | "", first: -1 | 1}
const MOST_ROWS = 500;
function sortableTable({ caption, columns, rows, page = 100, by = 0, direction = 1, rowClass, extra }) {
  let shown = page, order = rows.slice();
  const body = el("tbody"), more = el("button", { type: "button", class: "more-rows" });
  const heads = columns.map((column, i) => el("th", { scope: "col", class: column.kind || null, "data-name": typeof column.name === "string" ? column.name : "" },
    column.value ? el("button", { type: "button", class: "sort", onclick: () => sort(i) }, column.name) : column.name));
  const sorter = el("select", { onchange: () => sort(Number(sorter.value)) }, columns.map((column, i) =>
    column.value && el("option", { value: i, selected: i === by }, typeof column.name === "string" ? column.name : "")));
  function sort(i) {
    direction = by === i ? -direction : columns[i].first || 1;
    by = i;
    refresh();
  }
  function refresh() {
    const value = columns[by].value;
    const compare = (a, b) => {
      const [u, v] = [value(a), value(b)];
      if (u === v) return 0;
      if (u === null || u === undefined) return 1;
      if (v === null || v === undefined) return -1;
      return (typeof u === "string" ? u.localeCompare(v, "en", { numeric: true }) : u - v) * direction;
    };
    const words = found ? found.value.toLowerCase() : "";
    order = (words ? rows.filter(row => String(columns[0].value(row)).toLowerCase().includes(words)) : rows.slice()).sort(compare);
    heads.forEach((head, i) => (i === by
      ? head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
    draw();
  }
  function draw() {
    body.replaceChildren(...order.slice(0, shown).flatMap(row => [
      el("tr", { class: rowClass ? rowClass(row) : null }, columns.map((column, i) =>
        el(i ? "td" : "th", { class: column.kind || null, scope: i ? null : "row" }, column.cell(row)))),
      ...(extra ? [extra(row)].filter(Boolean) : []),
    ]));
    asCards(node);
    more.hidden = order.length <= shown;
    const next = order.length > MOST_ROWS ? Math.min(MOST_ROWS, order.length - shown) : order.length;
    more.textContent = next < order.length ? `Show ${number(next, 0)} more of ${number(order.length, 0)} rows`
      : `Show all ${number(order.length, 0)} rows`;
  }
  more.addEventListener("click", () => { shown = order.length > MOST_ROWS ? shown + MOST_ROWS : Infinity; draw(); });
  // In a long table, rows are found by the text of their first cell.
  const found = rows.length > MOST_ROWS && columns[0].value && el("input", { type: "search", placeholder: "find a row",
    "aria-label": `Find by ${columns[0].name}`, oninput: () => { shown = page; refresh(); } });
  const node = el("div", {}, found || null, el("label", { class: "sort-by" }, "Sort by", sorter), el("div", { class: "scroll" },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body)), more);
  refresh();
  return { redraw: draw, node };
}
