"""Whoever lets passwords be checked by the dozen, which is slow and open to anybody, slows nobody's work with secrets."""

import asyncio
from pathlib import Path

import httpx
import pytest

from certworker.api.app import Front
from certworker.api.threads import Threads
from certworker.crypto import passwords
from certworker.settings import IdentitySettings
from certworker.vault.sign_in.known_clients import AZURE_CLI
from tests.api.world import VERSION, open_world
from tests.support.clock import FakeClock
from tests.support.costs import NOBODY


def test_secrets_are_read_while_passwords_are_checked(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More passwords than there are threads wait to be checked, and a vault answers before they are done."""
    monkeypatch.setattr(passwords, "_NOBODY", NOBODY)
    with open_world(tmp_path, clock, identity=IdentitySettings(password_grant=True)) as world:
        form = {"grant_type": "password", "client_id": AZURE_CLI, "password": "guess"}
        form["scope"] = f"{world.house.settings.resource}/.default"
        threads, password_threads = Threads(1), Threads(1)

        async def answered_before() -> int:
            transport = httpx.ASGITransport(Front(world.house, threads, password_threads))
            async with httpx.AsyncClient(transport=transport, base_url=world.vault_url) as client:
                url = f"{world.house.settings.authority}/{world.tenant}/oauth2/v2.0/token"
                names = [f"nobody{number}@contoso.test" for number in range(3)]
                tries = [asyncio.create_task(client.post(url, data=form | {"username": name})) for name in names]
                await asyncio.sleep(0.05)
                read = await client.get(f"/secrets?{VERSION}", headers=world.bearer())
                assert read.status_code == 200
                done = sum(one.done() for one in tries)
                assert {one.status_code for one in await asyncio.gather(*tries)} <= {400, 503}
                return done

        assert asyncio.run(answered_before()) < 3
        threads.close()
        password_threads.close()
