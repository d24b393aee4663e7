"""Neighbourhood pickles: what PySSMic saves is read; no code in a pickle ever runs, and what is strange is refused."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.errors import ScenarioError
from scenarios.files.dump import to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.importers import safe_pickle
from scenarios.importers.detect import import_source
from scenarios.importers.pickled_frame import frame_rows
from scenarios.importers.safe_pickle import Global, Object
from scenarios.load import load_scenario

Thing = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every attack here would leave a file `ran` behind."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def thing(monkeypatch: pytest.MonkeyPatch) -> Thing:
    """Make instances of classes that pickle as PySSMic's: `thing("House", id=1)`."""
    module = types.ModuleType("backend.neighbourhood")
    for name in ("Neighbourhood", "House", "User", "Device", "Event"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, "backend", types.ModuleType("backend"))
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def make(name: str, /, **attributes: object) -> object:
        instance = getattr(module, name)()
        vars(instance).update(attributes)
        return instance

    return make


def frame(times: list[Any], values: list[Any], dtype: Any = None) -> pd.DataFrame:
    """Return a frame as PySSMic has them."""
    data = {"Time": pd.Series(times, dtype=dtype), "Value": pd.Series(values, dtype=dtype)}
    table = pd.DataFrame(data)
    table.columns = pd.Index(["Time", "Value"], dtype=object)
    return table


def neighbourhood(thing: Thing, **device: object) -> object:
    """Return a neighbourhood of one house, with a washer; attributes of it are replaced."""
    washer = {
        "id": 11,
        "name": "washer",
        "template": "97",
        "type": "consumer",
        "load_profile": frame(["0", "60"], ["0", "1.5"], object),
        "events": [thing("Event", timestamp=7200, est=7500, lst=9000)],
    } | device
    roof = thing(
        "Device",
        id=12,
        name="roof",
        template="26",
        type="producer",
        load_profile=None,
        events=[],
        weather_prediction1=frame([7200, 10800], [100.5, 200.0]),
        weather_prediction2=frame([10800, 14400], [50, 60]),
        weather_prediction3=None,
    )
    user = thing("User", id=1, devices=[thing("Device", **washer), roof])
    return thing("Neighbourhood", id=1, houses=[thing("House", id=1, users=[user])])


