from .language import (
    COUNTS as COUNTS,
    FIELDS as FIELDS,
    KPIS as KPIS,
    TEXT as TEXT,
    condition_notes as condition_notes,
    condition_problems as condition_problems,
    quoted as quoted,
    unquoted as unquoted,
)
from .verdicts import (
    Verdict as Verdict,
    judge as judge,
    judge_simulation as judge_simulation,
    judge_so_far as judge_so_far,
    junit_xml as junit_xml,
    verdict_json as verdict_json,
)

__all__ = [
    "COUNTS",
    "FIELDS",
    "KPIS",
    "TEXT",
    "Verdict",
    "condition_notes",
    "condition_problems",
    "judge",
    "judge_simulation",
    "judge_so_far",
    "junit_xml",
    "quoted",
    "unquoted",
    "verdict_json",
]
