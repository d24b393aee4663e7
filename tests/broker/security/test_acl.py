"""The rights that are written, against the table of topics: who may read and write what, and that it is all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.protocol import topics
from broker.security.acl import DeviceAccess, Rights, acl_text, rights_of
from broker.transport.filters import matches

HOUSES = ("adler", "b/+#")
CLOCK_HOSTS = ("manager",)
EVERYBODY = ("clock", "watcher", "operator", *HOUSES)

Who = Callable[[str, str], bool]
"""Whether a login may, where the topic belongs to a host."""


def only(*logins: str) -> Who:
    """Return that only these logins may, for any host."""
    return lambda login, _host: login in logins


def owner(login: str, host: str) -> bool:
    """Whether the host is the login's own."""
    return login == host or (login == "clock" and host == "manager")


def anyone_here(login: str, _host: str) -> bool:
    """All who take part."""
    return login in EVERYBODY


def watching(who: Who) -> Who:
    """Return that these may, and those who see everything."""
    return lambda login, host: who(login, host) or login in {"watcher", "operator"}


def recording(who: Who) -> Who:
    """Return that these may, and the clock, which records all messages and removes leftovers."""
    return lambda login, host: who(login, host) or login == "clock"


RUN = "run 1"
HOSTS = ("manager", *HOUSES)
OTHER = "someone"

TABLE: list[tuple[Callable[[str], str], Who, Who]] = [
    (lambda _: topics.roster(RUN), anyone_here, only("clock")),
    (lambda _: topics.time(RUN), anyone_here, only("clock")),
    (lambda _: topics.control(RUN), watching(only("clock")), only("operator")),
    (lambda host: topics.host(RUN, host), watching(only("clock")), recording(owner)),
    (lambda _: topics.grants(RUN), anyone_here, only("clock")),
    (lambda host: topics.grant(RUN, host), watching(owner), only("clock")),
    (lambda host: topics.done(RUN, host), watching(only("clock")), owner),
    (lambda host: topics.inbox(RUN, host, OTHER), watching(recording(owner)), only()),
    (lambda host: topics.inbox(RUN, OTHER, host), watching(recording(only())), owner),
    (lambda host: topics.local(RUN, host), watching(only("clock")), owner),
    (lambda host: topics.resend(RUN, host, OTHER), watching(recording(owner)), only()),
    (lambda host: topics.resend(RUN, OTHER, host), watching(only("clock")), owner),
    (lambda _: topics.resend(RUN, OTHER, topics.CLOCK), watching(only("clock")), only("clock")),
    (lambda host: topics.wake(RUN, host), watching(only("clock")), owner),
    (lambda _: topics.device(RUN, "washer", "job"), watching(only("clock")), only("clock")),
    (lambda _: topics.device(RUN, "washer", "request"), watching(only("clock")), only("clock", "operator")),
    (lambda _: topics.claim(RUN, "tasmota/cmnd/x/1"), watching(only("clock")), only("clock")),
    (lambda _: topics.ledger(RUN, "contract"), watching(only("clock")), only("clock")),
    (lambda host: topics.forecast(RUN, host, "pv"), watching(only("clock")), recording(owner)),
    (lambda host: f"ssmic/{host}", only("watcher", "operator"), only()),
    (lambda host: f"{topics.done(RUN, topics.encode(host))}/more", only("watcher", "operator"), only()),
    (lambda host: f"$SYS/broker/{topics.encode(host)}", only(), only()),
]


@pytest.mark.parametrize("login", EVERYBODY)
def test_each_login_may_what_its_part_needs_and_no_more(login: str) -> None:
    """Every topic of the table, for every host."""
    rights = rights_of(login, HOUSES, CLOCK_HOSTS)
    for topic_of, may_read, may_write in TABLE:
        for host in HOSTS:
            topic = topic_of(host)
            assert covers(rights.read, topic) == may_read(login, host), f"{login} reads {topic}"
            assert covers(rights.write, topic) == may_write(login, host), f"{login} writes {topic}"


def test_the_table_of_this_test_has_every_kind_of_topic() -> None:
    """A new topic needs an entry here with its permissions."""
    kinds = {address.kind for topic_of, _, _ in TABLE if (address := topics.parse(topic_of("x"))) is not None}
    assert kinds == set(topics._LEVELS)


def test_lines_before_the_first_user_grant_nothing() -> None:
    """They would apply to clients without a login."""
    text = acl_text([("a b", Rights(read=("x",), write=("y",)))])
    before, _, section = text.partition("user ")
    assert not [line for line in before.splitlines() if line and not line.startswith("#")]
    assert section == "a%20b\ntopic read x\ntopic write y\n"


