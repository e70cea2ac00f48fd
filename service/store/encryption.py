"""Encrypts what must not be readable in a copied database: provider links and webhook bodies.

AES-256-GCM with a key derived from each secret key, its id in front, and the row's id as associated data, so that a
sealed value moved to another row does not open.
"""

import base64
import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Cipher:
    """Keys come newest first: the newest closes, all open."""

    def __init__(self, keys: Sequence[str], random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._boxes = {_name(key): AESGCM(_derive(key)) for key in reversed(keys)}
        self._newest = _name(keys[0])
        self._random_bytes = random_bytes

    def encrypt(self, text: str, row_id: str) -> str:
        """Encrypt for one row."""
        nonce = self._random_bytes(_NONCE)
        sealed = self._boxes[self._newest].encrypt(nonce, text.encode(), row_id.encode())
        return f"{self._newest}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, sealed: str, row_id: str) -> str:
        """Decrypt; what is damaged, another row's or of an unknown key gives an empty text, no link."""
        name, _, value = sealed.partition(".")
        box = self._boxes.get(name)
        if box is None:
            return ""
        try:
            raw = base64.urlsafe_b64decode(value)
            return box.decrypt(raw[:_NONCE], raw[_NONCE:], row_id.encode()).decode()
        except (InvalidTag, ValueError):
            return ""


def _derive(key: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"seal.v1").derive(key.encode())


def _name(key: str) -> str:
    return HKDF(algorithm=SHA256(), length=4, salt=None, info=b"seal-name.v1").derive(key.encode()).hex()
