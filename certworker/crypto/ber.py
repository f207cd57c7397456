"""A look into BER and DER (X.690) without believing it: what it is made of, and how much work it asks for.

PKCS#12 and encrypted PKCS#8 say themselves how many rounds a password is to be stretched. Whoever sends such a file could ask
for two thousand million of them, so the rounds are counted before anything is opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06
_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_MOST_LEVELS = 24
_MOST_ELEMENTS = 50_000
_SCRYPT_NUMBERS = 3
_KEY_BAGS = (bytes.fromhex("2a864886f70d010c0a0101"), bytes.fromhex("2a864886f70d010c0a0102"))
"""keyBag and pkcs8ShroudedKeyBag (RFC 7292 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `inner` is what it is made of; for octets, what they hold where that is a SEQUENCE."""

    tag: int
    content: bytes
    inner: tuple["Element", ...] = ()


def read_elements(data: bytes) -> tuple[Element, ...]:
    """Read all elements in `data`. Raises ValueError, also where there are far more of them than any certificate has."""
    return _Reading().elements(data, 0)


def stretching_rounds(elements: tuple[Element, ...]) -> int:
    """Sum up the rounds that the parameters in the open ask for: a salt, and the numbers that come after it.

    One or two are PKCS#12's or PBKDF2's (rounds, length of the key), three are scrypt's, which multiply.
    """
    total = 0
    for element in _walk(elements):
        for place, member in enumerate(element.inner):
            if member.tag == _OCTETS and (numbers := _numbers(element.inner[place + 1 :])):
                total += prod(numbers[:_SCRYPT_NUMBERS]) if len(numbers) >= _SCRYPT_NUMBERS else numbers[0]
    return total


def count_key_bags(elements: tuple[Element, ...]) -> int:
    """Count the private keys of a PKCS#12 file, as far as they lie in the open (under their own encryption, mostly)."""
    firsts = (element.inner[0] for element in _walk(elements) if element.tag == _SEQUENCE and element.inner)
    return sum(first.tag == _OID and first.content in _KEY_BAGS for first in firsts)


def _numbers(elements: tuple[Element, ...]) -> list[int]:
    numbers = []
    for element in elements:
        if element.tag != _INTEGER:
            break
        numbers.append(abs(int.from_bytes(element.content, "big", signed=True)))
    return numbers


def _walk(elements: tuple[Element, ...]) -> Iterator[Element]:
    for element in elements:
        yield element
        yield from _walk(element.inner)


class _Reading:
    """Reads one content. It goes only so deep, and reads only so much: a small one could ask for a very long look."""

    def __init__(self) -> None:
        self._left = _MOST_ELEMENTS

    def elements(self, data: bytes, level: int) -> tuple[Element, ...]:
        found, at = [], 0
        while at < len(data):
            element, at = self._read(data, at, level)
            found.append(element)
        return tuple(found)

    def _read(self, data: bytes, at: int, level: int) -> tuple[Element, int]:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too much of it")
        if level > _MOST_LEVELS or at + 2 > len(data) or data[at] & _LONG_TAG == _LONG_TAG:
            raise ValueError("not BER, or too deep")
        tag, size, begin = data[at], data[at + 1], at + 2
        if size == _INDEFINITE and tag & _CONSTRUCTED:
            return self._read_indefinite(data, begin, tag, level)
        if size >= _INDEFINITE:
            width = size & ~_INDEFINITE
            size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
        end = begin + size
        if end > len(data):
            raise ValueError("an element is cut off")
        content = data[begin:end]
        inner = self.elements(content, level + 1) if tag & _CONSTRUCTED else ()
        return self._element(tag, content, inner, level), end

    def _read_indefinite(self, data: bytes, at: int, tag: int, level: int) -> tuple[Element, int]:
        inner, begin = [], at
        while data[at : at + 2] != b"\0\0":
            element, at = self._read(data, at, level + 1)
            inner.append(element)
        return self._element(tag, data[begin:at], tuple(inner), level), at + 2

    def _element(self, tag: int, content: bytes, inner: tuple[Element, ...], level: int) -> Element:
        if tag == _OCTETS | _CONSTRUCTED:
            tag, content, inner = _OCTETS, b"".join(part.content for part in inner), ()
        if tag == _OCTETS and content[:1] == bytes([_SEQUENCE]):
            inner = self._read_octets(content, level)
        return Element(tag, content, inner)

    def _read_octets(self, content: bytes, level: int) -> tuple[Element, ...]:
        try:
            return self.elements(content, level + 1)
        except ValueError:
            if self._left < 0:
                raise
            return ()  # random bytes that begin like a SEQUENCE
