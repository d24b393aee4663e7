"""Import of PySSMic input folders with their quirks; problems are reported with their line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.importers.pyssmic_folder import import_folder
from scenarios.load import load_scenario
from tests.scenarios.problems import problems_of

JOBS = """\
1000;1000;1020;[57]:[222]:[3];back_3.csv

900;2000;8000;[57]:[219]:[3];98.csv
1000;1000;9000;[1]:small_heater;98.csv
1000;5000;9000;[57]:[219]:[3];98.csv

"""
FORECASTS = """\
7200;pv_producer[57]:[220];220_2.csv
3600;pv_producer[57]:[220];220_1.csv
900;sunny;220_1.csv
"""

LATE = "2477-01-08T08:13:20Z is more than 3660 days after the run starts (1970-01-01T00:15:00Z)"

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Write a small input folder; keyword arguments replace files (`loads__98`: loads/98.csv)."""

    def make(**files: str) -> Path:
        contents = {
            "consumer_event": JOBS,
            "producer_event": FORECASTS,
            "loads__98": "0 0\n60 0\n120 15.5\n",
            "loads__back_3": "0 0\n3600 0.25\n\n",
            "predictions__220_1": "3600 100.0\n7200 300.0\n10800 600\n",
            "predictions__220_2": "7200 250\n10800 350\n",
            "predictions__unused": "not looked at",
        } | files
        target = tmp_path / "input data"
        for name, content in contents.items():
            path = target / f"{name.replace('__', '/')}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return target

    return make


def messages_of(path: Path) -> list[str]:
    """Return the messages, without the folder's path."""
    return [str(problem).replace(f"{path}/", "").replace(str(path), "FOLDER") for problem in problems_of(path)]


def test_jobs_are_in_the_order_of_registration_for_any_order_of_lines(folder: Folder) -> None:
    """Ids keep their form; a duplicate id gets a number, in the order of lines."""
    scenario = load_scenario(folder())

    assert [(job.registered_s, job.job_id, job.source_id) for job in scenario.jobs] == [
        (900, "[57]:[219]:[3]", "[57]:[219]:[3]"),
        (1000, "[1]:small_heater", "[1]:small_heater"),
        (1000, "[57]:[219]:[3]#2", "[57]:[219]:[3]"),
        (1000, "[57]:[222]:[3]", "[57]:[222]:[3]"),
    ]
    job = scenario.jobs[0]
    assert (job.house, job.device, job.profile, job.earliest_start_s, job.latest_start_s) == (
        "57", "219", "98", 2000, 8000,
    )  # fmt: skip
    assert job.load_profile.times_s == (0, 60, 120)
    assert job.load_profile.cumulative_wh == (0, 0, 15.5)


def test_houses_and_devices_are_read_out_of_ids(folder: Folder) -> None:
    """A producer that names no house gets a separate one."""
    scenario = load_scenario(folder())

    assert {house.id: [(device.id, device.type) for device in house.devices] for house in scenario.houses} == {
        "1": [("small_heater", "consumer")],
        "57": [("219", "consumer"), ("222", "consumer"), ("pv_producer[57]:[220]", "producer")],
        "sunny": [("sunny", "producer")],
    }


def test_the_run_starts_with_the_first_event(folder: Folder) -> None:
    """Be it a registration or a forecast."""
    assert load_scenario(folder()).start_s == 900
    assert load_scenario(folder(consumer_event=JOBS.replace("900;2000", "850;2000"))).start_s == 850


def test_a_forecast_counts_from_an_hour_before_its_first_row(folder: Folder) -> None:
    """So the previous forecast continues with the energy of that hour."""
    first, second = load_scenario(folder()).producers["pv_producer[57]:[220]"].predictions

    assert (first.issued_s, second.issued_s) == (3600, 7200)
    assert first.production.times_s == (0, 3600, 7200, 10800)
    assert first.production.cumulative_wh == (0, 100, 300, 600)
    spliced = first.production.continued_by(second.production)
    assert spliced.energy_until_wh([3600, 7200, 10800]).tolist() == [100, 350, 450]


def test_the_name_fits_a_file(folder: Folder) -> None:
    """Spaces in the folder's name do no harm."""
    assert load_scenario(folder()).name == "input-data"


