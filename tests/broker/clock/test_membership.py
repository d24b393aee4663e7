"""The clock's register of hosts."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from broker.clock.membership import Membership
from broker.protocol.bounds import MAX_PAYLOAD_BYTES
from broker.protocol.wire import Announcement, Member as RosterMember, Roster


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


def test_the_parts_of_a_setup_may_be_in_any_order() -> None:
    """The refusal of a household in another language said that its settings were unknown."""
    members = Membership({"adler": ("pv",)}, {"adler": "seed:1 jobs:#a patient:yes"})
    there = Announcement(host="adler", session="1", agents=("pv",), setup="seed:2 jobs:#b patient:yes", state="there")
    members.register("adler", there)
    assert members.roster.refused["1"]["adler"] == "its settings differ from the clock's: other jobs, seed '2', not '1'"
    members.register("adler", there.model_copy(update={"session": "2", "setup": "jobs:#a patient:yes seed:1"}))
    assert members.missing == ()


def test_the_roster_states_the_display_offset_of_times() -> None:
    """A watcher needs no scenario for it; the roster of an older clock means UTC."""
    members = Membership({"adler": ("pv",)}, utc_offset_s=7200)
    told = members.roster.encoded()
    assert json.loads(told)["utc_offset_s"] == 7200
    assert Roster.model_validate_json(told).utc_offset_s == 7200
    assert Roster.model_validate_json('{"v":6,"hosts":{}}').utc_offset_s == 0


def test_the_roster_of_a_run_in_utc_is_what_older_peers_read() -> None:
    """Older peers reject unknown keys."""
    assert not {"utc_offset_s", "zone"} & json.loads(Membership({"adler": ("pv",)}).roster.encoded()).keys()


@pytest.mark.parametrize("offset_s", [86_400, -86_400, 10**9, "x", 0.5])
def test_an_offset_of_a_day_or_more_is_refused(offset_s: object) -> None:
    """No time zone has such an offset."""
    with pytest.raises(ValidationError):
        Roster.model_validate({"hosts": {}, "utc_offset_s": offset_s})


def full_run() -> Membership:
    """Return a run, the roster of which fits into a message just so."""
    hosts = {f"h{n:04}": ("a" * 121,) for n in range(3_000)}
    present = {host: RosterMember(session="0" * 16, agents=agents) for host, agents in hosts.items()}
    left = MAX_PAYLOAD_BYTES - len(Roster(hosts=present).encoded())
    hosts["last"] = ("a" * (left - len('"last":{"session":"0123456789abcdef","agents":[""]},')),)
    members = Membership(hosts)
    for host in hosts.keys() - {"h0000"}:
        members.register(host, there(members, host, "0" * 16))
    return members


def there(members: Membership, host: str, session: str) -> Announcement:
    """Return an announcement."""
    return Announcement(host=host, session=session, agents=members.expected[host], state="there")


@pytest.mark.parametrize(
    ("session", "is_admitted"),
    [("0" * 16, True), ("0" * 17, False), ("\U0001f600" * 64, False)],
    ids=["usual", "longer", "longest"],
)
def test_a_session_does_not_make_the_roster_too_large(session: str, is_admitted: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Attack 119: the clock ended, since a member of a run that just fits into a message had a long session."""
    members = full_run()
    assert members.register("h0000", there(members, "h0000", session)) is is_admitted
    (payload,) = members.roster.payloads()
    assert MAX_PAYLOAD_BYTES - 400 < len(payload) <= MAX_PAYLOAD_BYTES


def test_the_reasons_for_which_hosts_are_quarantined_are_left_out_of_a_full_roster() -> None:
    """That they are out is not."""
    members = full_run()
    for number in range(1, 4):
        members.drop(f"h000{number}", "\U0001f600" * 300, is_quarantined=True)
    (payload,) = members.roster.model_copy(update={"failed": "x" * 1_000}).payloads()
    roster = Roster.model_validate_json(payload)
    assert roster.quarantined == dict.fromkeys(("h0001", "h0002", "h0003"), "")
    assert roster.failed.startswith("xxx")
