"""The headings of the tables are words at every width."""

from __future__ import annotations

import pytest

from tui.results.runs import columns_for
from tui.widgets.table_rendering import placed


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_no_heading_of_the_runs_is_an_abbreviation(width: int) -> None:
    """No word is cut by a dot, and self-sufficiency and self-consumption differ."""
    columns = columns_for(())
    titles = [columns[index].title_in(room) for index, room in placed(columns, width)]
    assert not [title for title in titles if "." in title]
    assert {"sun used", "self-consumption"} & set(titles)
    assert {"from sun", "self-sufficiency"} & set(titles)
