from .script_actions import (
    ScriptActions as ScriptActions,
)
from .script_changes import (
    duplicate_entry as duplicate_entry,
    remove_entry as remove_entry,
    set_script_value as set_script_value,
)
from .script_forms import (
    event_form as event_form,
    events_form as events_form,
    expectation_form as expectation_form,
    expectations_form as expectations_form,
    script_text as script_text,
)
from .script_model import (
    condition_of as condition_of,
    event_in_words as event_in_words,
    expectation_in_words as expectation_in_words,
    moment_s as moment_s,
    when_in_words as when_in_words,
)

__all__ = [
    "ScriptActions",
    "condition_of",
    "duplicate_entry",
    "event_form",
    "event_in_words",
    "events_form",
    "expectation_form",
    "expectation_in_words",
    "expectations_form",
    "moment_s",
    "remove_entry",
    "script_text",
    "set_script_value",
    "when_in_words",
]
