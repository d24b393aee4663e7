from .errors import (
    AgentFailedError as AgentFailedError,
    BrokerAwayError as BrokerAwayError,
    BrokerLostError as BrokerLostError,
    BrokerRefusedError as BrokerRefusedError,
    BrokerUnreachableError as BrokerUnreachableError,
    BrokerUrlError as BrokerUrlError,
    ClockBehindError as ClockBehindError,
    ClockMissingError as ClockMissingError,
    ClockTakenError as ClockTakenError,
    HostRefusedError as HostRefusedError,
    HostsGoneError as HostsGoneError,
    HostsMissingError as HostsMissingError,
    PluginError as PluginError,
    ProtocolError as ProtocolError,
    RunFailedError as RunFailedError,
    RunSuspendedError as RunSuspendedError,
    SsmicError as SsmicError,
)
from .file_writing import (
    FILE_MODE as FILE_MODE,
    atomic_write as atomic_write,
    create_private_file as create_private_file,
    file_name as file_name,
    inode_of as inode_of,
    make_private_folder as make_private_folder,
    missing_folders as missing_folders,
    remove_abandoned_drafts as remove_abandoned_drafts,
    writing_obstacle as writing_obstacle,
)
from .garbage_collection import (
    long_lived_objects as long_lived_objects,
    no_collections as no_collections,
    rare_collections as rare_collections,
)
from .identifiers import (
    MAX_CHARACTERS as MAX_CHARACTERS,
    canonical as canonical,
    character_problem as character_problem,
    identifier_problem as identifier_problem,
    may_be_topic as may_be_topic,
    shown as shown,
)
from .journal_file import (
    PROTOCOL_KEY as PROTOCOL_KEY,
    JournalWriteError as JournalWriteError,
    setup_parts as setup_parts,
)
from .large_pages import (
    keep_in_large_pages as keep_in_large_pages,
)
from .log_passwords import (
    without_passwords as without_passwords,
)
from .orphan_processes import (
    end_with_parent as end_with_parent,
    ending_with_this_process as ending_with_this_process,
)
from .plain_text import (
    first_few as first_few,
    plural as plural,
    printable as printable,
    printable_json as printable_json,
    printable_line as printable_line,
)
from .threads import (
    new_loop as new_loop,
)

__all__ = [
    "FILE_MODE",
    "MAX_CHARACTERS",
    "PROTOCOL_KEY",
    "AgentFailedError",
    "BrokerAwayError",
    "BrokerLostError",
    "BrokerRefusedError",
    "BrokerUnreachableError",
    "BrokerUrlError",
    "ClockBehindError",
    "ClockMissingError",
    "ClockTakenError",
    "HostRefusedError",
    "HostsGoneError",
    "HostsMissingError",
    "JournalWriteError",
    "PluginError",
    "ProtocolError",
    "RunFailedError",
    "RunSuspendedError",
    "SsmicError",
    "atomic_write",
    "canonical",
    "character_problem",
    "create_private_file",
    "end_with_parent",
    "ending_with_this_process",
    "file_name",
    "first_few",
    "identifier_problem",
    "inode_of",
    "keep_in_large_pages",
    "long_lived_objects",
    "make_private_folder",
    "may_be_topic",
    "missing_folders",
    "new_loop",
    "no_collections",
    "plural",
    "printable",
    "printable_json",
    "printable_line",
    "rare_collections",
    "remove_abandoned_drafts",
    "setup_parts",
    "shown",
    "without_passwords",
    "writing_obstacle",
]
