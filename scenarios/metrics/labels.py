"""Labels, units and notes of the figures, for screens, tables and reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

Unit = Literal["wh", "share", "w", "ratio", "count", "s", "eur", "kg"]


@dataclass(frozen=True, slots=True)
class Figure:
    """The presentation of a figure of `scenarios.metrics.Kpis`."""

    name: str
    label: str
    unit: Unit
    note: str = ""


FIGURES = (
    Figure("consumed_wh", "Consumed", "wh", "What all jobs and base loads drew."),
    Figure("contracted_wh", "Contracted", "wh", "Promised by producers."),
    Figure("delivered_wh", "Delivered", "wh", "What panels covered of their own contracts, minute by minute."),
    Figure("shortfall_wh", "Shortfall", "wh", "Promised by panels but not delivered; the grid supplied it."),
    Figure("base_load_wh", "Base load", "wh", "What houses drew beside their jobs."),
    Figure("base_load_local_wh", "Base load from panels", "wh", "The own roof first, then what neighbours had left."),
    Figure("local_wh", "From panels", "wh", "Delivered by contract, and base load from panels."),
    Figure("grid_wh", "From the grid", "wh", "What no panel served."),
    Figure("produced_wh", "Produced", "wh", "What all panels gave."),
    Figure("export_wh", "Surplus", "wh", "What no house used."),
    Figure(
        "self_sufficiency",
        "Self-sufficiency",
        "share",
        "What panels served, by contract and of base loads, divided by consumed.",
    ),
    Figure(
        "self_consumption",
        "Self-consumption",
        "share",
        "What panels served, by contract and of base loads, divided by produced.",
    ),
    Figure("pooled_self_sufficiency", "Self-sufficiency, pooled", "share", "As if all houses shared one meter."),
    Figure("pooled_self_consumption", "Self-consumption, pooled", "share", "As if all houses shared one meter."),
    Figure("pooled_grid_wh", "Grid import, pooled", "wh", "At the neighbourhood's one meter."),
    Figure("pooled_export_wh", "Grid export, pooled", "wh", "At the neighbourhood's one meter."),
    Figure("peak_consumption_w", "Peak consumption", "w", "Highest mean over {interval}."),
    Figure("peak_production_w", "Peak production", "w", "Highest mean over {interval}."),
    Figure("peak_import_w", "Peak import, pooled", "w", "Highest mean over {interval}."),
    Figure("peak_export_w", "Peak export, pooled", "w", "Highest mean over {interval}."),
    Figure("consumption_peak_to_average", "Peak to average, consumption", "ratio", "Peak over mean."),
    Figure("production_peak_to_average", "Peak to average, production", "ratio", "Peak over mean."),
    Figure("load_factor", "Load factor", "ratio", "Mean over peak of consumption: 1 is flat."),
    Figure("jobs", "Jobs", "count", "With a standing contract."),
    Figure("jobs_on_grid", "Jobs on the grid", "count", "Supplied by the grid, by no producer."),
    Figure(
        "jobs_late", "Jobs started after their earliest time", "count", "Shifted to where more production is available."
    ),
    Figure("mean_delay_s", "Mean delay", "s", "After the earliest start that was still possible."),
    Figure("jobs_waited", "Jobs that waited for a contract", "count"),
    Figure("jobs_moved", "Jobs moved", "count", "Their contract was amended."),
    Figure("jobs_cancelled", "Jobs cancelled", "count", "At least one of their contracts was cancelled."),
    Figure("jobs_renegotiated", "Jobs renegotiated", "count", "They found another producer, or the grid."),
    Figure("jobs_lost", "Jobs lost", "count", "Their household went offline for good."),
    Figure(
        "jobs_overlapping",
        "Jobs overlapping on their device",
        "count",
        "They started while another job of their device ran: their windows left no other way.",
    ),
    Figure("jobs_unfinished", "Jobs unfinished", "count", "Still running when the run ended."),
    Figure("jobs_not_registered", "Jobs not registered", "count", "The run ended before they became known."),
    Figure("bill_eur", "Total bill", "eur", "Sum of all houses; negative: income."),
    Figure(
        "bill_without_eur",
        "Total bill without neighbourhood",
        "eur",
        "Same jobs at the same times, each house alone.",
    ),
    Figure("kg_co2", "Grid CO2", "kg", "Of the power that houses buy."),
    Figure(
        "kg_co2_without", "Grid CO2 without the neighbourhood", "kg", "Same jobs at the same times, each house alone."
    ),
)


def figures_json(interval_s: int) -> list[dict[str, str]]:
    """Return the figures as JSON in display order; their notes name the interval."""
    interval = f"{interval_s // 60} min"
    return [asdict(replace(figure, note=figure.note.format(interval=interval))) for figure in FIGURES]
