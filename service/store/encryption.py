"""Encrypts links, e-mail addresses, webhook bodies and endpoint secrets, so that a copied database does not show them.

AES-256-GCM with a key derived from each secret key. A value is "key name.base64(nonce + ciphertext)". The row's id is
the associated data, so a value that an attacker copies to another row (a user's link into the attacker's own session)
does not decrypt there.
"""

import base64
import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12  # Reference: NIST SP 800-38D, 5.2.1.1 recommends 96 bits


class Cipher:
    """Encrypts with the newest key and decrypts with all. `keys` come newest first, as in the settings."""

    def __init__(self, keys: Sequence[str], random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._ciphers = {_name(key): AESGCM(_derive(key)) for key in reversed(keys)}
        self._newest = _name(keys[0])
        self._random_bytes = random_bytes

    def encrypt(self, text: str, row_id: str) -> str:
        """Encrypt a text for one row."""
        # A nonce must never repeat under one key. Random ones are safe for 2^32 values, far more than are written.
        nonce = self._random_bytes(_NONCE_BYTES)
        encrypted = self._ciphers[self._newest].encrypt(nonce, text.encode(), row_id.encode())
        return f"{self._newest}.{base64.urlsafe_b64encode(nonce + encrypted).decode()}"

    def is_newest(self, encrypted: str) -> bool:
        """Whether a value is encrypted with the newest key."""
        return encrypted.partition(".")[0] == self._newest

    def decrypt(self, encrypted: str, row_id: str) -> str:
        """Decrypt a value of this row; return "" if it is damaged, of another row, or of a key that was removed."""
        name, _, value = encrypted.partition(".")
        cipher = self._ciphers.get(name)
        if cipher is None:
            return ""
        try:
            raw = base64.urlsafe_b64decode(value)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], row_id.encode()).decode()
        except (InvalidTag, ValueError):
            return ""


def _derive(key: str) -> bytes:
    # A key of its own for encryption: the secret key also signs tokens. Reference: RFC 5869, 3.2 on `info`.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"seal.v1").derive(key.encode())


def _name(key: str) -> str:
    # Another `info`: the name is stored in the clear, so nothing about the encryption key may follow from it.
    return HKDF(algorithm=SHA256(), length=4, salt=None, info=b"seal-name.v1").derive(key.encode()).hex()
