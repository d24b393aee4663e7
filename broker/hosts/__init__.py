"""Hosts: run agents round by round, and journal everything that enters them."""

from broker.hosts.agent import Agent, AgentLostError, Channel, Received, RetainedPublication, TimeUp
from broker.hosts.directory import check_session
from broker.hosts.host import Host
from broker.hosts.journal import HostJournal, RoundRecord

__all__ = [
    "Agent",
    "AgentLostError",
    "Channel",
    "Host",
    "HostJournal",
    "Received",
    "RetainedPublication",
    "RoundRecord",
    "TimeUp",
    "check_session",
]