@pytest.mark.parametrize(("name", "jobs", "houses"), [("small_test", 11, 3), ("test", 22, 6)])
def test_pyssmics_own_folders_load(pyssmic_inputs: Path, name: str, jobs: int, houses: int) -> None:
    """The inputs that PySSMic ships."""
    scenario = load_scenario(pyssmic_inputs / name)

    assert (len(scenario.jobs), len(scenario.houses)) == (jobs, houses)
    assert {len(producer.predictions) for producer in scenario.producers.values()} == {4}
    assert scenario.start_s == 1460246400


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        (
            {"consumer_event": JOBS.replace("98.csv", "97.csv")},
            ["consumer_event.csv:3: loads/97.csv: there is no such file"],
        ),
        (
            {"consumer_event": "1000;900;[57]:[222]:[3];98.csv\n"},
            [
                (
                    "consumer_event.csv:1: 5 columns are expected "
                    "(registered; earliest start; latest start; id; load profile file), there are 4"
                )
            ],
        ),
        (
            {"consumer_event": "soon;1000;1020;[1]:[2];98.csv\n1000;1000;1e3;[1]:[2];98.csv"},
            [
                "consumer_event.csv:1: registered: UNIX seconds are expected, not 'soon'",
                "consumer_event.csv:2: latest start: UNIX seconds are expected, not '1e3'",
            ],
        ),
        (
            {"consumer_event": "1000;3000;2000;[1]:[2];98.csv"},
            [
                (
                    "consumer_event.csv:1: the latest start 2000 (1970-01-01T00:33:20Z) is before the earliest start "
                    "3000 (1970-01-01T00:50:00Z)"
                )
            ],
        ),
        (
            {"consumer_event": "1000;500;600;[1]:[2];98.csv"},
            [
                (
                    "consumer_event.csv:1: the latest start 600 (1970-01-01T00:10:00Z) is before the job is registered "
                    "1000 (1970-01-01T00:16:40Z)"
                )
            ],
        ),
        (
            {"consumer_event": "1000;1000;2000;[1]:;98.csv\n1000;1000;2000;[1]:[2];../98.csv"},
            [
                "consumer_event.csv:1: an id [house]:[device]:[mode] is expected, not '[1]:'",
                "consumer_event.csv:2: the name of a file in loads/ is expected, not '../98.csv'",
            ],
        ),
        (
            {"consumer_event": "soon;3000;2000;;none.csv\n", "producer_event": "now;;none.csv\n"},
            [
                "consumer_event.csv:1: registered: UNIX seconds are expected, not 'soon'",
                (
                    "consumer_event.csv:1: the latest start 2000 (1970-01-01T00:33:20Z) is before the earliest start "
                    "3000 (1970-01-01T00:50:00Z)"
                ),
                "consumer_event.csv:1: loads/none.csv: there is no such file",
                "consumer_event.csv:1: an id [house]:[device]:[mode] is expected, not ''",
                "producer_event.csv:1: time of issue: UNIX seconds are expected, not 'now'",
                "producer_event.csv:1: the producer's id is empty",
                "producer_event.csv:1: predictions/none.csv: there is no such file",
            ],
        ),
        (
            {"loads__98": "0 0\n60 5\n120 4\n", "predictions__220_2": "7200 x\n10800 nan\n"},
            [
                (
                    "consumer_event.csv:3: loads/98.csv:3: 4 Wh is less than 5 Wh before; "
                    "cumulative energy must not decrease"
                ),
                "producer_event.csv:1: predictions/220_2.csv:1: a number is expected, not 'x'",
                "producer_event.csv:1: predictions/220_2.csv:2: a finite number is expected, not 'nan'",
            ],
        ),
        (
            {"producer_event": FORECASTS + "3600;pv_producer[57]:[220];220_2.csv"},
            [
                (
                    "producer_event.csv:4: another forecast of 'pv_producer[57]:[220]' is issued at "
                    "3600 (1970-01-01T01:00:00Z) (producer_event.csv:2)"
                )
            ],
        ),
        ({"consumer_event": "", "producer_event": "\n"}, ["FOLDER: holds neither a job nor a forecast"]),
    ],
)
def test_problems_are_reported_with_their_line(folder: Folder, files: dict[str, str], problems: list[str]) -> None:
    """All of them are reported at once."""
    assert messages_of(folder(**files)) == problems


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """The error states the expected files."""
    with pytest.raises(ScenarioError, match=r"is no input folder: consumer_event\.csv and producer_event"):
        load_scenario(tmp_path)


