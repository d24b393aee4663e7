"""The table of attacks is complete, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.redteam import test_flood_attacks, test_negotiation_attacks, test_round_attacks, test_shared_attacks
from tests.redteam.attacks import COST_THE_MEMBER_ITS_PLACE, LEAVE_NO_TRACE
from tests.redteam.test_protocol_attacks import CASES

FOLDER = Path(__file__).parent
ROW = re.compile(r"^\| (\d+) \| .+ \| (`.+`) \|$")
NUMBERS_OF = {
    "test_the_run_is_done_without_the_liar_if_need_be": {case.number for case in CASES},
    "test_an_attack_leaves_no_trace": {int(name.split()[0]) for name in LEAVE_NO_TRACE if name[0].isdigit()},
    "test_values_out_of_all_bounds_cost_the_member_its_place": {
        int(name.split()[0]) for name in COST_THE_MEMBER_ITS_PLACE
    },
    "test_the_clock_and_the_receiver_take_the_same_messages": {
        int(name.split()[0]) for name, *_ in test_round_attacks.ATTACKS
    },
    "test_an_attack_on_the_negotiation_costs_no_other_member_a_contract": {
        int(name.split()[0]) for name, *_ in test_negotiation_attacks.ATTACKS
    },
    "test_a_flood_hides_no_message_from_one_reader": {int(name.split()[0]) for name in test_flood_attacks.FLOODS},
    "test_an_attack_on_shared_supply_harms_no_other_household": {
        int(name.split()[0]) for name in test_shared_attacks.ATTACKS
    },
}
"""By parametrised test, the attacks that it makes."""


def test_each_attack_has_a_test() -> None:
    """All of them, in order; each parametrised test makes exactly the attacks that it is named for."""
    rows = [row for line in (FOLDER / "README.md").read_text().splitlines() if (row := ROW.match(line))]
    assert [int(row[1]) for row in rows] == list(range(1, 128))
    named: dict[str, set[int]] = {name: set() for name in NUMBERS_OF}
    for row in rows:
        for test in re.findall(r"`([^`]+)`", row[2]):
            file, name = test.split("::")
            assert re.search(rf"def {name}\(", (FOLDER / file).read_text()), test
            if name in named:
                named[name].add(int(row[1]))
    assert named == NUMBERS_OF
