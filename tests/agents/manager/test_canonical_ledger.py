"""The ledger's canonical form, as docs/protocol.md gives it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, cast

from agents.manager.ledger import LedgerEntry, LedgerEvent, canonical_bytes, ledger_sha256
from agents.model import GRID, SHARED, Contract
from agents.shares import Share
from broker.hosts.agent import RetainedPublication
from broker.hosts.retransmit_buffer import RetransmitBuffer
from broker.hosts.rounds import Round, RoundRecord
from broker.transport.base import Bus


def entry(contract_id: str, energy_wh: float = 800.5, producer: str = "roof") -> LedgerEntry:
    """Return a standing entry."""
    job_id = contract_id.rpartition("/")[0]
    return LedgerEntry(
        contract=Contract(
            contract_id=contract_id, job_id=job_id, producer=producer, start_s=500, agreed_s=10, energy_wh=energy_wh
        ),
        state="standing",
        history=(LedgerEvent(at_s=10, what="agreed", start_s=500),),
    )


def test_an_entry_is_one_line_of_json_with_sorted_keys_and_no_spaces() -> None:
    """The bytes are a promise: other programs compute the same hash."""
    assert canonical_bytes([entry("wäsche/1")]).decode() == (
        '{"contract":{"agreed_s":10,"contract_id":"wäsche/1","energy_wh":800.5,"job_id":"wäsche","producer":"roof",'
        '"start_s":500},"history":[{"at_s":10,"reason":"","start_s":500,"what":"agreed"}],"state":"standing"}\n'
    )


def test_entries_are_sorted_by_the_code_points_of_their_ids() -> None:
    """The order does not depend on numbers or the locale."""
    ids = ["b/1", "B/1", "a/10", "a/2", "é/1"]
    lines = canonical_bytes(entry(contract_id) for contract_id in ids).decode().splitlines()
    assert [line.split('"contract_id":"')[1].split('"')[0] for line in lines] == ["B/1", "a/10", "a/2", "b/1", "é/1"]


def test_energies_are_written_as_the_shortest_number_that_reads_back_the_same() -> None:
    """Numbers are written as Python's repr does."""
    assert '"energy_wh":0.1,' in canonical_bytes([entry("a/1", 0.1)]).decode()
    assert '"energy_wh":0.30000000000000004,' in canonical_bytes([entry("a/1", 0.1 + 0.2)]).decode()
    assert '"energy_wh":800.0,' in canonical_bytes([entry("a/1", 800)]).decode()


def test_an_entry_names_all_suppliers_after_each_event_and_the_grid_only_if_it_gives_any() -> None:
    """What a screen shows of a contract that several supply: at first with the grid, then without."""
    one, other = Share(producer="pv-a", minutes_mwh=((60, 2_500),)), Share(producer="pv-b", minutes_mwh=((60, 2_499),))
    before = LedgerEvent(at_s=10, what="agreed", start_s=500, producer=SHARED, shares=(one,))
    after = LedgerEvent(at_s=20, what="amended", start_s=500, producer=SHARED, shares=(one, other))
    lost = LedgerEvent(at_s=30, what="amended", start_s=500, producer=GRID)
    contract = entry("a/1", 300.0).contract.model_copy(update={"producer": SHARED, "shares": (one, other)})
    shared = LedgerEntry(contract=contract, state="standing", history=(before, lost, after))
    assert [shared.suppliers_after(event) for event in shared.history] == [
        ("pv-a", GRID),
        (GRID,),
        ("pv-a", "pv-b"),
    ]
    assert entry("a/1").contract.suppliers == ("roof",)


def test_the_hash_is_the_sha256_of_the_canonical_form_in_any_order_of_the_entries() -> None:
    """A further contract, or another supplier, changes the hash."""
    first, second = entry("a/1"), entry("b/1")
    expected = hashlib.sha256(canonical_bytes([first, second])).hexdigest()
    assert ledger_sha256([second, first]) == ledger_sha256([first, second]) == expected
    assert ledger_sha256([first]) != expected
    assert ledger_sha256([first, entry("b/1", producer="shed")]) != expected


def test_an_entry_that_is_too_large_for_a_message_is_published_with_its_beginning_and_its_end() -> None:
    """A broker disconnects a client that sends an oversized message, again after each reconnection."""
    moved = [LedgerEvent(at_s=n, what="amended", start_s=500 + n, reason="x" * 1_000) for n in range(1_000)]
    long = entry("a/1").model_copy(update={"history": (*entry("a/1").history, *moved)})
    buffer = RetransmitBuffer("r", "manager", "s")
    (payload,) = published(buffer, long)
    assert len(payload) < 100_000
    read = LedgerEntry.model_validate_json(payload)
    assert read.history[0] == long.history[0]
    assert read.history[-50:] == long.history[-50:]
    assert LedgerEntry.model_validate_json(published(buffer, entry("a/1"))[0]) == entry("a/1")


def test_a_contract_that_is_itself_too_large_is_not_published() -> None:
    """The run continues, and its results contain the contract."""
    runs = tuple((1, 10**14 + n) for n in range(20_000))
    shares = tuple(Share(producer=producer, minutes_mwh=runs) for producer in ("east", "west"))
    contract = entry("a/1").contract.model_copy(update={"producer": "shared", "shares": shares})
    assert (
        published(RetransmitBuffer("r", "manager", "s"), entry("a/1").model_copy(update={"contract": contract})) == ()
    )


def published(buffer: RetransmitBuffer, content: LedgerEntry) -> tuple[bytes, ...]:
    """Return the payloads that a host publishes for an entry."""
    record = RoundRecord(
        grant=Round(step=0, time=0, round=0, granted_step=0),
        delivered=(),
        sent=(),
        publications=(RetainedPublication("a/1", content),),
        next_s=None,
        failure=None,
    )
    sent: list[bytes] = []

    class PublishedPayloads:
        async def publish(self, topic: str, payload: Any, *, qos: int = 0, retain: bool = False) -> None:
            del qos
            if retain and topic.endswith("a%2F1"):
                sent.extend(payload.payloads())

    buffer.add_round(record)
    asyncio.run(buffer.publish_last(cast("Bus", PublishedPayloads())))
    return tuple(sent)


def test_a_shortened_entry_keeps_as_many_of_its_latest_events_as_fit_and_always_the_last_one() -> None:
    """Its size is exact to the byte: what is published is never larger than a message."""
    moves = [LedgerEvent(at_s=20 + n, what="amended", start_s=600 + n, reason="x" * n) for n in range(10)]
    long = entry("a/1").model_copy(update={"history": (*entry("a/1").history, *moves)})
    sizes = []
    for kept in range(1, 11):
        expected = long.model_copy(update={"history": (long.history[0], *moves[10 - kept :])})
        sizes.append(len(expected.model_dump_json().encode()))
        assert long.shortened(sizes[-1]) == expected
        assert long.shortened(sizes[-1] - 1).history[2:] == tuple(moves[12 - kept :] if kept > 1 else ())
    assert long.shortened(sizes[-1]) is long
    assert long.shortened(0).history == (long.history[0], moves[-1])
