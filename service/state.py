"""Signs and reads what leaves us: page tokens, the state of the way back, results for the host, list cursors.

One salt per purpose, so that what was signed for one is a stranger to the others; the salt ends in a version. Keys are
a list: the newest signs, all verify. A signature keeps strangers out cheaply; the database row decides all else.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from service.errors import BadState, NotFound
from service.model import SessionId, Tenant, UserId

RESULT_SECONDS = 600
_MAX_LENGTH = 2048  # longer than anything we sign: refused before any work is done on it


@dataclass(frozen=True, slots=True)
class PageToken:
    """What a page URL carries: which session, and which of its URLs (`serial` rises with each renewal)."""

    session_id: SessionId
    serial: int
    issued_at: int


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What travels through the provider: the session, its user, and the page that started (`page_serial`)."""

    session_id: SessionId
    user_id: UserId
    page_serial: int


@dataclass(frozen=True, slots=True)
class ReadState:
    """A state as it came back: it knows whose it is by a digest, since it travelled through strangers' addresses."""

    session_id: SessionId
    user_digest: str
    page_serial: int

    def is_for(self, user_id: UserId) -> bool:
        """Whether it was signed for this user."""
        return hmac.compare_digest(self.user_digest.encode(), _user_digest(user_id).encode())


@dataclass(frozen=True, slots=True)
class Result:
    """What the host may confirm: who finished what, and when (`at`, seconds)."""

    session_id: SessionId
    tenant: Tenant
    user_id: UserId
    status: str
    connection_id: str | None
    at: int


class Signer:
    """All signing, with one key list. `keys` come newest first, as in the settings."""

    def __init__(self, keys: Sequence[str]) -> None:
        oldest_first = list(reversed(keys))  # itsdangerous signs with the last one
        self._keys = {key_id(key): key for key in keys}
        self._newest = key_id(keys[0])
        self._embed = _serializer(oldest_first, "embed-token.v1")
        self._connect = _serializer(oldest_first, "connect-token.v1")
        self._state = _serializer(oldest_first, "connect-state.v1")
        self._result = _serializer(oldest_first, "connect-result.v1")

    @property
    def newest_key_id(self) -> str:
        """Name the signing key and tell nothing of it; kept with a session, so that its URLs can be derived again."""
        return self._newest

    def embed_token(self, token: PageToken, kid: str) -> str:
        """Derive the embed URL's token: the same arguments give the same token, so that it need not be stored."""
        return self._derive(self._embed, "embed-token.v1", token, kid)

    def connect_token(self, token: PageToken, kid: str) -> str:
        """Derive the redirect URL's token; it opens nothing at the embed route, nor the other way round."""
        return self._derive(self._connect, "connect-token.v1", token, kid)

    def read_embed_token(self, token: str) -> PageToken:
        """Raise NotFound for everything that we did not sign as an embed token."""
        return _page_token(self._embed, token)

    def read_connect_token(self, token: str) -> PageToken:
        """Raise NotFound for everything that we did not sign as a redirect token."""
        return _page_token(self._connect, token)

    def state(self, state: CallbackState) -> str:
        """Sign the way back of one page of one user's session."""
        return self._state.dumps([state.session_id, _user_digest(state.user_id), state.page_serial])

    def read_state(self, state: str) -> ReadState:
        """Raise BadState for everything that we did not sign as a state. Whether it is too old, the row decides."""
        values = _loads(self._state, state)
        if not _shaped(values, (str, str, int)):
            raise BadState
        return ReadState(SessionId(values[0]), values[1], values[2])

    def result(self, result: Result) -> str:
        """Sign the outcome for the host's backend, valid for `RESULT_SECONDS`."""
        user = _user_digest(result.user_id)
        return self._result.dumps(
            [result.session_id, result.tenant, user, result.status, result.connection_id or "", result.at]
        )

    def read_result(self, result: str, tenant: Tenant, user_id: UserId, now: float) -> Result:
        """Raise BadState unless it was signed for this tenant and user within the last ten minutes.

        Mallory may hand in Ada's result as her own: the digest of its user is inside, so it fails for her.
        """
        values = _loads(self._result, result)
        if not _shaped(values, (str, str, str, str, str, int)):
            raise BadState
        session_id, owner, user, status, connection_id, at = values
        if owner != tenant or not hmac.compare_digest(user, _user_digest(user_id)):
            raise BadState("This result was made for another user")
        if not at - 60 <= now <= at + RESULT_SECONDS:
            raise BadState("This result is too old; read the session instead")
        return Result(SessionId(session_id), tenant, user_id, status, connection_id or None, at)

    def _derive(self, serializer: URLSafeSerializer, salt: str, token: PageToken, kid: str) -> str:
        values = [token.session_id, token.serial, token.issued_at]
        if kid == self._newest or kid not in self._keys:
            return serializer.dumps(values)
        return _serializer(self._keys[kid], salt).dumps(values)


class _Plain(URLSafeSerializer):
    """What we sign is short: trying to compress it took longer than signing it, and made nothing shorter."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


def _serializer(keys: str | list[str], salt: str) -> URLSafeSerializer:
    return _Plain(keys, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})


def key_id(key: str) -> str:
    """Eight hex digits that name a key; a hash with its own prefix, so that it cannot serve as anything else."""
    return hashlib.sha256(b"key-id.v1:" + key.encode()).hexdigest()[:8]


def digest(secret: str) -> str:
    """The stored form of a page key or an API key: those are random and long, so a plain hash is enough."""
    return hashlib.sha256(b"stored.v1:" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def _user_digest(user_id: str) -> str:
    # States and results travel in addresses: the host's user id has no business there.
    return hashlib.sha256(b"user.v1:" + user_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _page_token(serializer: URLSafeSerializer, token: str) -> PageToken:
    values = _loads(serializer, token)
    if not _shaped(values, (str, int, int)):
        raise NotFound("This link is not known here")
    return PageToken(SessionId(values[0]), values[1], values[2])


def _loads(serializer: URLSafeSerializer, text: str) -> Any:
    if len(text) > _MAX_LENGTH or not _canonical(text):
        return None
    try:
        return serializer.loads(text)
    except (BadData, ValueError):  # BadData covers signatures; ValueError is what odd bytes raise before them
        return None


def _canonical(text: str) -> bool:
    """Base64 leaves spare bits in its last letter: the same signature must not be spelled in a second way."""
    signature = text.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)) == signature.encode()
    except (BadData, ValueError):
        return False


def _shaped(values: Any, types: tuple[type, ...]) -> bool:
    return (
        isinstance(values, list)
        and len(values) == len(types)
        and all(type(value) is kind for value, kind in zip(values, types, strict=True))
    )