def message_of(content: bytes, tmp_path: Path) -> str:
    """Return the message with which a pickle is refused, without its path."""
    path = tmp_path / "esn.pkl"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        import_source(path)
    return str(caught.value).replace(f"{path}: ", "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(thing: Thing, tmp_path: Path, protocol: int) -> None:
    """Text and numbers, from the first protocol to the newest."""
    path = tmp_path / "esn.pkl"
    path.write_bytes(pickle.dumps(neighbourhood(thing), protocol=protocol))

    imported = import_source(path)

    scenario = imported.scenario
    assert imported.notes == ()
    assert [[(d.id, d.name, d.template, d.type) for d in house.devices] for house in scenario.houses] == [
        [("11", "washer", "97", "consumer"), ("12", "roof", "26", "producer")]
    ]
    job = scenario.jobs[0]
    assert (job.registered_s, job.earliest_start_s, job.latest_start_s, job.profile) == (7200, 7500, 9000, "97")
    assert (job.load_profile.times_s, job.load_profile.cumulative_wh) == ((0, 60), (0, 1.5))
    first, second = scenario.producers["12"].predictions
    assert (first.issued_s, first.production.times_s, first.production.cumulative_wh) == (
        7200, (3600, 7200, 10800), (0, 100.5, 200),
    )  # fmt: skip
    assert (second.issued_s, second.production.cumulative_wh) == (10800, (0, 50, 60))
    assert load_text(to_yaml(imported.file), "x.yaml", None) == scenario


@pytest.mark.parametrize(
    "table",
    [
        frame([0, 60], [0, 1.5]),
        frame([0, 60], [0.0, 1.5]).astype(np.float32),
        frame([0, 600], [0, 15]).astype(np.dtype(">i4")).assign(Value=[0, 1.5]),
        pd.DataFrame(np.asfortranarray([[0, 0], [60, 1.5]]), columns=pd.Index(["a", "b"], dtype=object)),
        pd.DataFrame([[0, 0], [60, 1.5]], columns=pd.Index(["a", "b"], dtype=object)),
    ],
    ids=["two types", "half precision", "big end first", "columns first", "one block"],
)
def test_numbers_in_any_layout(thing: Thing, tmp_path: Path, table: pd.DataFrame) -> None:
    """Blocks of one or two columns, rows or columns first in memory."""
    path = tmp_path / "esn.pkl"
    path.write_bytes(pickle.dumps(neighbourhood(thing, load_profile=table), protocol=4))

    profile = import_source(path).scenario.jobs[0].load_profile

    assert profile.times_s == tuple(int(time) for time in table.iloc[:, 0])
    assert profile.cumulative_wh == (0, 1.5)


def test_frames_of_old_pandas() -> None:
    """Pandas before 1.1 kept its blocks in a separate state."""
    dtype = Object(Global("numpy", "dtype"), ("i8", 0, 1), (3, "<", None, None, None, -1, -1, 0))

    def array(values: list[int], *shape: int) -> Object:
        data = np.array(values, dtype="<i8").tobytes()
        return Object(Global("numpy.core.multiarray", "_reconstruct"), (), (1, shape, dtype, False, data))

    blocks = [
        {"values": array([0, 5], 1, 2), "mgr_locs": array([1], 1)},
        {"values": array([0, 60], 1, 2), "mgr_locs": Object(Global("__builtin__", "slice"), (0, 1, 1))},
    ]
    state: tuple[Any, ...] = ([], [], [], {"0.14.1": {"axes": [], "blocks": blocks}})
    manager = Object(Global("pandas.core.internals", "BlockManager"), (), state)

    rows = frame_rows(Object(Global("pandas.core.frame", "DataFrame"), (), {"_data": manager}))

    assert rows == [(0, 0), (60, 5)]


def test_numpy_integers_are_integers(thing: Thing, tmp_path: Path) -> None:
    """They are accepted as ids and as times."""
    event = thing("Event", timestamp=np.int64(7200), est=np.int32(7500), lst=9000.0)
    path = tmp_path / "esn.pkl"
    path.write_bytes(pickle.dumps(neighbourhood(thing, id=np.int64(11), events=[event])))

    job = import_source(path).scenario.jobs[0]

    assert (job.device, job.registered_s, job.earliest_start_s, job.latest_start_s) == ("11", 7200, 7500, 9000)


def test_pyssmics_own_pickle(pyssmic_inputs: Path) -> None:
    """Written by pandas 1.5; its forecasts are those of the input folder."""
    imported = import_source(pyssmic_inputs / "two_houses.pkl")

    scenario = imported.scenario
    assert [job.job_id for job in scenario.jobs] == ["1/11", "2/21", "1/11#2", "2/21#2"]
    folder = load_scenario(pyssmic_inputs / "test")
    for producer in ("12", "22"):
        assert scenario.producers[producer] == folder.producers["pv_producer[57]:[220]"]
    assert scenario.jobs[0].load_profile == next(job for job in folder.jobs if job.profile == "97").load_profile
    assert load_text(to_yaml(imported.file), "x.yaml", None) == scenario
    assert load_text(to_yaml(scenario), "x.yaml", None) == scenario


def test_jobs_may_come_from_xml_too(thing: Thing, tmp_path: Path) -> None:
    """After those in the pickle."""
    (tmp_path / "esn.pkl").write_bytes(pickle.dumps(neighbourhood(thing)))
    job = "<device><id>11</id><est>8000</est><lst>9000</lst><creation_time>7300</creation_time></device>"
    (tmp_path / "jobs.xml").write_text(f'<neighborhood><house id="1">{job}</house></neighborhood>', encoding="utf-8")

    jobs = import_source(tmp_path / "esn.pkl", jobs=tmp_path / "jobs.xml").scenario.jobs

    assert [(job.job_id, job.registered_s, job.profile) for job in jobs] == [
        ("1/11", 7200, "97"),
        ("1/11#2", 7300, "97"),
    ]


class Reduces:
    """Pickles as a call of anything."""

    def __init__(self, function: object, *arguments: object, state: object = None) -> None:
        self.parts = (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.parts


SYSTEM = b"cos\nsystem\n"
OS = "holds 'os.system', which a neighbourhood does not need; it is refused"
POSIX = f"holds {os.system.__module__ + '.system'!r}, which a neighbourhood does not need; it is refused"
EVAL = "holds 'builtins.eval', which a neighbourhood does not need; it is refused"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SYSTEM + b"(S'touch ran'\ntR.", OS),
        (b"(S'touch ran'\nios\nsystem\n.", OS),
        (b"(" + SYSTEM + b"S'touch ran'\no.", OS),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\ttouch ran\x85R.", OS),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x10open('ran', 'w')\x85R.", EVAL),
        (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93N\x85R.", "holds 'builtins.getattr', which a neighbourhood does not need; it is refused"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "holds 'numpy.ndarray.__init__', which a neighbourhood does not need; it is refused"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93\x8c\ttouch ran\x85R.", OS),
        (b"\x80\x04]\x94(\x8c\x02os\x8c\x06system\x93h\x00e.", OS),
        (b"\x80\x04K\x01K\x02\x93.", "names something by a value that is not text"),
        (b"\x80\x02\x82\x01.", "holds the instruction EXT1, which a neighbourhood does not need; it is refused"),
        (b"\x80\x02\x83\x01\x00.", "holds the instruction EXT2, which a neighbourhood does not need; it is refused"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "holds the instruction EXT4, which a neighbourhood does not need; it is refused"),
        (b"\x80\x04Pfile\n.", "holds the instruction PERSID, which a neighbourhood does not need; it is refused"),
        (b"\x80\x04\x8c\x01xQ.", "holds the instruction BINPERSID, which a neighbourhood does not need; it is refused"),
        (b"\x80\x05\x97.", "holds the instruction NEXT_BUFFER, which a neighbourhood does not need; it is refused"),
        (b"\x80\x04\x8c\x04true\x8c\ttouch ran\x85R.", "calls something that it does not name; it is refused"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x8c\x01xR.", "calls something that it does not name; it is refused"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93}\x8c\x01x\x8c\x01ysb.", "sets the state of something other than an object; it is refused"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93)}\x8c\x01x\x8c\x01ys\x92.", "makes an object with keywords, which a neighbourhood does not need; it is refused"),
        (b"\x80\x04\x8c\x01xK\x01a.", "adds to something other than a list or dictionary; it is refused"),
        (b"\x80\x04\x8c\x01xK\x01K\x02s.", "adds to something other than a list or dictionary; it is refused"),
    ],
)  # fmt: skip
def test_attacks_are_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    """Whichever instruction brings them in; nothing is called."""
    assert message_of(content, tmp_path) == message


