from .assumptions import (
    SITE as SITE,
    START_S as START_S,
    STEP_S as STEP_S,
)
from .detect import (
    import_source as import_source,
    needs_import as needs_import,
)
from .pyssmic_neighbourhood import (
    InputJob as InputJob,
)
from .pyssmic_xml import (
    read_jobs as read_jobs,
)

__all__ = [
    "SITE",
    "START_S",
    "STEP_S",
    "InputJob",
    "import_source",
    "needs_import",
    "read_jobs",
]
