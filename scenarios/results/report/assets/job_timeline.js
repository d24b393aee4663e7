// From registration to the end of each job: its window, what was agreed when, and its messages.
const MARKS = {
  registered: "registered", agreed: "agreed", amended: "moved", cancelled: "cancelled", lost: "lost",
};
function mark(what, at, label) {
  const spot = { transform: `translate(0 0)` };
  const shape = {
    registered: () => svg("line", { class: "mark-line", x1: at, x2: at, y1: 3, y2: 19 }),
    agreed: () => svg("circle", { class: "mark", cx: at, cy: 11, r: 4.5 }),
    amended: () => turned(at, svg("rect", { class: "mark", x: -4, y: -4, width: 8, height: 8, transform: "rotate(45)" })),
    cancelled: () => turned(at, svg("path", { class: "mark-line", d: "M-4,-4L4,4M-4,4L4,-4" })),
    lost: () => turned(at, svg("path", { class: "mark-line", d: "M-4,0L4,0" })),
  }[what]();
  shape.append(svg("title", {}, label));
  return fill(shape, what === "agreed" || what === "registered" ? {} : spot, []);
}
// An SVG in an SVG can stand at a per cent of the width, and what is in it keeps its shape.
const turned = (at, shape) => svg("svg", { x: at, y: 11, overflow: "visible" }, shape);