def test_attacks_inside_of_a_neighbourhood_are_refused(thing: Thing, tmp_path: Path) -> None:
    """Code in an attribute, a frame, a state or deep inside is never executed."""
    attack = Reduces(os.system, "touch ran")
    deep: Any = attack
    for _ in range(50):
        deep = [deep, {"x": (deep,)}]
    for device in (
        {"name": attack},
        {"load_profile": attack},
        {"events": [attack]},
        {"unused": deep},
        {"load_profile": Reduces(pd.DataFrame, state=attack)},
        {"load_profile": Reduces(eval, "open('ran', 'w')")},
    ):
        message = message_of(pickle.dumps(neighbourhood(thing, **device)), tmp_path)
        assert message in (POSIX, EVAL)


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Otherwise the tests would prove nothing: unpickled, they execute code."""
    for attack in (SYSTEM + b"(S'touch ran'\ntR.", pickle.dumps(Reduces(eval, "open('ran', 'w').close()"))):
        pickle.loads(attack)  # noqa: S301 - to show what it does
        assert (tmp_path / "ran").exists()
        (tmp_path / "ran").unlink()


def test_what_is_allowed_cannot_be_put_to_another_use(thing: Thing, tmp_path: Path) -> None:
    """Allowed names stay names: none is looked up, called or changed."""
    pickled = pickle.dumps(neighbourhood(thing))
    # `numpy.ndarray.__setstate__` and pandas' constructors would have something to do here.
    state = {"shape": (10**9,), "__class__": "x", "__setstate__": "y"}
    content = pickle.dumps(neighbourhood(thing, load_profile=Reduces(np.ndarray, (10**12,), state=state)))

    assert message_of(content, tmp_path).endswith("load_profile: a table (pandas.DataFrame) is expected")
    assert pickle.dumps(neighbourhood(thing)) == pickled


@pytest.mark.parametrize("cut", [1, 2, 30, 500, -1])
def test_a_pickle_that_is_cut_off(thing: Thing, tmp_path: Path, cut: int) -> None:
    """It may be cut at any place."""
    assert message_of(pickle.dumps(neighbourhood(thing))[:cut], tmp_path).startswith("is not a complete pickle")


def test_any_damage_is_a_message(thing: Thing, tmp_path: Path) -> None:
    """A byte changed anywhere: it imports, or it is refused with a message, and code never runs."""
    content = pickle.dumps(neighbourhood(thing))
    path = tmp_path / "esn.pkl"
    for place in range(0, len(content), 17):
        for byte in (0, 46, 82, 255):
            path.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
            with suppress(ScenarioError):
                import_source(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04\x95", "is not a complete pickle (ValueError)"),
        (b"\x80\x04K\x01.", "contains no PySSMic neighbourhood"),
        (b"\x80\x04].", "contains no PySSMic neighbourhood"),
        (b"\x80\x04(.", "contains no PySSMic neighbourhood"),
        (b"\x80\x04h\x05.", "is not a complete pickle (KeyError)"),
        (b"\x80\x04R.", "is not a complete pickle (IndexError)"),
        (b"\x80\x04(NR.", "is not a complete pickle (a mark where a value belongs)"),
        pytest.param(b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".", "contains no PySSMic neighbourhood", id="deep"),
        (b"\x80\x04\x8a\xff" + b"\xff" * 255 + b".", "contains no PySSMic neighbourhood"),
        (b"\x80\x04cbackend.neighbourhood\nNeighbourhood\n)\x81.", "a Neighbourhood without content"),
        (b"\x80\x04cbackend.neighbourhood\nNeighbourhood\n)\x81}b.", "a list of houses is expected in each Neighbourhood"),
    ],
)  # fmt: skip
def test_pickles_of_something_else(tmp_path: Path, content: bytes, message: str) -> None:
    """Cut off, empty, deep, something else."""
    assert message_of(content, tmp_path) == message


def test_a_list_that_holds_itself_ends(tmp_path: Path) -> None:
    """Houses that hold houses."""
    content = b"\x80\x04cbackend.neighbourhood\nNeighbourhood\n)\x81}\x8c\x06houses]\x94h\x00asb."

    assert message_of(content, tmp_path) == "houses: contains something other than a House"


def test_repeated_references_to_one_value_are_counted(thing: Thing, tmp_path: Path) -> None:
    """A small file cannot stand for a million devices."""
    user = thing("User", id=1, devices=[])
    house = thing("House", id=1, users=[user] * 1000)

    message = message_of(pickle.dumps(thing("Neighbourhood", id=1, houses=[house] * 1000)), tmp_path)

    assert message == "holds more than 1000000 values"


@pytest.mark.long
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.", id="a key of a million nested tuples"),
        pytest.param(b"\x80\x02)" + b"\x85" * 1_000_000 + b".", id="a million nested tuples"),
        pytest.param(b"\x80\x02Nr\xff\xff\xff\xff.", id="the last place of a memo"),
        pytest.param(b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fN.", id="more bytes than any machine has"),
        pytest.param(b"\x80\x04\x95" + b"\xff" * 7 + b"\x7fN.", id="a frame of more bytes than any machine has"),
    ],
)
def test_a_pickle_made_to_exhaust_the_machine_is_a_message(tmp_path: Path, content: bytes) -> None:
    """`pickle.Unpickler` crashes on the first, and allocates gigabytes for the third, even with restricted imports."""
    assert message_of(content, tmp_path)


def test_endless_instructions_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle counts as truncated after the limit."""
    monkeypatch.setattr(safe_pickle, "MAX_STEPS", 1000)

    assert message_of(b"\x80\x04" + b"N0" * 1000 + b"N.", tmp_path) == "is not a complete pickle"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ({"type": "storage"}, "'consumer' or 'producer' is expected, not 'storage'"),
        ({"load_profile": frame([0, 60], [2, 1])}, "load_profile, row 2: 1 Wh is less than 2 Wh before; cumulative energy must not decrease"),
        ({"load_profile": frame([0, 0], [1, 1])}, "load_profile, row 2: the time 0 is not after 0; times must increase"),
        ({"load_profile": frame([60, 90], [1, 1])}, "load_profile, row 1: the first point of a load profile is at 0 s, not at 60 s"),
        ({"load_profile": frame([0, 60], ["x", "1"], object)}, "load_profile, row 1: a finite number is expected, not 'x'"),
        ({"load_profile": frame([0, 60], [0, float("nan")])}, "load_profile, row 2: a finite number is expected, not nan"),
        ({"load_profile": frame([0, 60], [0, float("inf")])}, "load_profile, row 2: a finite number is expected, not inf"),
        ({"load_profile": frame([0, 60], [None, 1], object)}, "load_profile, row 1: a finite number is expected, not None"),
        ({"load_profile": frame([0, 0.5], [0, 1])}, "load_profile, row 2: whole seconds are expected, not 0.5"),
        ({"load_profile": frame([], [], float)}, "load_profile: is empty"),
        ({"load_profile": frame([0], [0])}, "load_profile: at least two points are needed, found one"),
        ({"load_profile": frame([0, 1], [0, 1])[["Time"]]}, "load_profile: a table of 2 columns (time, Wh) is expected, there are 1"),
        ({"load_profile": [[0, 0], [60, 1]]}, "load_profile: a table (pandas.DataFrame) is expected"),
        ({"events": None}, "a list of events is expected in each Device"),
        ({"events": [7]}, "events: contains something other than a Event"),
    ],
)  # fmt: skip
def test_problems_of_a_device(thing: Thing, tmp_path: Path, device: dict[str, Any], message: str) -> None:
    """They are reported with its house and id."""
    content = pickle.dumps(neighbourhood(thing, **device))

    assert message_of(content, tmp_path).removeprefix(f"{tmp_path}/esn.pkl: ") == f"house 1, device 11: {message}"


