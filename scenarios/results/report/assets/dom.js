// Elements are only ever made from text nodes and attributes: nothing that an id says can become markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
function place(id, ...children) {
  const node = document.getElementById(id);
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
  asCards(node);
}
// On a narrow screen each row of a table is a card: every cell says which column it belongs to.
function asCards(node) {
  for (const table of node.querySelectorAll("table")) {
    const names = [...table.querySelectorAll(":scope > thead th")].map(head => head.dataset.name ?? head.textContent);
    table.classList.add("cards");
    for (const row of table.querySelectorAll(":scope > tbody > tr:not(.detail)"))
      [...row.children].forEach((cell, i) => { if (i && names[i]) cell.dataset.name = names[i]; });
  }
}

// How figures are written. Thousands are set apart by thin spaces; a figure that does not exist is a dash.
const NONE = "–";
const number = (value, digits) => value.toLocaleString("en-GB", {
  minimumFractionDigits: digits, maximumFractionDigits: digits,
}).replace(/,/g, "\u2009").replace(/^-(?=[0.\u2009]*$)/, "").replace("-", "−");
const kwhDigits = wh => (Math.abs(wh) >= 1e5 ? 0 : Math.abs(wh) >= 1e4 ? 1 : 2);
const WRITE = {
  wh: v => [number(v / 1000, kwhDigits(v)), "kWh"],
  w: v => (Math.abs(v) >= 1000 ? [number(v / 1000, 2), "kW"] : [number(v, 0), "W"]),
  share: v => [number(v * 100, 1), "%"],
  ratio: v => [number(v, 2), ""],
  count: v => [number(v, Number.isInteger(v) ? 0 : 1), ""],
  eur: v => [number(v, 2), "€"],
  kg: v => [number(v, 1), "kg"],
  s: v => (v >= 3600 ? [number(v / 3600, 1), "h"] : [number(v / 60, 0), "min"]),
};
function written(value, unit) {
  if (value === null || value === undefined) return NONE;
  const [text, symbol] = WRITE[unit](value);
  return symbol ? `${text}\u202f${symbol}` : text;
}
// In tables the unit stands in the heading.
const kwh = wh => (wh === null || wh === undefined ? NONE : number(wh / 1000, 2));
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = n => String(n).padStart(2, "0");
// Times are shown at these offsets from UTC, in seconds, each from a time on: the scenario's own, or 0.
let OFFSETS = [[0, 0]];
const offsetAt = t => OFFSETS.reduce((found, [from, offset]) => (from <= t ? offset : found), OFFSETS[0][1]);
const zoned = t => new Date((t + offsetAt(t)) * 1000);
const dateOf = t => { const d = zoned(t); return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`; };
function hourOf(t) {
  const d = zoned(t);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
}
const secondsOf = t => (zoned(t).getUTCSeconds() ? `:${two(zoned(t).getUTCSeconds())}` : "");
const momentOf = t => `${dateOf(t)} ${hourOf(t)}`;
const yearOf = t => zoned(t).getUTCFullYear();
// The first time at or after t that is a multiple of so many seconds on the shown clock.
const roundTime = (t, every) => Math.ceil((t + offsetAt(t)) / every) * every - offsetAt(t);
// The distance of ticks, in seconds: round on the clock, from a minute on, with at most so many of them.
const roundGap = (span, most) => [60, 120, 300, 600, 900, 1800, ...[1, 2, 3, 4, 6, 12, 24, 48, 96, 168].map(h => h * 3600)]
  .find(gap => span / gap <= most) || Math.ceil(span / 86400 / 6) * 86400;
const isMidnight = t => (t + offsetAt(t)) % 86400 === 0;
const plural = (n, one, many = `${one}s`) => `${number(n, 0)} ${n === 1 ? one : many}`;
const sum = values => values.reduce((total, value) => total + value, 0);
const mean = values => (values.length ? sum(values) / values.length : null);
function deviation(values) {
  if (values.length < 2) return null;
  const middle = mean(values);
  const stray = Math.sqrt(sum(values.map(value => (value - middle) ** 2)) / (values.length - 1));
  return stray > 1e-9 * Math.abs(middle) ? stray : 0;  // the rest is rounding
}