def test_problems_across_lines_are_reported_together_with_those_of_lines(folder: Folder) -> None:
    """There is a reserved id, and a line that cannot be read."""
    path = folder(consumer_event="soon;1000;2000;[1]:[2];98.csv", producer_event=FORECASTS.replace("sunny", "grid"))

    assert messages_of(path) == [
        "consumer_event.csv:1: registered: UNIX seconds are expected, not 'soon'",
        "producer_event.csv:3: id: 'grid' is reserved; give the house another id",
        "producer_event.csv:3: id: 'grid' is reserved; give the producer another id",
    ]


def test_a_missing_folder_is_reported_once(folder: Folder) -> None:
    """It is not reported for each of its files."""
    path = folder()
    shutil.rmtree(path / "loads")

    assert messages_of(path) == ["loads: there is no such folder"]


def test_a_missing_event_file_is_named(folder: Folder) -> None:
    """Both files are required."""
    path = folder()
    (path / "producer_event.csv").unlink()

    assert messages_of(path) == ["producer_event.csv: there is no such file"]


def test_invalid_values_are_reported_with_the_line_of_the_input(folder: Folder) -> None:
    """The place is not one in a scenario file that the user never sees; problems are in the order of the files."""
    path = folder(
        consumer_event=(
            "1000;1000;9000;[1]:[2]:[1];98.csv\n1000;1000;16000100000;[1]:[2]:[2];98.csv\n1000;1000;9000;[grid]:[2]:[1];98.csv\n"
        ),
        producer_event="900;pv[1]:[9];220_1.csv\n900;manager;220_1.csv\n16000100000;pv[1]:[9];220_2.csv\n",
    )

    assert [problem.partition(": ")[::2] for problem in messages_of(path)] == [
        ("consumer_event.csv:2", f"latest start: {LATE}"),
        ("consumer_event.csv:3", "id: 'grid' is reserved; give the house another id"),
        ("producer_event.csv:2", "id: 'manager' is reserved; give the house another id"),
        ("producer_event.csv:2", "id: 'manager' is reserved; give the producer another id"),
        ("producer_event.csv:3", f"time of issue: {LATE}"),
    ]


def test_an_invalid_id_is_reported_with_its_line(folder: Folder) -> None:
    """This includes characters that look like a line break."""
    path = folder(consumer_event=JOBS.replace("[1]:small_heater", "[1\u2028]:small_heater"))

    assert messages_of(path)[0].startswith("consumer_event.csv:4: house: '1\\u2028' contains a line break (U+2028")


def test_ids_that_look_the_same_are_one_house(folder: Folder) -> None:
    """A composed umlaut on one line, a decomposed one on the next."""
    jobs = "1000;1000;9000;[M\u00fcller]:[2];98.csv\n1000;1000;9000;[Mu\u0308ller]:[2];98.csv\n"
    scenario = load_scenario(folder(consumer_event=jobs, producer_event="900;pv[M\u00fcller]:[9];220_1.csv"))

    assert [house.id for house in scenario.houses] == ["M\u00fcller"]
    assert len(scenario.houses[0].devices) == 2


def test_omissions_are_noted(folder: Folder) -> None:
    """These are files that no line names, and invented houses."""
    (path := folder()).joinpath("loads/never.csv").write_text("0 0\n60 1\n", encoding="utf-8")

    assert import_folder(path).notes == (
        "a producer that names no house has a house of its own: sunny",
        "files that no line refers to were left out: loads/never.csv, predictions/unused.csv",
    )


def test_jobs_in_1970_and_forecasts_of_another_time_are_reported_once(folder: Folder) -> None:
    """They are not reported for every line of the forecasts."""
    forecasts = "".join(f"{1_600_000_000 + i};pv[1]:[9];220_1.csv\n" for i in range(20))

    assert messages_of(folder(producer_event=forecasts)) == [
        (
            "consumer_event.csv:3: the first job is registered at 1970-01-01T00:15:00Z, the first forecast "
            "(producer_event.csv:1) is issued at 2020-09-13T12:26:40Z; no run lasts more than 3660 days, so shift the "
            "times of one of them"
        )
    ]