def test_all_problems_of_a_device_are_reported_at_once(thing: Thing, tmp_path: Path) -> None:
    """An invalid number hides no time out of order; a load profile hides neither a forecast nor a job."""
    content = pickle.dumps(
        neighbourhood(
            thing,
            type="storage",
            load_profile=frame([0, 60, 50, 40], [0, float("nan"), 7, 6]),
            weather_prediction1=frame([3600, 3600], [1, 1]),
            events=[thing("Event", timestamp=1, est=6, lst=5), thing("Event", timestamp=None, est=6, lst=5.5)],
        )
    )

    assert message_of(content, tmp_path).replace("house 1, device 11", "").splitlines() == [
        ": 'consumer' or 'producer' is expected, not 'storage'",
        ": load_profile, row 2: a finite number is expected, not nan",
        ": load_profile, row 3: the time 50 is not after 60; times must increase",
        ": load_profile, row 4: the time 40 is not after 50; times must increase",
        ": load_profile, row 4: 6 Wh is less than 7 Wh before; cumulative energy must not decrease",
        ": weather_prediction1, row 2: the time 3600 is not after 3600; times must increase",
        ": the latest start 5 (1970-01-01T00:00:05Z) is before the earliest start 6 (1970-01-01T00:00:06Z)",
        ": timestamp: a finite number is expected, not None",
        ": lst: UNIX seconds are expected, not 5.5",
    ]


