"""Hosts run agents round by round and journal what enters them."""
