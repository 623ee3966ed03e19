"""Values to stored bytes and back: JSON, nothing else.

Anything msgspec writes as JSON can be stored (numbers, text, lists, dicts, dataclasses, structs, dates,
UUIDs, enums, decimals) and pydantic models as well. Two things JSON cannot hold are met here, once: a lone
surrogate in text becomes U+FFFD, and NaN or infinity is refused with the place where it stands.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from callboard.domain.errors import Unencodable


def _hook(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)  # a pydantic model, known by its face: domain has no pydantic
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    # Subclasses of JSON's own types count as what they extend.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON-like")


_encoder = msgspec.json.Encoder(enc_hook=_hook)
_canonical = msgspec.json.Encoder(enc_hook=_hook, order="sorted")
decode = msgspec.json.decode


def encode(value: Any, what: str = "value") -> bytes:
    """The value as JSON bytes.

    Raises Unencodable, naming `what` and the place, when it cannot be stored.
    """
    try:
        body = _encoder.encode(value)
    except UnicodeEncodeError:
        body = _encode_cleaned(value, what)
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError) as error:
        raise _unencodable(value, what, error) from error
    # msgspec writes NaN as null; a null is rare enough to look closer only then.
    if b"null" in body and (place := _find_nonfinite(value, what)):
        raise Unencodable(
            f"{what} holds a number that is not finite at {place}",
            why="JSON has no NaN and no infinity",
            remedy="return None or a text in its place",
        )
    return body


def digest(*values: Any) -> bytes:
    """Eight bytes over the values, equal for equal JSON whatever the order of keys. Raises Unencodable."""
    try:
        data = _canonical.encode(values)
    except UnicodeEncodeError:
        data = _canonical_cleaned(values)
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError) as error:
        raise _unencodable(values, "arguments", error) from error
    return hashlib.blake2b(data, digest_size=8).digest()


def clean(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _find_nonfinite(value: Any, what: str) -> str | None:
    try:
        return _nonfinite(value, "$")
    except RecursionError as error:
        raise _unencodable(value, what, error) from error


def _canonical_cleaned(values: Any) -> bytes:
    try:
        return _canonical.encode(_cleaned(values))
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError) as error:
        raise _unencodable(values, "arguments", error) from error


def _encode_cleaned(value: Any, what: str) -> bytes:
    try:
        return _encoder.encode(_cleaned(value))
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError) as error:
        raise _unencodable(value, what, error) from error


def _unencodable(value: Any, what: str, error: Exception) -> Unencodable:
    return Unencodable(
        f"{what} of type {type(value).__name__} cannot be stored",
        why=str(error) or type(error).__name__,
        remedy="use JSON-like values, dataclasses, msgspec structs or pydantic models",
    )


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {_cleaned(k): _cleaned(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(v) for v in value]
    if isinstance(value, int | float | bool | type(None)):
        return value
    return _cleaned(msgspec.to_builtins(value, enc_hook=_hook))


def _nonfinite(value: Any, place: str) -> str | None:
    """Where a NaN or an infinity stands, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    if value is None or isinstance(value, str | bytes | int):
        return None
    if isinstance(value, Mapping):
        pairs = ((f"{place}.{k}", v) for k, v in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        pairs = ((f"{place}[{i}]", v) for i, v in enumerate(value))
    else:
        return _nonfinite_object(value, place)
    return next((found for at, v in pairs if (found := _nonfinite(v, at))), None)


def _nonfinite_object(value: Any, place: str) -> str | None:
    try:
        plain = msgspec.to_builtins(value, enc_hook=_hook)
    except (TypeError, ValueError, UnicodeEncodeError):
        return None
    return _nonfinite(plain, place) if isinstance(plain, float | dict | list) else None