def test_problems_of_a_job(thing: Thing, tmp_path: Path) -> None:
    """A missing time, an invalid time, and a window that ends before it begins are reported."""
    cases: dict[str, dict[str, Any]] = {
        "est: a finite number is expected, not None": {"timestamp": 1, "lst": 5},
        "lst: UNIX seconds are expected, not 1.5": {"timestamp": 1, "est": 1, "lst": 1.5},
        "the latest start 5 (1970-01-01T00:00:05Z) is before the earliest start 6 (1970-01-01T00:00:06Z)": {
            "timestamp": 1, "est": 6, "lst": 5,
        },
    }  # fmt: skip
    for message, event in cases.items():
        content = pickle.dumps(neighbourhood(thing, events=[thing("Event", **event)]))
        assert message_of(content, tmp_path).endswith(f"house 1, device 11: {message}")


def test_invalid_values_are_reported_with_house_and_device(thing: Thing, tmp_path: Path) -> None:
    """A pickle has no lines."""
    content = pickle.dumps(neighbourhood(thing, events=[thing("Event", timestamp=7200, est=7500, lst=14602932000)]))

    assert message_of(content, tmp_path).removeprefix(f"{tmp_path}/esn.pkl: ") == (
        "house 1, device 11: lst: 2432-09-30T10:00:00Z is more than 3660 days after the run starts (1970-01-01T02:00:00Z)"
    )


