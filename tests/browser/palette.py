"""Makes a picture of a screen smaller: at most 256 colours, more than a page has but for the edges of letters."""

import struct
import zlib
from collections import Counter

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST = 256


def reduce(png: bytes) -> bytes:
    """The picture with a palette of the colours that it uses most; each other one becomes the nearest of these.

    Takes 8 bits for each of red, green and blue, with or without alpha, not interlaced: what Chromium writes. Raises
    ValueError for another form.
    """
    width, height, data = 0, 0, b""
    channels = 3
    for kind, body in _chunks(png):
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if depth != 8 or colour not in (2, 6) or interlaced:
                raise ValueError(f"depth {depth}, colour type {colour}, interlaced {interlaced} is not read")
            channels = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            data += body
    rows = _unfiltered(zlib.decompress(data), width, height, channels)
    pixels = [[row[at : at + 3] for at in range(0, len(row), channels)] for row in rows]
    counts: Counter[bytes] = Counter()
    for row in pixels:
        counts.update(row)
    palette = _chosen([colour for colour, _ in counts.most_common()])
    place = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in place:
            place[colour] = place[min(palette, key=lambda each: _distance(each, colour))]
    lines = b"".join(b"\0" + bytes(place[colour] for colour in row) for row in pixels)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chosen(colours: list[bytes]) -> list[bytes]:
    """Of these, most used first: those that are used most, and of the rest so many that none is far from all others."""
    if len(colours) <= _MOST:
        return colours
    used, rest = colours[: _MOST // 2], colours[_MOST // 2 :]
    for apart in range(4, 256, 4):
        palette = list(used)
        for colour in rest:
            if all(_distance(colour, each) > apart**2 for each in palette):
                palette.append(colour)
                if len(palette) > _MOST:
                    break
        else:
            return palette
    return used


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise ValueError("this is no PNG")
    found, at = [], len(_SIGNATURE)
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unfiltered(data: bytes, width: int, height: int, channels: int) -> list[bytes]:
    """The rows as they were before each was written as a difference to its neighbours."""
    stride = width * channels
    above, rows = bytes(stride), []
    for number in range(height):
        at = number * (stride + 1)
        row = bytearray(data[at + 1 : at + 1 + stride])
        match data[at]:
            case 1:
                for i in range(channels, stride):
                    row[i] = (row[i] + row[i - channels]) & 255
            case 2:
                row = bytearray((a + b) & 255 for a, b in zip(row, above, strict=True))
            case 3:
                for i in range(stride):
                    left = row[i - channels] if i >= channels else 0
                    row[i] = (row[i] + (left + above[i]) // 2) & 255
            case 4:
                for i in range(stride):
                    left = row[i - channels] if i >= channels else 0
                    corner = above[i - channels] if i >= channels else 0
                    row[i] = (row[i] + _paeth(left, above[i], corner)) & 255
        above = bytes(row)
        rows.append(above)
    return rows


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))
