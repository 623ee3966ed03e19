"""Fields of forms, as browsers send them."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from callboard.domain.errors import InputInvalid, TooLarge

_FIELDS = 1_000


async def form(request: Request, most: int | None = None) -> dict[str, str]:
    """The fields of an urlencoded form; of a field that is there twice, the last.

    Args:
        request: whose body it is.
        most: bytes of it that are read, for forms that anybody may send; what the application takes, by default.

    Raises InputInvalid when it is not one, TooLarge beyond `most`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InputInvalid(f"content-type={kind!r} is no form", remedy="send it as application/x-www-form-urlencoded")
    try:
        text = (await _body(request, most)).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS))
    except ValueError as error:  # a UnicodeDecodeError is one
        raise InputInvalid("the form cannot be read", why=str(error), remedy="send it as UTF-8") from None


async def _body(request: Request, most: int | None) -> bytes:
    if most is None:
        return await request.body()
    read = b""
    async for piece in request.stream():
        read += piece
        if len(read) > most:
            raise TooLarge(f"the form is larger than {most:,} bytes", remedy="send its fields alone")
    return read
