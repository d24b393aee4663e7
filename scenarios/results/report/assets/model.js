// What the page holds, and what of it is chosen. Sums over households and runs are sums over contracts.
const PAGE = JSON.parse(document.getElementById("contents").textContent);
const SIMULATIONS = PAGE.simulations || [PAGE];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const letterOf = index => LETTERS[index] || String(index + 1);
// COMPLETE: completed runs; half a run has figures of another size, so it is shown by itself and enters no
// mean. DAYS: a run of more than two days is looked at day by day.
let DATA, HOUSES, PRODUCERS, JOBS, RUNS, DETAILED, COMPLETE, DAYS;
const DAY = 86400;
// simulation, run, house and day by index, null: all; ids of the jobs whose negotiation is open; whether times are in UTC.
const chosen = { simulation: 0, run: null, house: null, day: 0, jobs: new Set(), utc: SIMULATIONS[0].utc };
// A time inside a text stands between two marks.
const text = index => DATA.texts[index].replace(/\ue000([0-9]{1,11})\ue001/g, (_, t) => momentOf(Number(t)));
const isUtc = () => OFFSETS.every(([, offset]) => offset === 0);
const zoneName = () => (isUtc() ? "UTC" : /^[+-]/.test(DATA.zone) ? `UTC${DATA.zone}` : DATA.zone);
const inZone = () => `${/^[A-Z][a-z]/.test(zoneName()) ? "in" : "at"} ${zoneName()}`;
function useTimes() {
  OFFSETS = chosen.utc ? [[0, 0]] : DATA.offsets;
}
const nameOf = ([id, name], counts) => (!name ? id : counts.get(name) > 1 ? `${name} (${id})` : name);
function useSimulation(index) {
  chosen.simulation = index;
  DATA = SIMULATIONS[index];
  useTimes();
  const counts = new Map();
  for (const [, name] of DATA.houses) counts.set(name, (counts.get(name) || 0) + 1);
  HOUSES = DATA.houses.map(house => ({ id: house[0], name: house[1], label: nameOf(house, counts) }));
  // Power of a producer over each interval; of a long run of many, several intervals have one number.
  PRODUCERS = DATA.producers.map(([id, house, power], index) => ({ id, house, index, powerAt: i => power[Math.floor(i / DATA.production_step)] || 0 }));
  JOBS = DATA.jobs.map(([id, source, house, device, profile, registered, earliest, latest, duration, energy]) => ({
    id, source, house, device: text(device), profile: text(profile), registered, earliest, latest, duration, energy,
  }));
  RUNS = DATA.runs.map(run => ({
    ...run,
    contracts: run.contracts && run.contracts.map(
      ([id, job, producer, start, agreed, delivered, moved, cancelled, first, local, grid, shares]) => ({
        run, id, job: JOBS[job], producer: producer < 0 ? null : PRODUCERS[producer], start, agreed, delivered, moved,
        cancelled, first, local, grid,
        shares: shares.map(([index, promised, given]) => ({ producer: PRODUCERS[index], promised, delivered: given })),
      })),
  }));
  DETAILED = RUNS.filter(run => run.contracts);
  COMPLETE = RUNS.filter(run => run.state === "done");
  DAYS = 1;
  if (beginOf(2) < DATA.intervals * DATA.interval) while (beginOf(DAYS) < DATA.intervals * DATA.interval) DAYS++;
}
// When a day begins, seconds after the start: at the run's time of day by the scenario's own clocks, whichever are shown.
function beginOf(day) {
  const ownOffset = t => DATA.offsets.reduce((found, [from, offset]) => (from <= t ? offset : found), DATA.offsets[0][1]);
  const nearly = day * DAY + ownOffset(DATA.start) - ownOffset(DATA.start + day * DAY);
  return day * DAY + ownOffset(DATA.start) - ownOffset(DATA.start + nearly);
}
const moment = seconds => momentOf(DATA.start + seconds);
const exactMoment = seconds => moment(seconds) + secondsOf(DATA.start + seconds);
// The second of two moments does not repeat the day of the first.
function period(from, to) {
  const [a, b] = [DATA.start + from, DATA.start + to];
  return `${momentOf(a)}–${dateOf(a) === dateOf(b) ? hourOf(b) : momentOf(b)}`;
}

