"""Conditions: read, computed, and refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from scenarios.expectations import condition_notes, condition_problems, quoted
from scenarios.expectations.language import ConditionError, Name, Value, compute, names_in, parse

RUN: dict[str, Value] = {
    "jobs": 5.0,
    "self_sufficiency": 0.71,
    "grid_wh": 1500.0,
    'job("wash").producer': "roof",
    "bill_eur": None,
}


def value_of(name: Name) -> Value:
    """Return a figure of a made-up run."""
    return RUN[str(name)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jobs == 5", True),
        ("self_sufficiency >= 70 %", True),
        ("grid_wh < 1.4 kWh", False),
        ("grid_wh <= 3 * 0.5 kWh and not jobs > 6", True),
        ('job("wash").producer == "roof"', True),
        ("job(\"wash\").producer != 'roof' or (jobs + 1) / 2 == 3", True),
        ("bill_eur < 3", False),
        ("-jobs < 0 and true", True),
        ("12:30 == 45000 s", True),
        ("0.1 + 0.2 == 0.3", True),
        ("0.1 + 0.2 != 0.3", False),
        ("0.1 + 0.2 <= 0.3", True),
        ("0.3 >= 0.1 + 0.2", True),
        ("0.3 <= 0.2", False),
        ("0.2 >= 0.3", False),
        ("jobs / 0 == 1 or jobs / 0 < 1", False),
    ],
)
def test_a_condition_has_a_value(text: str, *, expected: bool) -> None:
    """Units, arithmetic, and/or/not work, and comparisons with a missing value fail."""
    assert compute(parse(text), value_of) is expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a value is expected, not 'the end'"),
        ("jobs >", "a value is expected"),
        ("jobs = 3", "cannot be read from '= 3' on; equality is written =="),
        ("self_sufficiency > 0,5", "cannot be read from ',5' on; a decimal is written with a point"),
        (
            "jobs == 3 && jobs_on_grid == 0",
            "cannot be read from '&& jobs_on_grid == 0' on; conditions are joined with `and`",
        ),
        ("jobs == 3, jobs_on_grid == 0", "cannot be read from ', jobs_on_grid == 0' on"),
        ("jobs == 3 # three", "cannot be read from '# three' on"),
        ("jobs 3", "unexpected '3'"),
        ("__import__('os')", "there is no figure '__import__'"),
        ("selfsufficiency > 1", "did you mean 'self_sufficiency'?"),
        ('job("x").strt == 1', "did you mean 'start'?"),
        ("job.start == 1", 'write job("...")'),
        ('algorithm("exakt").jobs == 1', "did you mean 'exact'?"),
        ("contracts.standin == 1", "did you mean 'standing'?"),
        ("grid_wh >= 5 kW", "grid_wh (energy) and 5 kW (power) cannot be compared"),
        ("peak_import_w / 2 < 3 kWh", "peak_import_w / 2 (power) and 3 kWh (energy) cannot be compared"),
        ("bill_eur + 3 h > 0", "bill_eur (money) and 3 h (time) cannot be added"),
        ("-" * 900 + "1 == 1", "more than 100 of the operators + - * /"),
        ("jobs == 1" + " + 1" * 200, "more than 100 of the operators + - * /"),
        ("jobs == 1" + "*1/1" * 100, "more than 100 of the operators + - * /"),
        ("(" * 60 + "jobs == 1" + ")" * 60, "nested more than 50 deep"),
        ("jobs", "a comparison is expected, such as self_sufficiency >= 60 %, not only jobs"),
        ("jobs == 1 and not (grid_wh)", "not only grid_wh"),
        ("2 <= jobs <= 4", "write `2 <= jobs and jobs <= 4`"),
        ("self_sufficiency >= 5 kWh", "self_sufficiency (a share) and 5 kWh (energy) cannot be compared"),
    ],
)
def test_a_mistake_is_explained(text: str, what: str) -> None:
    """The error suggests the nearest name if there is one."""
    known = {"job": ["x"], "house": [], "producer": [], "algorithm": ["exact", "insertion"]}

    assert what in condition_problems(text, known)[0]


@settings(max_examples=60)
@given(st.text(alphabet="jobs()<>=!+-*/.\"' 0123456789%andort:", max_size=40))
def test_no_text_brings_the_reader_down(text: str) -> None:
    """Any text is read or refused."""
    try:
        parse(text)
    except ConditionError as error:
        assert str(error)  # noqa: PT017 - either way is fine


@pytest.mark.parametrize(
    "text",
    [
        "grid_wh >= 5000",
        "delivered_wh >= 90 % * optimum.best_wh",
        "delivered_wh / consumed_wh >= 60 %",
        'job("x").start >= 08:00 and job("x").delay_s <= 2 h',
        "grid_wh - 2 kWh > -5 kWh",
        "peak_import_w * 1 h > 2 kWh",
        "kg_co2 < 3 kg",
        "load_factor > 20 %",
        'job("x").is_on_grid or not job("x").has_contract and true',
    ],
)
def test_units_that_go_together_are_accepted(text: str) -> None:
    """A plain number goes with everything, and what is multiplied is not traced."""
    assert condition_problems(text, {"job": ["x"], "house": [], "producer": [], "algorithm": []}) == []


def test_a_share_that_is_compared_with_more_than_1_is_noted() -> None:
    """It is often a percentage without its sign."""
    assert condition_notes("self_sufficiency >= 60") == [
        "self_sufficiency is a share from 0 to 1, and is compared with 60; 60 % is written `60 %`"
    ]
    assert len(condition_notes('1.5 < algorithm("exact").pooled_self_consumption and jobs > 3')) == 1
    assert condition_notes("self_sufficiency >= 60 % and self_consumption <= 1 and jobs >") == []
    assert condition_notes("self_sufficiency >= 60 % and self_consumption <= 1") == []


@pytest.mark.parametrize("text", ["-" * 100 + "1 == 1", "1" + " + 1" * 100 + " == 101", "(" * 49 + "-1 < 0" + ")" * 49])
def test_a_long_condition_is_computed(text: str) -> None:
    """The limits leave room for every condition that somebody writes."""
    assert condition_problems(text, None) == []
    assert compute(parse(text), value_of) is True


@pytest.mark.parametrize("of", ['the "big" car', "it's", '"', "''", "both \" and '", '""'])
def test_any_id_can_be_named(of: str) -> None:
    """Quotation marks within a text are doubled; a message writes the id so that it can be copied."""
    node = parse(f"job({quoted(of)}).producer == {quoted(of)}")
    assert names_in(node) == (Name("job", of, "producer"),)
    assert parse(f"{names_in(node)[0]} == {quoted(of)}") == node
    single = "'" + of.replace("'", "''") + "'"
    assert parse(f"job({single}).producer == {single}") == node


def test_a_text_that_is_not_closed_cannot_be_read() -> None:
    """A doubled quotation mark does not close it."""
    assert condition_problems('job("wash"").start == 1', None) == ['cannot be read from \'"wash"").start == 1\' on']
