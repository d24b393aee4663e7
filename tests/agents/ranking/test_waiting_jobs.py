"""Jobs that wait, and the producers that the manager names to them when these have more to offer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from agents.energy import LoadProfile
from agents.headroom import View
from agents.job_needs import JobNeeds
from agents.ranking.headroom_board import HeadroomBoard
from agents.ranking.waiting_jobs import WaitingJobs

HOUR_S = 3_600
LOAD = LoadProfile(times_s=(0, 4200), cumulative_wh=(0.0, 500.0))
"""It draws 500 Wh in 70 minutes without a break."""
BROKEN = View(from_s=0, block_s=HOUR_S, free_wh=(400.0, 0.0, 400.0), peak_wh=(10.0, 0.0, 10.0))
"""Enough energy, but not in one piece."""
WHOLE = View(from_s=0, block_s=HOUR_S, free_wh=(400.0, 400.0, 400.0), peak_wh=(10.0, 10.0, 10.0))


def _need() -> JobNeeds:
    return JobNeeds(0, 3 * HOUR_S, LOAD.energy_wh, LOAD.least_peak_wh, LOAD)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many producers each check of views concerned so far."""
    checked: list[int] = []
    may_run = HeadroomBoard.may_run

    def counted(
        self: HeadroomBoard, need: JobNeeds, producers: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    ) -> object:
        checked.append(len(producers))
        return may_run(self, need, producers)

    monkeypatch.setattr(HeadroomBoard, "may_run", counted)
    return checked


def test_informing_jobs_takes_few_looks_at_many_producers(looks: list[int]) -> None:
    """A new forecast of 4,000 panels and 5,000 waiting jobs took 20 million looks, one pair after the other."""
    board, waiting = HeadroomBoard(), WaitingJobs()
    for number in range(300):
        board.put(number, WHOLE if number == 250 else BROKEN)
    for job in range(20):
        waiting.add(f"job-{job}", "consumer", _need(), asked=())
    told = waiting.to_tell(range(300), board, now_s=0)
    assert told == [(f"job-{job}", "consumer", 250) for job in range(20)]
    assert len(looks) <= 20 * 6


def test_a_view_with_too_little_for_many_jobs_is_looked_at_once(looks: list[int]) -> None:
    """At 10,000 houses, each new view was compared with hundreds of waiting jobs: an eighth of the processor time."""
    board, waiting = HeadroomBoard(), WaitingJobs()
    board.put(0, BROKEN)
    for job in range(200):
        waiting.add(f"job-{job}", "consumer", _need(), asked=())
    assert waiting.to_tell([0], board, now_s=0) == []
    assert len(looks) == 1


@pytest.mark.parametrize("seed", range(20))
def test_looking_at_jobs_together_informs_the_same_jobs(seed: int) -> None:
    """The same as by looking at each pair of a job and a producer."""
    random = Random(seed)
    board, waiting = HeadroomBoard(), WaitingJobs()
    numbers = range(random.randint(1, 4))
    for number in numbers:
        peaks_wh = tuple(random.choice((0.0, 4.0, 7.0, 10.0)) for _ in range(12))
        board.put(number, View(from_s=0, block_s=HOUR_S, free_wh=(600.0,) * 12, peak_wh=peaks_wh))
    loads = [LoadProfile(times_s=(0, 60 * m), cumulative_wh=(0.0, 5.0 * m)) for m in (20, 70, 130)]
    expected = []
    for job in range(40):
        load, begin_s = random.choice(loads), HOUR_S * random.randint(0, 10)
        end_s = begin_s + random.randint(-HOUR_S, 4 * HOUR_S) + load.duration_s  # some have no start at all
        need = JobNeeds(begin_s, end_s, load.energy_wh, load.least_peak_wh, load if job % 7 else None)
        waiting.add(f"job-{job}", "consumer", need, asked=())
        may_serve = board.may_serve(need, np.array(numbers)) & board.may_run(need, np.array(numbers))
        expected += [(number, job) for number in np.flatnonzero(may_serve)[:1].tolist()]
    told = waiting.to_tell(numbers, board, now_s=0)
    assert told == [(f"job-{job}", "consumer", number) for number, job in sorted(expected)]


@pytest.mark.parametrize("seed", range(5))
def test_each_job_is_informed_of_its_first_producer(seed: int) -> None:
    """In the order of the producers, and for each of them in the order in which the jobs began to wait."""
    random = Random(seed)
    board, waiting = HeadroomBoard(), WaitingJobs()
    views = [random.choice((WHOLE, BROKEN)) for _ in range(40)]
    for number, view in enumerate(views):
        board.put(number, view)
    asked = [{number for number in range(40) if random.random() < 0.7} for _ in range(15)]
    for job, known in enumerate(asked):
        waiting.add(f"job-{job}", "consumer", _need(), known)
    risen = random.sample(range(40), 30)
    expected, heard = [], set()
    for number in risen:
        for job, known in enumerate(asked):
            if job not in heard and number not in known and views[number] is WHOLE:
                heard.add(job)
                expected.append((f"job-{job}", "consumer", number))
    assert waiting.to_tell(risen, board, now_s=0) == expected
    assert waiting.to_tell(risen, board, now_s=0) == []  # one producer at a time


def test_the_next_producer_takes_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each refusal, all producers were checked slot by slot, to name one of them."""
    checked, may_run = 0, HeadroomBoard.may_run

    def counted(
        self: HeadroomBoard, need: JobNeeds, producers: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    ) -> object:
        nonlocal checked
        checked += len(producers)
        return may_run(self, need, producers)

    monkeypatch.setattr(HeadroomBoard, "may_run", counted)
    board, waiting = HeadroomBoard(), WaitingJobs()
    for number in range(300):
        board.put(number, WHOLE if number > 2 else BROKEN)
    waiting.add("job", "consumer", _need(), asked=range(100))
    order = np.arange(300)
    named = [waiting.tell_next("job", order, board, now_s=0) for _ in range(3)]
    assert named == [("job", "consumer", number) for number in (100, 101, 102)]
    assert checked <= 3 * 5


@pytest.mark.parametrize("seed", range(20))
def test_the_next_producer_is_the_first_one_that_was_not_named(seed: int) -> None:
    """Producers with too little are looked at again only after a new view; the outcome is that of looking at all."""
    random = Random(seed)
    board, waiting = HeadroomBoard(), WaitingJobs()
    views = [random.choice((WHOLE, BROKEN, BROKEN)) for _ in range(12)]
    for number, view in enumerate(views):
        board.put(number, view)
    waiting.add("job", "consumer", _need(), asked=())
    named: set[int] = set()
    there = set(range(12))
    for _ in range(30):
        if random.random() < 0.2:
            number = random.randrange(12)
            if number in there:
                there.remove(number)
            else:  # it joins again, and all waiting jobs learn of it
                there.add(number)
                waiting.learn_of(number)
                named.add(number)
        for number in random.sample(range(12), random.choice((0, 0, 1, 3))):
            views[number] = random.choice((WHOLE, BROKEN))
            board.put(number, views[number])
        order = np.array(sorted(there))
        first = next((n for n in order.tolist() if n not in named and views[n] is WHOLE), None)
        told = waiting.tell_next("job", order, board, now_s=0)
        assert told == (None if first is None else ("job", "consumer", first))
        named |= set() if first is None else {first}