// Which intervals are in sight: the first one, and how many.
const firstOfDay = day => Math.ceil(beginOf(day) / DATA.interval);
function inSight() {
  if (DAYS === 1) return { first: 0, count: DATA.intervals };
  const first = firstOfDay(chosen.day);
  return { first, count: Math.max(1, Math.min(DATA.intervals, firstOfDay(chosen.day + 1)) - first) };
}

const shownRuns = () => (chosen.run === null ? RUNS : [RUNS[chosen.run]]);
const meantRuns = () => (chosen.run === null ? COMPLETE : [RUNS[chosen.run]]);
const partOf = run => (run.state === "done" ? "" : `${run.state === "running" ? "not ended" : run.state} at ${Math.min(99, Math.round(100 * run.covered))}\u202f%`);
const shownDetailed = () => shownRuns().filter(run => run.contracts);
const meantDetailed = () => meantRuns().filter(run => run.contracts);
const ofHouse = contract => chosen.house === null || contract.job.house === chosen.house;
// Of several suppliers, all, and the grid if it gives a part.
const supplier = contract => [...contract.shares.map(share => share.producer.id),
  ...(contract.producer ? [] : ["grid"].filter(() => sum(contract.shares.map(share => share.promised)) < contract.job.energy - 0.1 || !contract.shares.length))].join(" + ");

// Mean power of each interval in sight, W: of one run, of the chosen household or of all.
function courseOf(run) {
  const { first, count } = inSight();
  const course = { sun: sunCourse(), local: new Float64Array(count), grid: new Float64Array(count) };
  if (run.course) {
    for (const key of ["sun", "local", "grid"])
      for (let i = 0; i < count; i++) course[key][i] = run.course[key][first + i - run.first] || 0;
    return course;
  }
  const add = (into, powers, from) => powers.forEach((power, i) => {
    if (from + i >= first && from + i < first + count) into[from + i - first] += power;
  });
  for (const contract of run.contracts) {
    if (!ofHouse(contract)) continue;
    add(course.local, contract.local, contract.first);
    add(course.grid, contract.grid, contract.first);
  }
  const base = run.base && (chosen.house === null ? run.base.all : run.base.houses && run.base.houses[chosen.house]);
  if (base) {
    add(course.local, base[0], run.base.first);
    add(course.grid, base[1], run.base.first);
  }
  return course;
}
function sunCourse() {
  const { first, count } = inSight();
  const power = new Float64Array(count);
  for (const producer of PRODUCERS) {
    if (chosen.house !== null && producer.house !== chosen.house) continue;
    for (let i = 0; i < count; i++) power[i] += producer.powerAt(first + i);
  }
  return power;
}
function averageCourse(courses, key) {
  const { count } = inSight(), middle = new Float64Array(count), spread = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const values = courses.map(course => course[key][i]);
    middle[i] = mean(values);
    spread[i] = deviation(values) || 0;
  }
  return { middle, spread };
}
// What producers gave in the time of the shown runs, Wh, as the figures have it.
const producedBy = test => mean(meantRuns().map(run => sum(PRODUCERS.filter(test).map(p => run.produced[p.index])))) || 0;

// A household's energy in a run, Wh; without a household: all of them.
function energyOf(run, house) {
  const rows = house === null ? run.houses : [run.houses[house]];
  const column = i => sum(rows.map(row => row[i]));
  const money = DATA.tariff !== null;
  return {
    consumed: column(0), own: column(1), near: column(2), grid: column(3), jobs: column(4),
    bill: money ? column(5) : null, alone: money ? column(6) : null,
  };
}
// What a household's panels gave to other households, Wh.
const soldBy = (run, house) => (run.sold ? run.sold[house] : sum(run.contracts.filter(c => c.job.house !== house)
  .flatMap(c => c.shares.filter(share => share.producer.house === house).map(share => share.delivered))) +
  sum(PRODUCERS.filter(p => p.house === house).map(p => givenBy(run, p)[1])));
// What a producer gave to base loads, Wh: of its own house, of others.
const givenBy = (run, producer) => (run.given ? run.given[producer.index] : [0, 0]);
