"""What a start says, checked; and how starts are made: one, or many at a time."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

from callboard.domain.errors import InputInvalid

Key = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Label = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]
Webhook = Annotated[str, Field(max_length=2_000, examples=["https://hooks.example.com/callboard"])]
Whole = Annotated[int, Strict()]  # neither true nor "7"
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Moment = Annotated[Number, Field(ge=0, le=253_402_300_799, description="Seconds since the Unix epoch.")]
YEAR = 366 * 86_400.0


class Body(BaseModel):
    """A request's body: a field that is not known is refused, since somebody meant something by it."""

    model_config = ConfigDict(extra="forbid")


class Start(Body):
    """A run to start."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "flow": "triage",
                    "input": {"ticket": "T-17", "text": "Where is my parcel?"},
                    "labels": {"team": "red"},
                }
            ]
        }
    )

    flow: Name = Field(description="The name of a flow or an agent; its newest version runs.")
    input: Any = Field(default=None, description="What its input schema asks for; GET /v1/flows shows it.")
    key: Key | None = Field(
        default=None,
        description="Idempotency key, as the header Idempotency-Key: the same key with the same input is the same run.",
    )
    priority: Whole = Field(default=0, ge=-1_000_000, le=1_000_000, description="Higher runs earlier.")
    labels: dict[Name, Label] = Field(default_factory=dict, max_length=64, description="To find the run by.")
    start_at: Moment | None = Field(default=None, description="Not before that time, in seconds since the Unix epoch.")
    delay: Number = Field(default=0.0, ge=0, le=10 * YEAR, description="Seconds until it may begin.")
    webhook: Webhook | None = Field(
        default=None,
        description="An address that is told when the run has ended, signed by the Standard Webhooks specification.",
    )

    def options(self, header: str | None = None) -> dict[str, Any]:
        """What a desk's start takes. `header` is the key that the request's head gave. Raises InputInvalid."""
        return {
            "key": one_key(header, self.key),
            "priority": self.priority,
            "labels": self.labels or None,
            "start_at": self.start_at,
            "delay": self.delay,
            "webhook": self.webhook,
        }


def one_key(header: str | None, field: str | None) -> str | None:
    """The idempotency key, which may stand in the head or in the body. Raises InputInvalid when both differ."""
    if header is not None and field is not None and header != field:
        raise InputInvalid(
            "two idempotency keys were given",
            why="the header Idempotency-Key and the field key differ",
            remedy="send one of them",
        )
    return field if header is None else header


class Batch(Body):
    """Runs to start, each for itself: one that is refused does not keep its neighbours from starting."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "runs": [
                        {"flow": "triage", "input": {"ticket": "T-17"}, "key": "T-17"},
                        {"flow": "triage", "input": 1},
                    ]
                }
            ]
        }
    )

    runs: list[Any] = Field(
        min_length=1,
        max_length=1_000,
        description="Each as in POST /v1/runs; one that does not fit is answered for itself.",
    )
