// Power over the run: production, consumption that panels covered, consumption from the grid.
const BOX = { width: 1120, height: 360, left: 52, right: 12, top: 14, bottom: 44 };
// One unit of the picture is one pixel, so that its words can be read on every screen.
function fitBox() {
  const room = document.getElementById("day").clientWidth || 1120;
  BOX.width = Math.max(300, Math.min(1400, room));
  BOX.height = BOX.width < 600 ? 280 : 360;
}

function niceStep(limit, steps) {
  const rough = limit / steps, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map(f => f * power).find(step => step >= rough);
}
function drawDay() {
  const runs = meantDetailed(), { first, count } = inSight();
  if (!runs.length) {
    place("day", el("p", { class: "note" }, "The contracts of this run are not included, because the page would become too large."));
    return;
  }
  if (DATA.large && chosen.house !== null) {
    place("day", el("p", { class: "note" }, "The minutes of each household are left out, because the page would become too large. " +
      `The terminal application draws them, and ssmic results export writes them: ${DATA.file}.`));
    return;
  }
  fitBox();
  const courses = runs.map(courseOf), average = runs.length > 1;
  const series = Object.fromEntries(["sun", "local", "grid"].map(key => [key, averageCourse(courses, key)]));
  const top = Math.max(1, ...Array.from(series.sun.middle, (v, i) => Math.max(v,
    average ? Math.max(series.local.middle[i] + series.local.spread[i], series.grid.middle[i] + series.grid.spread[i])
      : series.local.middle[i] + series.grid.middle[i])));
  const step = niceStep(top, 5), limit = Math.ceil(top / step) * step;
  const inner = BOX.width - BOX.left - BOX.right, floor = BOX.height - BOX.bottom;
  const x = i => BOX.left + (inner * i) / count;
  const y = power => floor - ((floor - BOX.top) * power) / limit;
  const steps = (values, from) => values.reduce((path, v, i) =>
    `${path}${i || from ? "L" : "M"}${x(i).toFixed(1)},${y(v).toFixed(1)}H${x(i + 1).toFixed(1)}`, "");
  const area = (low, high) => {
    const back = Array.from(low).map((v, i) => [x(i + 1), x(i), y(v)]).reverse()
      .map(([b, a, h]) => `L${b.toFixed(1)},${h.toFixed(1)}H${a.toFixed(1)}`).join("");
    return `${steps(Array.from(high))}${back}Z`;
  };
  const nothing = new Float64Array(count);
  const shift = (course, sign) => course.middle.map((v, i) => Math.max(0, v + sign * course.spread[i]));
  const shapes = [svg("path", { d: area(nothing, series.sun.middle), class: "sun-area" })];
  if (average) {
    for (const key of ["grid", "local"])
      shapes.push(svg("path", { d: area(shift(series[key], -1), shift(series[key], 1)), class: `${key}-band` }));
    for (const key of ["grid", "local"]) shapes.push(svg("path", { d: steps(Array.from(series[key].middle)), class: `${key}-line` }));
  } else {
    const both = series.local.middle.map((v, i) => v + series.grid.middle[i]);
    const onTop = area(series.local.middle, both);
    shapes.push(svg("path", { d: area(nothing, series.local.middle), class: "local-area" }),
      svg("path", { d: onTop, class: "grid-area" }), svg("path", { d: onTop, class: "f-dots" }));
  }
  shapes.push(svg("path", { d: steps(Array.from(series.sun.middle)), class: "sun-line" }));
  const cursor = svg("line", { class: "cursor", "data-live": true, y1: BOX.top, y2: floor, x1: -9, x2: -9 });
  const tip = el("div", { class: "tip", hidden: true });
  const spoken = el("div", { class: "only-sr", "aria-live": "polite" });
  const title = `Mean power over intervals of ${DATA.interval / 60} minutes, ${moment(first * DATA.interval)} to ` +
    `${moment((first + count) * DATA.interval)}, ${zoneName()}. Use the arrow keys to read values.`;
  const picture = svg("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", tabindex: 0, "aria-label": title },
    axes(x, y, limit, step, floor, first, count), shapes, cursor);
  const chart = el("div", { class: "chart" }, picture, tip, spoken);
  const rows = [["sun", "Production", "sun"], ["local", "Local", "own"], ["grid", "Grid", "grid"]];
  let at = null;
  function show(i) {
    at = i === null ? null : Math.min(count - 1, Math.max(0, i));
    tip.hidden = at === null;
    cursor.setAttribute("x1", at === null ? -9 : x(at + 0.5));
    cursor.setAttribute("x2", at === null ? -9 : x(at + 0.5));
    if (at === null) return;
    const said = key => written(series[key].middle[at], "w") +
      (average ? ` ± ${written(series[key].spread[at], "w")}` : "");
    tip.replaceChildren(el("b", {}, moment((first + at) * DATA.interval)),
      ...rows.map(([key, name]) => el("div", {}, `${name}: ${said(key)}`)));
    const part = x(at + 0.5) / BOX.width;
    tip.style.left = part < 0.6 ? `calc(${part * 100}% + 10px)` : "auto";
    tip.style.right = part < 0.6 ? "auto" : `calc(${(1 - part) * 100}% + 10px)`;
  }
  picture.addEventListener("pointermove", event => {
    const box = picture.getBoundingClientRect();
    show(Math.floor((((event.clientX - box.left) / box.width) * BOX.width - BOX.left) / (inner / count)));
  });
  picture.addEventListener("pointerleave", () => show(null));
  picture.addEventListener("keydown", event => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -4, PageDown: 4 }[event.key];
    if (!move) return;
    event.preventDefault();
    show((at ?? -1) + move);
    spoken.textContent = tip.textContent;
  });
  const saved = () => ({ title: `${DATA.scenario}, ${DATA.algorithm}: mean power over ${DATA.interval / 60} min` +
    (DAYS > 1 ? `, ${dateOf(DATA.start + beginOf(chosen.day))} ${yearOf(DATA.start + beginOf(chosen.day))}` : "") +
    (average ? `; mean of ${runs.length} runs, bands: one standard deviation` : ""), drawing: picture.cloneNode(true),
    width: BOX.width, height: BOX.height,
    keys: [["sun", "production"], ["own", "local consumption"], ["grid", "grid consumption"]] });
  place("day", dayControl(), legend(average, runs.length), chart, saveButtons("power", saved), dayTable(series, average, first, count));
}
// Which day is drawn, where there are several: the one before, the one after, or any by its number.
function dayControl() {
  if (DAYS === 1) return null;
  const show = day => {
    chosen.day = Math.min(DAYS - 1, Math.max(0, day));
    drawDay();
    drawTimeline();
    writeAddress();
  };
  const button = (by, words, id) => el("button", { type: "button", id, disabled: chosen.day + by < 0 || chosen.day + by >= DAYS,
    onclick: () => { show(chosen.day + by); document.getElementById(id).focus(); } }, words);
  return el("p", { class: "controls days" }, button(-1, "◂ Previous day", "day-before"),
    el("label", {}, "Day ", el("input", { type: "number", id: "day-number", min: 1, max: DAYS, value: chosen.day + 1,
      onchange: event => show(Number(event.target.value) - 1) })),
    ` of ${DAYS}: ${dateOf(DATA.start + beginOf(chosen.day))} ${yearOf(DATA.start + beginOf(chosen.day))} `, button(1, "Next day ▸", "day-after"));
}
function axes(x, y, limit, step, floor, firstInterval, count) {
  const marks = [];
  // As many decimals as the step needs, so that no two ticks read the same.
  const needed = [0, 1, 2, 3, 4, 5, 6].find(d => Math.abs(Math.round(step / 1000 * 10 ** d) - step / 1000 * 10 ** d) < 1e-6) ?? 6;
  const decimals = Math.max(needed, limit < 2000 ? 2 : limit < 20000 && step % 1000 ? 1 : 0);
  for (let power = 0; power <= limit + step / 2; power += step) {
    marks.push(svg("line", { x1: BOX.left, x2: BOX.width - BOX.right, y1: y(power), y2: y(power), class: power ? "" : "zero" }),
      svg("text", { x: BOX.left - 8, y: y(power) + 4, "text-anchor": "end" }, number(power / 1000, decimals)));
  }
  marks.push(svg("text", { x: BOX.left + 4, y: BOX.top + 12 }, "kW"));
  const span = count * DATA.interval, from = DATA.start + firstInterval * DATA.interval;
  const every = roundGap(span, BOX.width / 80);
  const first = roundTime(from, every);
  for (let t = first; t <= from + span; t += every) {
    const at = x((t - from) / DATA.interval), midnight = isMidnight(t);
    const anchor = at > BOX.width - 30 ? "end" : "middle";
    marks.push(svg("line", { x1: at, x2: at, y1: midnight ? BOX.top : floor, y2: floor + 5, class: midnight ? "day-edge" : "" }),
      svg("text", { x: at, y: floor + 20, "text-anchor": anchor }, hourOf(t)));
    if (midnight || t === first) marks.push(svg("text", { x: at, y: floor + 36, "text-anchor": anchor }, dateOf(t)));
  }
  marks.push(svg("text", { x: BOX.width - BOX.right, y: BOX.top + 12, "text-anchor": "end" }, isUtc() ? "times in UTC" : `times ${inZone()}`));
  return svg("g", { class: "axis" }, marks);
}
function legend(average, runs) {
  const key = (kind, name) => el("li", {}, swatch(kind), name);
  return el("ul", { class: "keys", style: null },
    key("sun", "production"), key("own", "local consumption: by contract, and base load from panels"),
    key("grid", "grid consumption"),
    average && el("li", {}, `mean of ${runs} runs; bands: one standard deviation to either side`));
}
function dayTable(series, average, first, count) {
  const hour = Math.max(1, Math.round(3600 / DATA.interval)), rows = [];
  for (let i = 0; i < count; i += hour) {
    const part = key => mean(Array.from(series[key].middle.slice(i, i + hour)));
    rows.push(el("tr", {}, el("th", { scope: "row" }, moment((first + i) * DATA.interval)),
      ["sun", "local", "grid"].map(key => el("td", { class: "num" }, written(part(key), "w")))));
  }
  const lines = hour * DATA.interval === 3600 ? "hour" : "interval";
  return el("details", {}, el("summary", {}, "The same as a table"), el("div", { class: "scroll", tabindex: 0 },
    el("table", {}, el("caption", {}, `Mean power by ${lines}, times ${zoneName()}${average ? "; mean of the runs" : ""}`),
      el("thead", {}, el("tr", {}, ["From", "Production", "Local", "Grid"].map((name, i) =>
        el("th", { scope: "col", class: i ? "num" : null }, name)))), el("tbody", {}, rows))));
}
