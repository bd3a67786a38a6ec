"""Random changes of the bytes of a file."""

import random
import re
from collections.abc import Callable

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           10**9, 60_000, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
TEXTS = (b"0", b"-1", b"1e999", b"-1e308", b"nan", b"inf", b"9" * 20, b"9" * 5000, b"2147483648",
         b"0.5", b"1_0", b"0x10", b"null", b"true", b"[]", b"{}", b'""', b"[" * 3000, b'"\\u0000"',
         b'"../../a.npy"', b'"/dev/zero"', b'"\\u001b[31m"', b"\x1b[2J", b"\xef\xbb\xbf", b"\r",
         b"\xc2\x85", b"\xe2\x80\xa8", b"\0", b"\n", b",", b" ", b'"', b"<script>")  # fmt: skip
VALUE = re.compile(rb'"[^"\n]{0,80}"|-?[0-9][0-9.e+-]*|true|false|null')
LARGEST = 1 << 20
"""Examples do not grow beyond so many bytes."""
Change = Callable[[bytes, int, random.Random], bytes]


def overwrite(content: bytes, at: int, piece: bytes) -> bytes:
    """The content with other bytes at a place."""
    return content[:at] + piece + content[at + len(piece) :]


def flip(content: bytes, at: int, chance: random.Random) -> bytes:
    """One bit."""
    return overwrite(content, at, bytes([content[at] ^ (1 << chance.randrange(8))]))


def scatter(content: bytes, at: int, chance: random.Random) -> bytes:
    """A few random bytes."""
    return overwrite(content, at, chance.randbytes(chance.randint(1, 8)))


def number(content: bytes, at: int, chance: random.Random) -> bytes:
    """A number at which programs stumble, of 1 to 8 bytes in either order."""
    size = chance.choice((1, 2, 4, 8))
    value = (chance.choice(NUMBERS) + chance.randint(-1, 1)) % (1 << 8 * size)
    return overwrite(content, at, value.to_bytes(size, chance.choice(("big", "little"))))


def insert(content: bytes, at: int, chance: random.Random) -> bytes:
    """A text or random bytes in between."""
    piece = chance.choice((chance.choice(TEXTS), chance.randbytes(chance.randint(1, 16))))
    return content[:at] + piece + content[at:]


def remove(content: bytes, at: int, chance: random.Random) -> bytes:
    """Some bytes taken out."""
    return content[:at] + content[at + chance.choice((1, 2, 4, 8, 64)) :]


def cut(content: bytes, at: int, _chance: random.Random) -> bytes:
    """The end."""
    return content[:at]


def repeat(content: bytes, at: int, chance: random.Random) -> bytes:
    """A piece several times."""
    piece = content[at : at + chance.choice((1, 4, 16, 64, 1024))]
    return content[:at] + piece * chance.choice((2, 3, 100)) + content[at:]


def copy(content: bytes, at: int, chance: random.Random) -> bytes:
    """A piece over another one."""
    source = chance.randrange(len(content))
    return overwrite(content, at, content[source : source + chance.choice((2, 4, 8, 32))])


def value(content: bytes, at: int, chance: random.Random) -> bytes:
    """Another value of a text: a number, string or word, or another one of the file."""
    found = list(VALUE.finditer(content, max(0, at - 400), at + 400))
    if not found:
        return scatter(content, at, chance)
    old, other = chance.choice(found), chance.choice(found)
    new = chance.choice((chance.choice(TEXTS), other[0]))
    return content[: old.start()] + new + content[old.end() :]


CHANGES: tuple[Change, ...] = (
    flip, scatter, number, number, insert, remove, cut, repeat, copy, value, value
)  # fmt: skip


def change(content: bytes, chance: random.Random) -> bytes:
    """The content after one change or a few; half of them in the first bytes, the header."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if not content:
            break
        reach = chance.choice((len(content), min(len(content), 200)))
        content = chance.choice(CHANGES)(content, chance.randrange(reach), chance)[:LARGEST]
    return content
