"""The app of these tests as a module, for processes."""

from tests.acceptance.gateway.house import town

app = town()
