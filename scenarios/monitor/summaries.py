"""Summarizes a message between agents in a few words that can be read at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from agents import giving_periods_s
from broker import plural
from scenarios.events import ACTION, action_in_words
from scenarios.monitor.message_log import shown_agent
from scenarios.monitor.negotiations import NOBODY
from scenarios.zone import Zone

Body = dict[str, Any]


def _whom(body: Body, _: Zone) -> str:
    asked = len(body["asked"])
    return f"Who else can supply? {asked} asked already" if asked else "Who can supply?"


NOTHING_LEFT = "Nothing left"
"""If no producer has energy for a job."""


def _listed(body: Body) -> str:
    left_out = sum(body.get("left_out", ()))
    named = ", ".join(body["producers"]) or ("No other" if left_out else NOBODY)
    return f"{named}; {left_out} left out: they have too little left" if left_out else named


def _request(body: Body, zone: Zone) -> str:
    job = body["job"]
    wh = job["load_profile"]["cumulative_wh"]
    window = f"{zone.exact_clock(job['earliest_start_s'])}-{zone.exact_clock(job['latest_start_s'])}"
    return f"{energy(wh[-1] - wh[0])}, start {window}?"


def _intervals(body: Body, zone: Zone) -> str:
    starts = [(zone.exact_clock(first_s), zone.exact_clock(last_s)) for first_s, last_s in body["starts"]]
    return ", ".join(first if first == last else f"{first}-{last}" for first, last in starts)


def _agreed(body: Body, zone: Zone) -> str:
    contract = body["contract"]
    start_s = contract["start_s"]
    shares = {
        share["producer"]: f"{_of_runs(share)} {in_periods(share['minutes_mwh'], start_s, zone)}"
        for share in contract.get("shares", ())
    }
    suppliers = ", ".join(f"{producer} ({given})" for producer, given in shares.items()) or contract["producer"]
    said = f"{energy(contract['energy_wh'])} from {suppliers} at {zone.exact_clock(contract['start_s'])}"
    return said + _because(body)


MOST_PERIODS = 3
"""Periods of a share that are listed; the others are counted."""


def in_periods(runs: Iterable[tuple[int, int]], start_s: int, zone: Zone) -> str:
    """Return when a share gives something: `10:00-10:20, 10:25-11:00`.

    Args:
        runs: Its energy by the minute, mWh, run-length encoded.
        start_s: The start of its job, UNIX seconds.
        zone: Display zone of times.
    """
    periods = giving_periods_s(runs, start_s)
    shown = [f"{zone.exact_clock(begin_s)}-{zone.exact_clock(end_s)}" for begin_s, end_s in periods[:MOST_PERIODS]]
    more = (
        [f"{len(periods) - MOST_PERIODS} more until {zone.exact_clock(periods[-1][1])}"]
        if periods[MOST_PERIODS:]
        else []
    )
    return ", ".join([*shown, *more])


def _of_runs(body: Body) -> str:
    return energy(sum(minutes * mwh for minutes, mwh in body["minutes_mwh"]) / 1_000)


def _of_shares(body: Body) -> str:
    return ", ".join(f"{_of_runs(share)} of {share['producer']}" for share in body["shares"])


def _offered(body: Body) -> str:
    return "; ".join(f"{_of_runs(offer)} left of {offer['producer']}" for offer in body["offers"]) or NOTHING_LEFT


def _answered(body: Body) -> str:
    promised, declined = ", ".join(body["promised"]), ", ".join(body["declined"])
    said = [f"Reserved: {promised}"] if promised else []
    return "; ".join([*said, f"declined: {declined}"] if declined else said)


def _because(body: Body) -> str:
    reason = str(body.get("reason", ""))
    return f": {reason}" if reason else ""


def _event(body: Body) -> str:
    return action_in_words(ACTION.validate_python(body["event"], strict=False))


def _total(series: Body) -> str:
    wh = series["cumulative_wh"]
    return energy(wh[-1] - wh[0])


def _executed(body: Body, zone: Zone) -> str:
    at = f"{str(body['state']).lower()}, started {zone.exact_clock(body['started_s'])}"
    return f"{at}: {body['outcome']}" if body["outcome"] else at


def _consumer(body: Body) -> str:
    return shown_agent(str(body["consumer"]))


def _declined(body: Body) -> str:
    others = ", ".join(body.get("others", ()))
    return f"{body['producer']} declined; also {others}" if others else f"{body['producer']} declined"


_WORDING: dict[str, Callable[[Body, Zone], str]] = {
    "ProducerJoined": lambda body, _: f"{body['producer']} is ready for requests",
    "ProducersFor": _whom,
    "Producers": lambda body, _: _listed(body),
    "Headroom": lambda body, _: f"At most {energy(sum(body['view']['free_wh']))} left",
    "Request": _request,
    "Accept": lambda body, zone: f"Yes, from {zone.exact_clock(body['start_s'])}",
    "AcceptProvisionally": lambda body, zone: f"Provisionally yes, from {zone.exact_clock(body['start_s'])}",
    "PushOut": lambda body, _: f"Pushed out: {body['reason']}",
    "Decline": lambda body, _: f"No: {body['reason']}",
    "Withdraw": lambda _body, _zone: "Request withdrawn",
    "Hold": lambda _body, _zone: "Keep it where it is: another job is being planned",
    "Release": lambda body, zone: f"May move to {_intervals(body, zone)}",
    "Opening": lambda _body, _zone: "Ask again: it fits now",
    "Amend": lambda body, zone: f"Moved to {zone.exact_clock(body['start_s'])}",
    "Cancel": lambda body, _: f"Cannot deliver: {body['reason']}",
    "ContractAgreed": _agreed,
    "ContractAmended": lambda body, zone: f"New start {zone.exact_clock(body['start_s'])}{_because(body)}",
    "ContractCancelled": lambda body, _: f"Cancelled: {body['reason']}",
    "ContractVoid": lambda body, _: f"Not in the ledger: {body['reason']}",
    "Promised": lambda body, zone: (
        f"{energy(body['energy_wh'])} to {_consumer(body)} at {zone.exact_clock(body['start_s'])}"
    ),
    "PromiseWithdrawn": lambda body, _: f"No longer supplied: {body['reason']}",
    "PromiseVoid": lambda body, zone: f"Released from {zone.exact_clock(body['start_s'])}: {body['reason']}",
    "JobsRegistered": lambda body, _: f"{plural(len(body['digests']), 'job')} may be requested",
    "Scored": lambda body, _: f"{plural(len(body['left_out']), 'producer')} scored for jobs whose lists left them out",
    "Declined": lambda body, _: _declined(body),
    "ProducerLeft": lambda body, _: f"{body['producer']} has left",
    "Happened": lambda body, _: _event(body),
    "Follow": lambda body, _: f"Report on {', '.join(body['job_ids'])}",
    "Followed": lambda body, zone: f"{body['state']}, start {zone.exact_clock(body['start_s'])}",
    "NewForecast": lambda body, _: f"New forecast: {_total(body['production'])}",
    "ProductionChanged": lambda body, _: f"Other production: {_event(body)}",
    "Leave": lambda body, _: f"Leave: {body['reason']}",
    "Join": lambda _body, _zone: "Join",
    "ChangeAlgorithm": lambda body, _: f"Decide by {body['algorithm']['name']}",
    "ChangePatience": lambda body, _: "Wait for suppliers" if body["patient"] else "Take grid power at once",
    "ChangeStrategy": lambda body, _: f"Decide by {body['strategy'] or 'the built-in strategy'}",
    "ChangePrices": lambda _body, _zone: "New prices",
    "AddJob": lambda body, zone: f"New job: {_request(body, zone)}",
    "DropJob": lambda _body, _zone: "No longer wanted",
    "DeviceSaid": lambda body, _: f"{body['device']}: {str(body['said']['what']).replace('_', ' ')}",
    "JobWithdrawn": lambda _body, _zone: "Job withdrawn by its device",
    "JobExecuted": _executed,
    "ProductionMeasured": lambda body, _: f"{body['producer']} gave {_total(body['production'])}",
    "ProductionExpected": lambda body, _: f"Expects {_of_runs(body)}",
    "Offered": lambda body, _: _offered(body),
    "Reserve": lambda body, zone: (
        f"{_of_runs(body)}, start {zone.exact_clock(body['start_s'])}?"
        if body["minutes_mwh"]
        else "Share no longer needed"
    ),
    "Conclude": lambda body, _: "The new share stands" if body["is_agreed"] else "The earlier share stands",
    "Shrink": lambda body, _: f"Only {_of_runs(body)} left: {body['reason']}",
    "SharePromised": lambda body, zone: (
        f"{_of_runs(body)} to {_consumer(body)}, {in_periods(body['minutes_mwh'], body['start_s'], zone)}"
        if body["minutes_mwh"]
        else f"Nothing to {_consumer(body)}"
    ),
    "ShareDeclined": lambda body, _: f"No to {_consumer(body)}: {body['reason']}",
    "SharesAnswered": lambda body, _: _answered(body),
    "SharesAmended": lambda body, zone: f"Now {_agreed(body, zone)}",
    "ShareVoid": lambda body, _: f"Released from its share: {body['reason']}",
    "RoomWanted": lambda body, zone: f"Could others leave {_of_shares(body)} from {zone.exact_clock(body['start_s'])}?",
    "RoomNeeded": lambda body, zone: f"Another job needs {_of_shares(body)} from {zone.exact_clock(body['start_s'])}",
}

KINDS = tuple(_WORDING)
"""Message kinds, as in `agents.messages`."""


def summarize(kind: str, body: Body, zone: Zone) -> tuple[str, str]:
    """Return the id of the job that a message is about (empty: none), and a summary of its content.

    Args:
        kind: The message's kind.
        body: The message's body.
        zone: Display zone of times.

    Raises:
        KeyError, TypeError, ValueError, OverflowError, OSError: It is not a message of ours.
    """
    return _job_of(kind, body), _WORDING[kind](body, zone)


def _job_of(kind: str, body: Body) -> str:
    match kind:
        case "Request" | "AddJob":
            return str(body["job"]["job_id"])
        case "ContractAgreed" | "SharesAmended":
            return str(body["contract"]["job_id"])
        case "ContractAmended" | "ContractCancelled":
            return str(body["contract_id"]).rpartition("/")[0]
        case (
            "ProducerJoined"
            | "Headroom"
            | "ProductionExpected"
            | "Scored"
            | "JobsRegistered"
            | "ProducerLeft"
            | "Happened"
            | "Follow"
            | "NewForecast"
            | "ProductionChanged"
        ):
            return ""
        case (
            "Leave"
            | "Join"
            | "ChangeAlgorithm"
            | "ChangePatience"
            | "ChangeStrategy"
            | "ChangePrices"
            | "DeviceSaid"
            | "ProductionMeasured"
        ):
            return ""
    return str(body["job_id"])


def energy(wh: float) -> str:
    """Return an energy in Wh or kWh with about three digits."""
    return f"{wh:.0f} Wh" if abs(wh) < 1000 else f"{wh / 1000:,.2f} kWh"