def test_a_house_without_devices_is_noted(thing: Thing, tmp_path: Path) -> None:
    """It is omitted."""
    whole: Any = neighbourhood(thing)
    whole.houses.append(thing("House", id=2, users=[thing("User", id=1, devices=[])]))
    path = tmp_path / "esn.pkl"
    path.write_bytes(pickle.dumps(whole))

    assert import_source(path).notes == (f"house 2 has no device and was left out ({path}: house 2)",)


def test_a_forecast_of_a_running_counter_counts_differences_only(thing: Thing, tmp_path: Path) -> None:
    """Quarter-hourly, and the counter stood at a thousand kWh."""
    whole: Any = neighbourhood(thing)
    roof = whole.houses[0].users[0].devices[1]
    roof.weather_prediction1 = frame([7200, 8100, 9000], [1_000_000, 1_000_250, 1_000_500])
    roof.weather_prediction2 = frame([9900, 10800], [250, 500])
    path = tmp_path / "esn.pkl"
    path.write_bytes(pickle.dumps(whole))

    imported = import_source(path)

    first, second = (prediction.production for prediction in imported.scenario.producers["12"].predictions)
    assert (first.times_s, first.energy_wh) == ((7200, 8100, 9000), 500)
    assert (second.times_s, second.energy_wh) == ((9000, 9900, 10800), 500)
    assert len(imported.notes) == 2


PICKLES = sorted((Path(__file__).parent / "pickles").glob("*.pkl"))
"""Written by pandas 3.1: a house with a device whose load profile is a table of text or numbers; the last number in a
name is the pickle's protocol. Each is `[[0, 0], [3600, 1000]]`, or with 1000.5 Wh where the table holds numbers."""


@pytest.mark.parametrize("file", PICKLES, ids=lambda file: file.stem)
def test_tables_of_pandas_3_are_read(file: Path) -> None:
    """They are read with and without pyarrow; with text, numbers, and missing numbers."""
    (house,) = import_source(file).file.load_profiles.values()

    assert house.points is not None
    times_s, energies_wh = zip(*house.points, strict=True)
    assert times_s == (0, 3600)
    assert energies_wh[0] == 0
    assert energies_wh[1] in (1000, 1000.5)


@pytest.mark.parametrize("file", PICKLES, ids=lambda file: file.stem)
def test_any_damage_to_tables_of_pandas_3_is_a_message(file: Path, tmp_path: Path) -> None:
    """A byte changed anywhere: it imports, or it is refused with a message, and code never runs."""
    content = file.read_bytes()
    path = tmp_path / "esn.pkl"
    for place in range(0, len(content), 23):
        path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        with suppress(ScenarioError):
            import_source(path)


def test_an_unknown_pandas_is_not_taken_for_an_attack(tmp_path: Path) -> None:
    """It is not read, and the message states the remedy."""
    message = message_of(b"\x80\x04\x8c\x0dpandas.arrays\x8c\x09NewColumn\x93.", tmp_path)

    assert message.startswith("holds 'pandas.arrays.NewColumn', which a neighbourhood does not need; it is refused.")
    assert "If a pandas newer than 3.1 wrote it" in message
    assert "with an older pandas" in message
    assert "pandas newer" not in message_of(SYSTEM + b"(S'touch ran'\ntR.", tmp_path)


def test_jobs_and_forecasts_of_different_times_are_reported_once(thing: Thing, tmp_path: Path) -> None:
    """Jobs have seconds of a day, forecasts UNIX seconds."""
    whole: Any = neighbourhood(thing)
    roof = whole.houses[0].users[0].devices[1]
    roof.weather_prediction1 = frame([1_600_000_000, 1_600_003_600], [100, 200])
    roof.weather_prediction2 = None

    assert message_of(pickle.dumps(whole), tmp_path).replace(f"{tmp_path}/esn.pkl: ", "") == (
        "house 1, device 11: the first job is registered at 1970-01-01T02:00:00Z, the first forecast (house 1, device "
        "12: weather_prediction1) is issued at 2020-09-13T12:26:40Z; no run lasts more than 3660 days, so shift the "
        "times of one of them"
    )
