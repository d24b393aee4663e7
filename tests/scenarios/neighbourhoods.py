"""Small neighbourhoods for tests of figures and results: by hand, and drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from hypothesis import strategies as st

from agents.energy import LoadProfile, Outlook, Prediction, Production
from agents.manager.ledger import LedgerEntry, LedgerEvent
from agents.model import GRID, Contract, Device, House, Job
from agents.sharing import PastForecasts
from scenarios.prices import Tariff
from scenarios.scenario import ProducerSeries, Scenario

START_S = 1_466_460_000
"""A whole hour and minute: 20 June 2016, 22:00 UTC."""
TARIFF = Tariff(import_eur_per_kwh=0.4, feed_in_eur_per_kwh=0.1, neighbour_eur_per_kwh=0.2, grid_kg_co2_per_kwh=0.5)


def load(*points: tuple[int, float]) -> LoadProfile:
    """Return a load profile through (seconds since start, Wh) points."""
    return LoadProfile(times_s=tuple(t for t, _ in points), cumulative_wh=tuple(wh for _, wh in points))


def sun(*points: tuple[int, float]) -> Production:
    """Return a production through (seconds since START_S, Wh) points."""
    return Production(times_s=tuple(START_S + t for t, _ in points), cumulative_wh=tuple(wh for _, wh in points))


def forecast(production: Production, issued_s: int = START_S) -> ProducerSeries:
    """Return a producer with one prediction."""
    return ProducerSeries(predictions=(Prediction(issued_s=issued_s, production=production),))


def past_forecasts(of: Scenario) -> dict[str, PastForecasts]:
    """Return, for each producer, what a scenario forecasts for each minute when it ends."""
    past = {producer: PastForecasts() for producer in of.producers}
    for producer, series in of.producers.items():
        known: Outlook | None = None
        for prediction in series.predictions:
            newer = prediction.production
            known = Outlook.of(newer) if known is None else known.continued_by(newer)
            past[producer].take(known, prediction.issued_s)
    return past


def job(job_id: str, house: str, profile: LoadProfile, window_s: tuple[int, int] = (0, 86400)) -> Job:
    """Return a job of the house's device `machine`; its window in seconds since START_S."""
    return Job(
        job_id=job_id,
        source_id=job_id,
        house=house,
        device="machine",
        profile="load",
        load_profile=profile,
        registered_s=START_S,
        earliest_start_s=START_S + window_s[0],
        latest_start_s=START_S + window_s[1],
    )


def neighbourhood(
    houses: Mapping[str, Mapping[str, ProducerSeries]],
    jobs: Sequence[Job],
    *,
    tariff: Tariff | None = None,
    name: str = "sample",
) -> Scenario:
    """Return a scenario.

    Args:
        houses: By house, its producers by id; every house has a consumer device `machine` too.
        jobs: All jobs.
        tariff: None: without.
        name: Its name.
    """
    return Scenario(
        name=name,
        start_s=START_S,
        seed=1,
        houses=tuple(
            House(
                id=house,
                name=f"House {house}",
                devices=(
                    Device(id="machine", house=house, type="consumer", name="Machine"),
                    *(Device(id=producer, house=house, type="producer", name="Roof") for producer in producers),
                ),
            )
            for house, producers in houses.items()
        ),
        jobs=tuple(jobs),
        producers={producer: of for producers in houses.values() for producer, of in producers.items()},
        tariff=tariff,
    )


def contract(of: Job, producer: str, start_s: int, n: int = 1, agreed_s: int = 0) -> Contract:
    """Return a contract; start and agreement in seconds since START_S."""
    return Contract(
        contract_id=f"{of.job_id}/{n}",
        job_id=of.job_id,
        producer=producer,
        start_s=START_S + start_s,
        agreed_s=START_S + agreed_s,
        energy_wh=of.energy_wh,
    )


def agreed(of: Contract) -> LedgerEntry:
    """Return the entry of a contract that nothing happened to but its agreement."""
    event = LedgerEvent(at_s=of.agreed_s, what="agreed", start_s=of.start_s)
    return LedgerEntry(contract=of, state="standing", history=(event,))


def cancelled(of: Contract, at_s: int) -> LedgerEntry:
    """Return the entry of a contract that was cancelled, in seconds since START_S."""
    agreement = LedgerEvent(at_s=of.agreed_s, what="agreed", start_s=of.start_s)
    end = LedgerEvent(at_s=START_S + at_s, what="cancelled", start_s=of.start_s, reason="less sun")
    return LedgerEntry(contract=of, state="cancelled", history=(agreement, end))


def amended(of: Contract, at_s: int, start_s: int) -> LedgerEntry:
    """Return the entry of a contract whose start moved, in seconds since START_S."""
    moved = of.model_copy(update={"start_s": START_S + start_s})
    agreement = LedgerEvent(at_s=of.agreed_s, what="agreed", start_s=of.start_s)
    change = LedgerEvent(at_s=START_S + at_s, what="amended", start_s=moved.start_s)
    return LedgerEntry(contract=moved, state="standing", history=(agreement, change))


@st.composite
def series_points(draw: st.DrawFn, first_s: st.SearchStrategy[int]) -> list[tuple[int, float]]:
    """Draw points of a cumulative series: uneven steps of any second, flat stretches too."""
    steps = draw(st.lists(st.tuples(st.integers(1, 900), st.floats(0, 500)), min_size=1, max_size=8))
    start_s = draw(first_s)
    times = accumulate((step_s for step_s, _ in steps), initial=start_s)
    energies = accumulate((wh for _, wh in steps), initial=0.0)
    return list(zip(times, energies, strict=True))


@st.composite
def producers(draw: st.DrawFn) -> ProducerSeries:
    """Draw a producer with up to three predictions, and with or without an actual production."""
    anywhere = series_points(st.integers(-600, 4000))
    issued = sorted(draw(st.lists(st.integers(0, 4000), min_size=1, max_size=3)))
    predictions = tuple(
        Prediction(issued_s=START_S + at_s, production=sun(*points))
        for at_s, points in zip(issued, draw(st.lists(anywhere, min_size=3, max_size=3)), strict=False)
    )
    actual = draw(st.none() | anywhere)
    return ProducerSeries(predictions=predictions, actual=None if actual is None else sun(*actual))


@st.composite
def settled_runs(draw: st.DrawFn) -> tuple[Scenario, list[Contract], int]:
    """Draw a scenario, a contract for every job (covered by production or not), and the run's end."""
    roofs = draw(st.lists(producers(), max_size=3))
    count = draw(st.integers(max(1, len(roofs)), 4))
    houses = {f"h{i}": ({f"pv{i}": roofs[i]} if i < len(roofs) else {}) for i in range(count)}
    profiles = draw(st.lists(series_points(st.just(0)), max_size=6))
    jobs = [job(f"j{i}", f"h{draw(st.integers(0, count - 1))}", load(*points)) for i, points in enumerate(profiles)]
    ids = [GRID, *(f"pv{i}" for i in range(len(roofs)))]
    contracts = [contract(j, draw(st.sampled_from(ids)), draw(st.integers(0, 5000))) for j in jobs]
    scenario = neighbourhood(houses, jobs, tariff=TARIFF)
    return scenario, contracts, START_S + draw(st.integers(0, 6000))