def covers(filters: tuple[str, ...], topic: str) -> bool:
    """Whether one of the filters covers a topic."""
    return any(matches(topic_filter, topic) for topic_filter in filters)


def test_a_device_writes_only_its_own_topics_and_its_household_those_it_reads() -> None:
    """Neither can pose as another device or another household."""
    devices = [DeviceAccess("adler", "washer", ("tele/x/+",), ("cmnd/x/+",)), DeviceAccess("b/+#", "pump")]
    washer = rights_of("device.washer", HOUSES, CLOCK_HOSTS, devices)
    house = rights_of("adler", HOUSES, CLOCK_HOSTS, devices)
    may = [(device, part) for device in ("washer", "pump") for part in ("announce", "request", "report", "job", "set")]
    written = {(device, part) for device, part in may if covers(washer.write, topics.device(RUN, device, part))}
    assert written == {("washer", "announce"), ("washer", "request"), ("washer", "report")}
    told = {(device, part) for device, part in may if covers(house.write, topics.device(RUN, device, part))}
    assert told == {("washer", "announce"), ("washer", "job"), ("washer", "set")}
    assert covers(washer.read, topics.device(RUN, "washer", "set"))
    assert not covers(washer.read, topics.device(RUN, "pump", "set"))
    assert covers(house.read, "tele/x/LWT")
    assert covers(house.write, "cmnd/x/POWER")
    assert not covers(house.write, "cmnd/y/POWER")


def test_a_device_may_use_its_makers_topics_as_its_gateway_does() -> None:
    """A plug with its maker's firmware writes what its gateway reads, claims nothing, and is no other plug."""
    claim = f"{topics.ROOT}/+/claims/x"
    bridge = "zigbee2mqtt/bridge/state"
    devices = [
        DeviceAccess("adler", "washer", ("tele/x/LWT", "stat/x/RESULT", claim), ("cmnd/x/+", claim)),
        DeviceAccess("adler", "dryer", ("tele/y/LWT",), ("cmnd/y/+",)),
        DeviceAccess("adler", "lamp", (bridge, "zigbee2mqtt/lamp"), ("zigbee2mqtt/lamp/+",)),
        DeviceAccess("b/+#", "pump", (bridge, "zigbee2mqtt/pump"), ("zigbee2mqtt/pump/+",)),
        DeviceAccess("b/+#", ""),
    ]
    plug = rights_of("device.washer", HOUSES, CLOCK_HOSTS, devices)
    assert {"tele/x/LWT", "stat/x/RESULT"} <= set(plug.write)
    assert "cmnd/x/+" in plug.read
    assert not [topic for topic in (*plug.read, *plug.write) if topic == claim or "y" in topic.split("/")]
    behind = rights_of("device.lamp", HOUSES, CLOCK_HOSTS, devices)
    assert {bridge, "zigbee2mqtt/lamp", "zigbee2mqtt/pump"} <= set(behind.write)
    assert {"zigbee2mqtt/lamp/+", "zigbee2mqtt/pump/+"} <= set(behind.read)


def test_room_for_guests_opens_no_device_of_another_household() -> None:
    """The ids of guests are not known, but those of declared devices are."""
    devices = [DeviceAccess("adler", "washer"), DeviceAccess("b/+#", "pump"), DeviceAccess("b/+#", "")]
    rights = rights_of("b/+#", HOUSES, CLOCK_HOSTS, devices)
    assert covers(rights.write, topics.device(RUN, "kettle", "set"))
    for part in ("announce", "forecast", "job", "set", "request", "report"):
        assert covers(rights.deny, topics.device(RUN, "washer", part))
        assert not covers(rights.deny, topics.device(RUN, "pump", part))
    assert rights_of("adler", HOUSES, CLOCK_HOSTS, devices).deny == ()
    lines = acl_text([("b/+#", rights)]).splitlines()
    assert lines.index("topic deny ssmic/+/devices/washer/#") == lines.index("user b%2F%2B%23") + 1


def test_a_household_whose_guests_are_known_may_use_no_other_device() -> None:
    """Another household with room for guests may not use theirs."""
    devices = [DeviceAccess("adler", ""), DeviceAccess("adler", "kettle", is_guest=True), DeviceAccess("b/+#", "")]
    rights = rights_of("adler", HOUSES, CLOCK_HOSTS, devices)
    for covering in (rights.read, rights.write):
        assert covers(covering, topics.device(RUN, "kettle", "set"))
        assert not covers(covering, topics.device(RUN, "oven", "set"))
    assert covers(rights_of("b/+#", HOUSES, CLOCK_HOSTS, devices).deny, topics.device(RUN, "kettle", "set"))
