"""The clock: the coordinator that moves virtual time by counting messages."""
