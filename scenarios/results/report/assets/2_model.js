// What the page holds, and what of it is chosen. Sums over households and runs are sums over contracts.
const PAGE = JSON.parse(document.getElementById("contents").textContent);
const SIMULATIONS = PAGE.simulations || [PAGE];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const letterOf = index => LETTERS[index] || String(index + 1);
let DATA, HOUSES, PRODUCERS, JOBS, RUNS, DETAILED;
// simulation, run and house by index, null: all; ids of the jobs whose negotiation is open; whether times are in UTC.
const chosen = { simulation: 0, run: null, house: null, jobs: new Set(), utc: SIMULATIONS[0].utc };
// A time inside a text stands between two marks.
const text = index => DATA.texts[index].replace(/\ue000([0-9]{1,11})\ue001/g, (_, t) => momentOf(Number(t)));
const zoneName = () => (OFFSET ? `UTC${DATA.zone}` : "UTC");
function useTimes() {
  OFFSET = chosen.utc ? 0 : DATA.utc_offset_s;
}
const nameOf = ([id, name]) => {
  const shared = DATA.houses.filter(other => other[1] === name).length > 1;
  return !name ? id : shared ? `${name} (${id})` : name;
};
function useSimulation(index) {
  chosen.simulation = index;
  DATA = SIMULATIONS[index];
  useTimes();
  HOUSES = DATA.houses.map(house => ({ id: house[0], name: house[1], label: nameOf(house) }));
  PRODUCERS = DATA.producers.map(([id, house, power]) => ({ id, house, power }));
  JOBS = DATA.jobs.map(([id, source, house, device, profile, registered, earliest, latest, duration, energy]) => ({
    id, source, house, device: text(device), profile: text(profile), registered, earliest, latest, duration, energy,
  }));
  RUNS = DATA.runs.map(run => ({
    ...run,
    contracts: run.contracts && run.contracts.map(
      ([id, job, producer, start, agreed, delivered, moved, cancelled, first, local, grid]) => ({
        run, id, job: JOBS[job], producer: producer < 0 ? null : PRODUCERS[producer], start, agreed, delivered, moved,
        cancelled, first, local, grid,
      })),
  }));
  DETAILED = RUNS.filter(run => run.contracts);
}
const moment = seconds => momentOf(DATA.start + seconds);
const exactMoment = seconds => moment(seconds) + secondsOf(DATA.start + seconds);
// The second of two moments does not repeat the day of the first.
function period(from, to) {
  const [a, b] = [DATA.start + from, DATA.start + to];
  return `${momentOf(a)}–${dateOf(a) === dateOf(b) ? hourOf(b) : momentOf(b)}`;
}

const shownRuns = () => (chosen.run === null ? RUNS : [RUNS[chosen.run]]);
const shownDetailed = () => shownRuns().filter(run => run.contracts);
const ofHouse = contract => chosen.house === null || contract.job.house === chosen.house;
const supplier = contract => (contract.producer ? contract.producer.id : "grid");

// Mean power of each interval, W: of one run, of the chosen household or of all.
function courseOf(run) {
  const course = { sun: sunCourse(), local: new Float64Array(DATA.intervals), grid: new Float64Array(DATA.intervals) };
  for (const contract of run.contracts) {
    if (!ofHouse(contract)) continue;
    contract.local.forEach((power, i) => { course.local[contract.first + i] += power; });
    contract.grid.forEach((power, i) => { course.grid[contract.first + i] += power; });
  }
  return course;
}
function sunCourse() {
  const power = new Float64Array(DATA.intervals);
  for (const producer of PRODUCERS) {
    if (chosen.house !== null && producer.house !== chosen.house) continue;
    producer.power.forEach((value, i) => { power[i] += value; });
  }
  return power;
}
function averageCourse(courses, key) {
  const middle = new Float64Array(DATA.intervals), spread = new Float64Array(DATA.intervals);
  for (let i = 0; i < DATA.intervals; i++) {
    const values = courses.map(course => course[key][i]);
    middle[i] = mean(values);
    spread[i] = deviation(values) || 0;
  }
  return { middle, spread };
}
const producedBy = test => sum(PRODUCERS.filter(test).map(p => sum(p.power))) * DATA.interval / 3600;

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
const soldBy = (run, house) => sum(run.contracts
  .filter(c => c.producer && c.producer.house === house && c.job.house !== house).map(c => c.delivered));
