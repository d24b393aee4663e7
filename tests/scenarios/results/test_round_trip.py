"""The file returns messages and contracts exactly as they were."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings, strategies as st

from agents.manager.ledger import LedgerEntry, LedgerEvent, ledger_sha256
from agents.model import Contract
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S, neighbourhood

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
"""Any Unicode, NUL and quotes too; lone surrogates never pass the validation of messages and files."""
moments = st.integers(START_S, START_S + 86_400)
keys = texts | st.sampled_from(["kind", "job", "job_id", "contract", "contract_id", "load_profile"])
bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
events = st.builds(
    LedgerEvent,
    at_s=moments,
    what=st.sampled_from(["agreed", "amended", "cancelled", "lost"]),
    start_s=moments,
    reason=st.just("") | texts,
)


@st.composite
def entries(draw: st.DrawFn) -> list[LedgerEntry]:
    """Draw a ledger of any contracts."""
    ids = draw(st.lists(texts, unique=True, max_size=5))
    return [
        LedgerEntry(
            contract=Contract(
                contract_id=contract_id,
                job_id=draw(texts),
                producer=draw(texts),
                start_s=draw(moments),
                agreed_s=draw(moments),
                energy_wh=draw(st.floats(0, 1e9)),
            ),
            state=draw(st.sampled_from(["standing", "cancelled", "lost"])),
            history=tuple(draw(st.lists(events, min_size=1, max_size=4))),
        )
        for contract_id in ids
    ]


@example([], [("a", "b", "odd", {"job_id": [None], "contract_id": {}, "contract": 3, "job": []})])
@example([], [("a", "b", "odd", {"job": {"job_id": [], "load_profile": {"times_s": 5}}, "contract": {"job_id": 7}})])
@settings(max_examples=25, deadline=None)
@given(entries(), st.lists(st.tuples(texts, texts, texts, st.dictionaries(keys, bodies, max_size=4)), max_size=5))
def test_ledgers_and_messages_come_back_as_they_were(
    ledger: list[LedgerEntry], said: list[tuple[str, str, str, dict[str, Any]]]
) -> None:
    """They are equal to the last bit, in their original order; equal ledgers have equal hashes."""
    scenario = neighbourhood({}, [])
    with TemporaryDirectory() as folder:
        path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=Path(folder) / "r.sqlite")
        with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
            for seq, (sender, to, kind, body) in enumerate(said):
                writer.message(START_S, 0, sender, seq, to, kind, body)
            for entry in ledger:
                writer.entry(entry)
            writer.commit()
        with ResultsReader(path) as results:
            read, messages = results.ledger(1), list(results.messages(1))

    assert read == tuple(sorted(ledger, key=lambda entry: entry.contract.contract_id.encode()))
    assert ledger_sha256(read) == ledger_sha256(ledger)
    assert [(m.sender, m.recipient, m.kind, m.body) for m in messages] == said
