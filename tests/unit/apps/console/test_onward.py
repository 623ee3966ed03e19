import pytest

from callboard.apps.console.onward import onward


@pytest.mark.parametrize(
    "path",
    [
        "/console",
        "/console/",
        "/console/runs/01j9z3k4q8w6t5r2y1x0v7n3mb",
        "/console/runs?status=failed&kind=rate_limited&text=a%20b",
        "/console/catalog/flows/refund%20now",
        "/console/runs/a.b",
    ],
)
def test_pages_of_the_console_are_led_to(path: str) -> None:
    assert onward(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        None,
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%5cevil.example",
        "/%2f%2fevil.example",
        "https://evil.example/console",
        "https:/console",
        "javascript:alert(1)",
        "/console//evil.example",
        "/console\\evil",
        "/console/..//evil.example",
        "/console/../../evil",
        "/console/%2e%2e/evil",
        "/console/%2E%2e%2f/evil",
        "/console/./x",
        "/consoleevil",
        "/console@evil.example",
        "/v1/runs",
        "/console/\nSet-Cookie: a=b",
        "/console/%0d%0aSet-Cookie",
        "/console?x=\r\nLocation: //evil",
        "/console?x=\\evil",
        " /console",
        "/console/runs#x",
        "/console/login?next=/console",
        "/console/login",
        "/console/login/oidc",
        "/console/login/callback?code=x&state=y",
        "/console/" + "a" * 3_000,
    ],
)
def test_everything_else_leads_to_the_first_page(path: str | None) -> None:
    assert onward(path) == "/console"
