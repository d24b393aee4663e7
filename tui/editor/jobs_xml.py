"""Jobs from PySSMic's XML, added to a neighbourhood that is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.appliances import APPLIANCES
from scenarios.files.times import format_after_start, format_iso
from scenarios.importers.neighbourhood import InputJob
from tui.editor import building, outline
from tui.editor.changes import Change, Insert, Step
from tui.editor.moments import Origin
from tui.editor.outline import Tree, at, text


@dataclass(frozen=True, slots=True)
class Added:
    """What comes of them."""

    change: Change | None
    """None: none of the jobs has a device here."""
    count: int
    notes: tuple[str, ...]
    """What was left out or assumed."""


def add_input_jobs(tree: Tree, jobs: Sequence[InputJob], where: str) -> Added:
    """Return the change that adds jobs to the devices that they name."""
    origin = Origin.of(tree.get("start"))
    known = outline.profiles(tree)
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    steps: dict[str, list[Step]] = {}
    early = 0
    for job in jobs:
        ref = outline.device_ref(tree, job.house, job.device)
        ref = ref or outline.device_ref(tree, job.house, f"{job.user}.{job.device}")
        if ref is None or at(tree, (*ref, "type")) == "producer":
            why = "is a producer" if ref else "is not in this neighbourhood"
            notes.append(f"device {job.device!r} of house {job.house!r} {why}: its job was left out")
            continue
        device = at(tree, ref)
        entry = {"house": job.house, "device": text(device.get("id"))}
        profile = job.profile
        if profile and profile not in (text(device.get("template")), text(device.get("load_profile"))):
            if profile in known or profile in APPLIANCES:
                entry["load_profile"] = profile
                if profile not in known:
                    appliance = building.profile_entry(APPLIANCES[profile])
                    steps[profile] = building.profile_steps(tree, profile, appliance)
            else:
                notes.append(f"job of {job.house}/{job.device}: no load profile {profile!r} here; the device's is used")
        for key, time_s in (
            ("registered", job.registered_s),
            ("earliest_start", job.earliest_start_s),
            ("latest_start", job.latest_start_s),
        ):
            entry[key] = format_iso(time_s) if origin.start_s is None else format_after_start(time_s, origin.start_s)
        early += origin.start_s is not None and job.registered_s < origin.start_s
        entries.append(entry)
    if early:
        notes.append(f"{early} jobs are registered before the run starts: change the start, or their times")
    if not entries:
        return Added(None, 0, tuple(dict.fromkeys(notes)))
    count = len(at(tree, outline.JOBS) or [])
    insert = Insert(outline.JOBS, count, tuple(entries))
    of_profiles = [step for found in steps.values() for step in found]
    label = f"add {len(entries)} jobs from {where}"
    return Added(Change(label, (*of_profiles, insert), outline.JOBS), len(entries), tuple(dict.fromkeys(notes)))
