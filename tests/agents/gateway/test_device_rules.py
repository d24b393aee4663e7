"""What a meter recognizes by each version of the device rules."""

from __future__ import annotations

from dataclasses import astuple

from agents.gateway.device_rules import DEVICE_RULES, MeterRules


def test_the_first_rules_recognize_nothing_and_the_present_ones_everything() -> None:
    """A field that `of` leaves out would apply to replays of recordings that are older than it."""
    assert not any(astuple(MeterRules.of(1)))
    assert MeterRules.of(DEVICE_RULES) == MeterRules()
    assert all(astuple(MeterRules()))


def test_each_version_recognizes_what_those_before_do() -> None:
    """Rules are added to, not taken back."""
    for rules in range(2, DEVICE_RULES + 1):
        before, now = astuple(MeterRules.of(rules - 1)), astuple(MeterRules.of(rules))
        assert all(is_now or not was for was, is_now in zip(before, now, strict=True))