function drawTimeline() {
  const run = chosen.run === null ? DETAILED[0] : RUNS[chosen.run];
  if (!run || !run.contracts) {
    place("timeline", el("p", { class: "note" }, "The negotiations of this run are not included, because the page would become too large."));
    return;
  }
  // Where there are several days, the lanes show the one that the chart above shows, and the jobs that fall into it.
  const begin = DAYS > 1 ? beginOf(chosen.day) : 0, span = DAYS > 1 ? beginOf(chosen.day + 1) - begin : DATA.intervals * DATA.interval;
  const inside = seconds => Math.min(span, Math.max(0, seconds - begin));
  const at = seconds => `${((100 * inside(seconds)) / span).toFixed(3)}%`;
  const wide = (from, to) => `${((100 * (inside(to) - inside(from))) / span).toFixed(3)}%`;
  const isNow = seconds => DAYS === 1 || (seconds >= begin && seconds < begin + span);
  const isShown = c => DAYS === 1 || (c.job.registered < begin + span && c.start + c.job.duration > begin);
  const events = new Map(), said = new Map();
  const gather = (map, job, entry) => map.get(job)?.push(entry) ?? map.set(job, [entry]);
  for (const [time, job, what, who, start, reason] of run.history)
    gather(events, JOBS[job], { time, what: text(what), who: text(who), start, reason: text(reason) });
  for (const [time, round, from, to, kind, job, note] of run.said || [])
    gather(said, JOBS[job], { time, round, from: text(from), to: text(to), kind: text(kind), note: text(note) });
  const asked = job => (said.get(job) || []).filter(m => m.kind === "Request").length;
  const refused = job => (said.get(job) || []).filter(m => m.kind === "Decline").length;

  function lane(contract) {
    const { job } = contract, end = contract.start + job.duration, share = covered(contract) ?? 0;
    const past = events.get(job) || [];
    const label = `${job.id}: registered ${exactMoment(job.registered)}, may start ${exactMoment(job.earliest)} to ${exactMoment(job.latest)}, ` +
      `runs ${exactMoment(contract.start)} to ${exactMoment(end)} on ${supplier(contract)}`;
    return svg("svg", { role: "img", "aria-label": label },
      ticks(begin, span).map(t => svg("line", { class: "lane-grid", x1: at(t), x2: at(t), y1: 0, y2: 22 })),
      svg("rect", { class: "f-window", x: at(job.earliest), width: wide(job.earliest, job.latest + job.duration), y: 8, height: 6, rx: 3 }),
      svg("rect", { class: "f-grid", x: at(contract.start), width: wide(contract.start, end), y: 4, height: 14, rx: 2 }),
      share < 1 && svg("rect", { class: "f-dots", x: at(contract.start), width: wide(contract.start, end), y: 4, height: 14, rx: 2 }),
      share > 0 && svg("rect", { class: "f-own", x: at(contract.start), width: wide(contract.start, end), y: 18 - 14 * share, height: 14 * share, rx: 2 }),
      isNow(job.registered) && mark("registered", at(job.registered), `registered ${exactMoment(job.registered)}`),
      past.filter(e => isNow(e.time)).map(e => mark(e.what, at(e.time), `${MARKS[e.what]} ${exactMoment(e.time)}, ${e.who}`)));
  }
  function course(contract) {
    const { job } = contract;
    const lines = [{ time: job.registered, round: -1, who: "", what: "registered", note: "" },
      ...(said.get(job) || []).map(m => ({ time: m.time, round: m.round, who: `${m.from} → ${m.to}`, what: m.kind, note: m.note })),
      ...(events.get(job) || []).map(e => ({ time: e.time, round: Infinity, who: `with ${e.who}`, what: `contract ${MARKS[e.what]}`,
        note: `start ${exactMoment(e.start)}${e.reason ? `: ${e.reason}` : ""}` })),
      { time: contract.start, round: Infinity, who: `on ${supplier(contract)}`, what: "starts", note: "" },
      { time: contract.start + job.duration, round: Infinity, who: "", what: "ends", note: `${written(covered(contract), "share")} covered` },
    ].sort((a, b) => a.time - b.time || (a.round === b.round ? 0 : a.round - b.round));
    return el("table", {}, el("caption", {}, run.said ? `In the order of virtual time (${zoneName()})`
      : "The history of its contracts; its messages are in the results file"),
    el("thead", {}, el("tr", {}, ["Time", "Round", "Who", "What", ""].map(name => el("th", { scope: "col" }, name)))),
    el("tbody", {}, lines.map(line => el("tr", {}, el("td", { class: "time" }, exactMoment(line.time)),
      el("td", {}, Number.isFinite(line.round) && line.round >= 0 ? line.round : ""),
      el("td", { class: "text" }, line.who), el("td", {}, line.what), el("td", { class: "text" }, line.note)))));
  }
  const isOpen = contract => chosen.jobs.has(contract.job.id);
  function toggle(contract) {
    if (!chosen.jobs.delete(contract.job.id)) chosen.jobs.add(contract.job.id);
    writeAddress();
    table.redraw();
    table.node.querySelectorAll("button.link").forEach(button => button.textContent === contract.job.id && button.focus());
  }
  const columns = [
    { name: "Job", kind: "text", value: c => c.job.registered, cell: c => el("button", { type: "button", class: "link",
      "aria-expanded": isOpen(c) ? "true" : "false", onclick: () => toggle(c) }, c.job.id) },
    { name: laneHead(begin, span, at), kind: "lane", cell: lane },
    { name: "Supplier", kind: "text", value: supplier, cell: badge },
    ...(run.said ? [
      { name: "Asked", kind: "num", first: -1, value: c => asked(c.job), cell: c => asked(c.job) },
      { name: "Refused", kind: "num", first: -1, value: c => refused(c.job), cell: c => refused(c.job) }] : []),
  ];
  const table = sortableTable({
    caption: `Run ${run.run}, jobs in the order of registration; choose a job to read its negotiation`,
    columns, rows: matching(run.contracts).filter(isShown), page: 40,
    extra: c => isOpen(c) && el("tr", { class: "detail" }, el("td", { colspan: columns.length }, course(c))),
  });
  const key = (name, ...shapes) => el("li", {}, svg("svg", { viewBox: "0 0 16 22", width: 16, height: 22, "aria-hidden": "true" }, shapes), name);
  place("timeline", el("ul", { class: "keys" },
    key("registered", mark("registered", 8, "")), key("agreed", mark("agreed", 8, "")), key("moved", mark("amended", 8, "")),
    key("cancelled", mark("cancelled", 8, "")), key("window", svg("rect", { class: "f-window", y: 8, width: 16, height: 6, rx: 3 })),
    key("runs on sun", svg("rect", { class: "f-own", y: 4, width: 16, height: 14, rx: 2 })),
    key("runs on grid power", svg("rect", { class: "f-grid", y: 4, width: 16, height: 14, rx: 2 }), svg("rect", { class: "f-dots", y: 4, width: 16, height: 14, rx: 2 }))),
  table.node, saveButtons("negotiations", () => lanesPicture(
    `${DATA.scenario}, ${DATA.algorithm}, run ${run.run}: jobs from registration to their end`, laneHead(begin, span, at),
    matching(run.contracts).filter(isShown).slice(0, 300).map(c => [c.job.id, lane(c), supplier(c)]))),
  el("p", { class: "note" }, "The filter of the contracts holds here too.",
    DAYS > 1 ? ` Jobs of the day that is drawn above, day ${chosen.day + 1} of ${DAYS}.` : "",
    chosen.run === null && RUNS.length > 1 ? ` This is run ${run.run}; choose another one above.` : "",
    run.more_was_said ? " Only the first messages are shown; all are in the results file." : "",
    run.said ? "" : " What agents said is left out of this run, for the page would become too large: it is in the results file."));
}
function ticks(begin, span) {
  const every = roundGap(span, 6);
  const found = [];
  for (let t = roundTime(DATA.start + begin, every) - DATA.start; t <= begin + span; t += every) found.push(t);
  return found;
}
function laneHead(begin, span, at) {
  return svg("svg", { role: "img", "aria-label": `Time, ${zoneName()}` }, svg("g", { class: "tick" }, ticks(begin, span).map(t =>
    svg("text", { x: at(t), y: 15, "text-anchor": t - begin > span * 0.96 ? "end" : t - begin < span * 0.04 ? "start" : "middle" },
      isMidnight(DATA.start + t) ? dateOf(DATA.start + t) : hourOf(DATA.start + t)))));
}
