"""The clock's register of hosts."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from broker.clock.membership import Membership
from broker.protocol.wire import Announcement, Roster


def test_the_roster_names_the_homes_of_those_that_are_away() -> None:
    """Hosts route by it: a broker that goes down publishes all last wills, and its agents still live where they did."""
    members = Membership({"adler": ("pv",), "manager": ("manager",)})
    there = Announcement(host="adler", session="1", agents=("pv",), state="there")
    assert members.register("adler", there)
    assert not members.register("adler", there.model_copy(update={"agents": (), "state": "gone"}))
    assert members.missing == ("adler", "manager")
    roster = members.roster
    assert {host: member.agents for host, member in roster.hosts.items()} == {"adler": ("pv",), "manager": ("manager",)}
    assert {member.session for member in roster.hosts.values()} == {""}
    assert members.register("adler", there.model_copy(update={"session": "2"}))
    assert members.roster.hosts["adler"].session == "2"


def test_the_roster_omits_dropped_hosts() -> None:
    """Hosts no longer send messages to them."""
    members = Membership({"adler": ("pv",), "manager": ("manager",)})
    assert members.drop("adler") == ("pv",)
    assert set(members.roster.hosts) == {"manager"}


def test_the_roster_states_the_display_offset_of_times() -> None:
    """A watcher needs no scenario for it; the roster of an older clock means UTC."""
    members = Membership({"adler": ("pv",)}, utc_offset_s=7200)
    told = members.roster.encoded()
    assert json.loads(told)["utc_offset_s"] == 7200
    assert Roster.model_validate_json(told).utc_offset_s == 7200
    assert Roster.model_validate_json('{"v":4,"hosts":{}}').utc_offset_s == 0


def test_the_roster_of_a_run_in_utc_is_what_older_peers_read() -> None:
    """Older peers reject unknown keys."""
    assert not {"utc_offset_s", "zone"} & json.loads(Membership({"adler": ("pv",)}).roster.encoded()).keys()


@pytest.mark.parametrize("offset_s", [86_400, -86_400, 10**9, "x", 0.5])
def test_an_offset_of_a_day_or_more_is_refused(offset_s: object) -> None:
    """No time zone has such an offset."""
    with pytest.raises(ValidationError):
        Roster.model_validate({"hosts": {}, "utc_offset_s": offset_s})
