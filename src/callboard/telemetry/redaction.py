"""Takes out of a text what nobody outside should read: addresses, numbers of phones, cards and accounts, secrets.

Rules with a checksum know a number from one that only looks like it: an order's number is not taken for a card's.
"""

import re
from collections.abc import Callable
from typing import Any

_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----.*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\Z)", re.DOTALL
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}")
_SECRET = re.compile(
    r"\b(?:sk|pk|rk)-(?:[A-Za-z0-9]+-)*[A-Za-z0-9_-]{16,}"  # most providers of models
    r"|\b(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"
    r"|\bcb_[a-z2-7]{12,}_[A-Za-z0-9-]{16,}"  # ours
    r"|\bgh[opsur]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"  # a JSON web token
)
_NAMED = re.compile(
    r"(?i)((?:api[_-]?key|secret|token|passw(?:or)?d|authorization)[\"']?\s*[:=]\s*[\"']?)(?!(?:bearer|basic)\b)([^\s\"',;}&]{4,})"
)
_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_PHONE = re.compile(r"(?<![\w.])(?<!\d )(?:\+|00)[1-9]\d{0,2}[ ./-]?(?:\(?\d{1,5}\)?[ ./-]?){1,5}\d{2,4}(?!\w)")
_PHONE_AT_HOME = re.compile(r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])")

_DEPTH = 60


def redact(text: str) -> str:
    """The text with `[kind]` in the place of what was taken out."""
    text = without_secrets(text)
    if "@" in text:
        text = _MAIL.sub("[e-mail]", text)
    text = _IBAN.sub(_if(is_iban, "[iban]"), text)
    text = _CARD.sub(_if(is_card, "[card]"), text)
    text = _PHONE.sub("[phone]", text)
    return _PHONE_AT_HOME.sub("[phone]", text)


def without_secrets(text: str) -> str:
    """The text without keys, tokens and passwords; what is personal stays."""
    if "-----BEGIN" in text:
        text = _KEY.sub("[private key]", text)
    if "://" in text:
        text = _LOGIN.sub(r"\1:[password]@", text)
    text = _BEARER.sub(r"\1 [secret]", text)
    text = _SECRET.sub("[secret]", text)
    return _NAMED.sub(lambda found: found[0] if found[2].startswith("[") else f"{found[1]}[secret]", text)


def redacted(value: Any, depth: int = 0) -> Any:
    """JSON-like data with every text in it redacted; what is named like a secret goes as a whole."""
    if isinstance(value, str):
        return redact(value)
    if depth > _DEPTH:
        return "[too deep]"
    if isinstance(value, dict):
        return {redact(name): _named(name, each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(each, depth + 1) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and is_card(str(value)):
        return "[card]"
    return value


def is_card(text: str) -> bool:
    """Whether digits, with blanks or hyphens between them, can be a card's number: 13 to 19, right by Luhn's sum."""
    digits = [int(each) for each in text if each.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d if at % 2 == 0 else (d * 2 if d < 5 else d * 2 - 9) for at, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether a text can be an account's number: 15 to 34 characters, right by its check digits (modulo 97)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


_SECRETS = re.compile(r"(?i)^(?:.*[_-])?(?:api[_-]?key|secret|token|passw(?:or)?d|authorization|private[_-]?key)$")


def _named(name: str, value: Any, depth: int) -> Any:
    return "[secret]" if isinstance(value, str) and value and _SECRETS.match(name) else redacted(value, depth)


def _if(check: Callable[[str], bool], instead: str) -> Callable[[re.Match[str]], str]:
    return lambda found: instead if check(found[0]) else found[0]
