from .community_form import (
    TAXED as TAXED,
    key_of as key_of,
    rename_in_community as rename_in_community,
    set_community_value as set_community_value,
    taxed_now as taxed_now,
)
from .form_model import (
    form_of as form_of,
)
from .form_parts import (
    Button as Button,
    Field as Field,
    PartForm as PartForm,
)
from .form_view import (
    FieldRow as FieldRow,
    FormView as FormView,
    field_for as field_for,
)
from .time_fields import (
    RunStart as RunStart,
    in_form_of as in_form_of,
    in_words as in_words,
    seconds as seconds,
)
from .time_repairs import (
    change_for as change_for,
    is_possible as is_possible,
    label_of as label_of,
)

__all__ = [
    "TAXED",
    "Button",
    "Field",
    "FieldRow",
    "FormView",
    "PartForm",
    "RunStart",
    "change_for",
    "field_for",
    "form_of",
    "in_form_of",
    "in_words",
    "is_possible",
    "key_of",
    "label_of",
    "rename_in_community",
    "seconds",
    "set_community_value",
    "taxed_now",
]
