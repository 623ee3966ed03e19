"""Option texts as values."""

import pytest

from callboard.apps.cli import reading
from callboard.domain.errors import InputInvalid


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5m", 90), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("0s", 0)]
)
def test_a_length_of_time(text: str, seconds: float) -> None:
    assert reading.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1 month", "1e3s", "nan"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(InputInvalid, match="30d"):
        reading.duration(text)


def test_labels_keep_what_stands_after_the_first_equals_sign() -> None:
    assert reading.labels(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for text in ("plain", "=value"):
        with pytest.raises(InputInvalid, match="team=red"):
            reading.labels([text])


def test_a_status_is_read_in_either_case_and_an_unknown_one_names_those_there_are() -> None:
    assert reading.run_status("Failed") == "failed"
    assert reading.approval_status("open") == "open"
    with pytest.raises(InputInvalid, match="succeeded"):
        reading.run_status("done")


def test_a_text_without_quotes_is_no_json_and_the_error_shows_how_to_quote_it() -> None:
    assert reading.json_value('"yes"', "VALUE") == "yes"
    for text in ("yes", "", "{", "\udcff"):
        with pytest.raises(InputInvalid, match="quote it"):
            reading.json_value(text, "VALUE")
