"""A broker that lets in whom it knows, and lets each do what its part in a run needs: certificates, logins, rights.

`write_guard` writes all that a Mosquitto needs into a folder, and for every login a folder of its own to take away.
"""

from broker.guard.folder import Guard, Written, write_guard
from broker.guard.rights import CLOCK, OPERATOR, WATCHER

__all__ = ["CLOCK", "OPERATOR", "WATCHER", "Guard", "Written", "write_guard"]
