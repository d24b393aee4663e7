from .assumptions import (
    START_S as START_S,
    STEP_S as STEP_S,
    clear_sky_steps_w as clear_sky_steps_w,
)
from .detect import (
    import_source as import_source,
    needs_import as needs_import,
)
from .input_neighbourhood import (
    InputJob as InputJob,
)
from .pyssmic_xml import (
    read_jobs as read_jobs,
)

__all__ = [
    "START_S",
    "STEP_S",
    "InputJob",
    "clear_sky_steps_w",
    "import_source",
    "needs_import",
    "read_jobs",
]
