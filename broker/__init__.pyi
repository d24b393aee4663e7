from .atomic_file import (
    atomic_write as atomic_write,
)
from .errors import (
    AgentFailedError as AgentFailedError,
    BrokerAwayError as BrokerAwayError,
    BrokerLostError as BrokerLostError,
    BrokerUnreachableError as BrokerUnreachableError,
    BrokerUrlError as BrokerUrlError,
    HostsMissingError as HostsMissingError,
    SsmicError as SsmicError,
)
from .filenames import (
    file_name as file_name,
)
from .identifiers import (
    MAX_CHARACTERS as MAX_CHARACTERS,
    canonical as canonical,
    character_problem as character_problem,
    identifier_problem as identifier_problem,
    shown as shown,
)
from .plain_text import (
    printable as printable,
    printable_json as printable_json,
    printable_line as printable_line,
)
from .threads import (
    new_loop as new_loop,
)

__all__ = [
    "MAX_CHARACTERS",
    "AgentFailedError",
    "BrokerAwayError",
    "BrokerLostError",
    "BrokerUnreachableError",
    "BrokerUrlError",
    "HostsMissingError",
    "SsmicError",
    "atomic_write",
    "canonical",
    "character_problem",
    "file_name",
    "identifier_problem",
    "new_loop",
    "printable",
    "printable_json",
    "printable_line",
    "shown",
]
