"""The app of these tests as a module, for processes."""

from tests.acceptance.openai.stage import stage

app = stage()
