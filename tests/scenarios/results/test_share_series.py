"""Who supplies a job, as JSON and screens have it: cumulative energy, without points that say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from agents.model import Contract
from scenarios.results.contract_rows import share_series
from tests.scenarios.neighbourhoods import START_S, job, load

MINUTES = 2_000


def test_small_steps_of_power_do_not_add_up() -> None:
    """A power that rises by less than a nanowatthour per second and minute is not taken for a constant one."""
    power = 1e-3 + 0.9e-9 * np.arange(MINUTES)
    energy_wh = np.concatenate([[0.0], np.cumsum(60 * power)])
    of = job("ramp", "1", load(*((60 * i, float(wh)) for i, wh in enumerate(energy_wh))))
    contract = Contract(
        contract_id="ramp/1", job_id="ramp", producer="pv", start_s=START_S, agreed_s=START_S, energy_wh=of.energy_wh
    )
    (share,) = share_series(of, contract)
    written_wh = np.interp(60 * np.arange(MINUTES + 1), share.times_s, share.cumulative_wh)
    assert np.diff(written_wh) == pytest.approx(60 * power, abs=1.3e-7)
    assert share.energy_wh == pytest.approx(of.energy_wh, abs=1e-9)
    assert len(share.times_s) < MINUTES
