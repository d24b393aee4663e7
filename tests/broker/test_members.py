"""The clock's register of hosts."""

from __future__ import annotations

from broker.members import Members
from broker.wire import Announcement


def test_the_roster_names_the_homes_of_those_that_are_away() -> None:
    """Hosts route by it: a broker that goes down publishes all last wills, and its agents still live where they did."""
    members = Members({"adler": ("pv",), "manager": ("manager",)})
    there = Announcement(host="adler", session="1", agents=("pv",), state="there")
    assert members.take("adler", there)
    assert not members.take("adler", there.model_copy(update={"agents": (), "state": "gone"}))
    assert members.missing == ("adler", "manager")
    roster = members.roster
    assert {host: member.agents for host, member in roster.hosts.items()} == {"adler": ("pv",), "manager": ("manager",)}
    assert {member.session for member in roster.hosts.values()} == {""}
    assert members.take("adler", there.model_copy(update={"session": "2"}))
    assert members.roster.hosts["adler"].session == "2"


def test_the_roster_leaves_out_those_that_the_run_goes_on_without() -> None:
    """Nobody writes to them any more."""
    members = Members({"adler": ("pv",), "manager": ("manager",)})
    assert members.drop("adler") == ("pv",)
    assert set(members.roster.hosts) == {"manager"}
