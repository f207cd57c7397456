"""Sealed streams: whole, or refused."""

import io

import pytest

from certworker.crypto.sealed_stream import open_chunks, seal_chunks
from certworker.crypto.sealing import new_key
from certworker.errors import SealBroken

HEADER = b"a header in the clear"
CHUNKS = [b"first", b"", b"third" * 100]


def seal(key: bytes, chunks: list[bytes], header: bytes = HEADER) -> list[bytes]:
    """Seal chunks."""
    return list(seal_chunks(key, header, chunks))


def open_all(key: bytes, sealed: bytes, header: bytes = HEADER) -> list[bytes]:
    """Open a stream to its end."""
    return list(open_chunks(key, header, io.BytesIO(sealed).read))


@pytest.mark.parametrize("chunks", [[b"only"], CHUNKS, [b""], []])
def test_a_stream_opens_as_it_was_sealed(chunks: list[bytes]) -> None:
    """Any number of chunks comes back in order; no chunk at all is one empty one."""
    key = new_key()
    assert open_all(key, b"".join(seal(key, chunks))) == (chunks or [b""])


def test_every_flipped_bit_is_noticed() -> None:
    """Flags, lengths, ciphertext and tags: one bit anywhere and the stream is refused."""
    key = new_key()
    sealed = b"".join(seal(key, CHUNKS[:2]))
    for place in range(len(sealed)):
        for bit in (1, 128):
            altered = bytearray(sealed)
            altered[place] ^= bit
            with pytest.raises(SealBroken):
                open_all(key, bytes(altered))


def test_every_cut_is_noticed() -> None:
    """Cut anywhere, even between two chunks, it is refused; and so is what stands behind the end."""
    key = new_key()
    sealed = b"".join(seal(key, CHUNKS))
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_all(key, sealed[:length])
    with pytest.raises(SealBroken, match="behind its end"):
        open_all(key, sealed + b"\0")


def test_chunks_cannot_change_places() -> None:
    """A chunk moved, left out, said twice, or of a stream under another header or key does not open."""
    key = new_key()
    first, second, third = seal(key, CHUNKS)
    for order in ([second, first, third], [first, third], [first, first, third], [third], [first, second, third, third]):
        with pytest.raises(SealBroken):
            open_all(key, b"".join(order))
    with pytest.raises(SealBroken):
        open_all(key, first + second + third, b"another header")
    with pytest.raises(SealBroken):
        open_all(new_key(), first + second + third)


def test_a_chunk_without_end_is_not_read() -> None:
    """A length beyond all measure is refused before anything of it is read."""
    with pytest.raises(SealBroken, match="head of a chunk"):
        open_all(new_key(), b"\0\xff\xff\xff\xff")
