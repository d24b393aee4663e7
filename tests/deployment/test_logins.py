"""Logins at a guarded broker: their spelling, and the hint for a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.errors import BrokerUnreachableError
from broker.security.provision import login_folder
from broker.transport.endpoint import PASSWORD_FILE, USER
from tests.deployment.guarded import guarded_mosquitto


async def test_a_login_in_the_wrong_spelling_gets_a_hint(tmp_path: Path) -> None:
    """The broker knows the household `Haus 1` only as `Haus%201`; a wrong password gets no hint."""
    async with guarded_mosquitto(tmp_path / "guard", ("Haus 1", "adler")) as broker:
        async with broker.of("Haus 1").connect("there"):
            pass
        own = login_folder(broker.folder, "Haus 1")
        environment = {"SSMIC_CA_FILE": str(own / "ca.crt"), PASSWORD_FILE: str(own / "password")}
        hint = "refused the login (user 'Haus 1'); `ssmic broker init` writes this household's login 'Haus%201'"
        with pytest.raises(BrokerUnreachableError, match=re.escape(hint)):
            async with broker.reached_by(environment | {USER: "Haus 1"}).connect("misspelt"):
                pass
        with pytest.raises(BrokerUnreachableError, match=r"refused the login \(user 'adler'\)$"):
            async with broker.reached_by(environment | {USER: "adler"}).connect("wrong"):
                pass
