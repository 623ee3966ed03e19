"""A browser without script: it keeps cookies, and fills in forms with the token that their page has."""

import re
from typing import Any

import httpx2

from callboard.domain.principal import Grant, Role

EVIL = "<script>alert('x')</script>"
ADMIN = Grant(Role.ADMIN)
VIEWER = Grant(Role.VIEWER, "default")
APPROVER = Grant(Role.APPROVER, "default")
PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'<meta name="csrf" content="([^"]*)"')


class Browser:
    """One person's browser."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page."""
        return await self.client.get(path, headers=headers)

    async def text(self, path: str, **headers: str) -> str:
        """A page that must be there."""
        answer = await self.get(path, **headers)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.text

    async def token(self) -> str:
        """The token of this log-in's forms."""
        found = _TOKEN.search(await self.text("/console"))
        assert found is not None and found[1]
        return found[1]

    async def post(self, path: str, csrf: str | None = None, /, headers: Any = None, **fields: str) -> httpx2.Response:
        """Sends a form, with its own token if no other is given."""
        token = await self.token() if csrf is None else csrf
        return await self.client.post(path, data=fields | {"csrf": token}, headers=headers)

    async def login(self, name: str, password: str = PASSWORD, **fields: str) -> httpx2.Response:
        """Tries to log in."""
        given = {"with": "password", "name": name, "password": password} | fields
        return await self.client.post("/console/login", data=given)
