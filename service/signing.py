"""Signs and verifies page tokens, callback states, session results and the tokens of status pages.

Each purpose has its own salt, so a text signed for one purpose fails for every other; the salt ends in a version. Keys
are a list: the newest signs, all verify. A signature only shows that a text was made here: whether a session may go on
is decided by its row in the database.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import itsdangerous
from itsdangerous import BadData, Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode, want_bytes

from service.domain.model import SessionId, Tenant, UserId, UserRef
from service.domain.timing import RESULT_SECONDS
from service.domain.tokens import (
    CallbackState,
    HandoffToken,
    PageToken,
    ReadState,
    SessionResult,
    StatusToken,
    key_id,
    user_digest,
)
from service.errors import BadState, NotFound, ResultOfAnotherUser

_MAX_LENGTH = 2048


class Signer:
    """Signs and verifies with one list of keys, newest first, as in the settings."""

    def __init__(self, keys: Sequence[str]) -> None:
        oldest_first = list(reversed(keys))  # itsdangerous signs with the last one
        self._keys = {key_id(key): key for key in keys}
        self._newest = key_id(keys[0])
        # A salt per purpose: a user who holds a token of one purpose cannot present it for another.
        self._embed = _Plain(oldest_first, "embed-token.v1")
        self._connect = _Plain(oldest_first, "connect-token.v1")
        self._state = _Plain(oldest_first, "connect-state.v1")
        self._result = _Plain(oldest_first, "connect-result.v1")
        self._status = _Plain(oldest_first, "user-status.v1")
        self._handoff = _Plain(oldest_first, "handoff-token.v1")

    @property
    def newest_key_id(self) -> str:
        """Return the id of the signing key, which is stored with a session so that its URLs can be derived again."""
        return self._newest

    def embed_token(self, token: PageToken, kid: str) -> str:
        """Derive the embed URL's token. The same arguments give the same token, so it is not stored.

        `kid` is the `newest_key_id` that was stored with the session.
        """
        return self._derive(self._embed, "embed-token.v1", token, kid)

    def connect_token(self, token: PageToken, kid: str) -> str:
        """Derive the redirect URL's token. Neither of the two routes accepts a token of the other."""
        return self._derive(self._connect, "connect-token.v1", token, kid)

    def read_embed_token(self, token: str) -> PageToken:
        """Return what an embed token carries. Raises NotFound for any text that was not signed as one."""
        return _page_token(self._embed, token)

    def read_connect_token(self, token: str) -> PageToken:
        """Return what a redirect token carries. Raises NotFound for any text that was not signed as one."""
        return _page_token(self._connect, token)

    def sign_state(self, state: CallbackState) -> str:
        """Sign the state that travels through the provider and back to the callback."""
        return self._state.dumps([state.session_id, user_digest(state.user_id), state.page_serial])

    def read_state(self, state: str) -> ReadState:
        """Return what a state carries. Raises BadState for any text that was not signed as one.

        A state has no lifetime: the session's row decides whether it is still good.
        """
        values = _loads(self._state, state)
        if not _has_types(values, (str, str, int)):
            raise BadState
        return ReadState(SessionId(values[0]), values[1], values[2])

    def sign_result(self, result: SessionResult) -> str:
        """Sign the result that the browser carries to the host's backend, valid for RESULT_SECONDS."""
        user = user_digest(result.user_id)
        return self._result.dumps(
            [result.session_id, result.tenant, user, result.status, result.connection_id or "", result.at]
        )

    def read_result(self, result: str, tenant: Tenant, user_id: UserId, now: float) -> SessionResult:
        """Return what a result carries. Raises BadState unless it was signed for this tenant and user, and recently.

        A result contains a digest of its user, so a user cannot present another user's result. Within one tenant that
        raises ResultOfAnotherUser, whatever the result's age.
        """
        values = _loads(self._result, result)
        if not _has_types(values, (str, str, str, str, str, int)):
            raise BadState
        session_id, owner, user, status, connection_id, at = values
        if owner != tenant:
            raise BadState("This result was made for another user")
        if not hmac.compare_digest(user, user_digest(user_id)):
            raise ResultOfAnotherUser(session_id)
        # From a minute before `at`, since the clock of the process that signed it may be ahead.
        if not at - 60 <= now <= at + RESULT_SECONDS:
            raise BadState("This result is too old; read the session instead")
        return SessionResult(SessionId(session_id), tenant, user_id, status, connection_id or None, at)

    def sign_status_token(self, token: StatusToken) -> str:
        """Sign the token of a status page. It names its user by the row's random id, never by the host's."""
        return self._status.dumps([token.tenant, token.user, token.origin, token.issued_at])

    def read_status_token(self, token: str) -> StatusToken:
        """Return what a status page's token carries; the caller checks its time.

        Raises NotFound for any text that was not signed as one.
        """
        values = _loads(self._status, token)
        if not _has_types(values, (str, str, str, int)):
            raise NotFound("This link is not known here")
        return StatusToken(Tenant(values[0]), UserRef(values[1]), values[2], values[3])

    def sign_handoff(self, token: HandoffToken) -> str:
        """Sign the token of an offer to continue on another device."""
        return self._handoff.dumps([token.session_id, token.nonce, token.issued_at])

    def read_handoff(self, token: str) -> HandoffToken:
        """Return what the token of an offer carries; the caller checks its time. Raises NotFound for any other text."""
        values = _loads(self._handoff, token)
        if not _has_types(values, (str, str, int)):
            raise NotFound("This link is not known here")
        return HandoffToken(SessionId(values[0]), values[1], values[2])

    def handoff_code(self, token: HandoffToken) -> str:
        """Derive the six digits that belong to the address. They are not in it, and are stored nowhere."""
        return _code(self._keys[self._newest], token)

    def is_handoff_code(self, token: HandoffToken, given: str) -> bool:
        """Whether these are the digits, made with any of the keys."""
        text = given.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(_code(key, token).encode(), text) for key in self._keys.values())

    def _derive(self, serializer: URLSafeSerializer, salt: str, token: PageToken, kid: str) -> str:
        values = [token.session_id, token.serial, token.issued_at]
        # A key that was removed cannot derive the old token: the newest gives a new one, and the old fails to verify.
        if kid == self._newest or kid not in self._keys:
            return serializer.dumps(values)
        return _Plain(self._keys[kid], salt).dumps(values)


class _KnownKeys(itsdangerous.Signer):
    """A signer that derives its keys once. Deriving them for each text took as long as verifying it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._derived = {key: super(_KnownKeys, self).derive_key(key) for key in self.secret_keys}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        return self._derived[self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)]


class _Plain(URLSafeSerializer):
    """A serializer without compression: texts are short, so compressing took longer than signing and saved nothing."""

    def __init__(self, keys: str | list[str], salt: str) -> None:
        super().__init__(keys, salt=salt)
        self._known = _KnownKeys(self.secret_keys, salt=salt, digest_method=hashlib.sha256)

    def make_signer(self, _salt: str | bytes | None = None) -> itsdangerous.Signer:
        return self._known

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


def _code(key: str, token: HandoffToken) -> str:
    # The text begins with its purpose, like a salt. So no text that is signed for another purpose reveals a code.
    text = f"handoff-code.v1:{token.session_id}:{token.nonce}:{token.issued_at}"
    number = int.from_bytes(hmac.digest(key.encode(), text.encode(), "sha256")[:8], "big")
    return f"{number % 1_000_000:06d}"


def _page_token(serializer: URLSafeSerializer, token: str) -> PageToken:
    values = _loads(serializer, token)
    if not _has_types(values, (str, int, int)):
        raise NotFound("This link is not known here")
    return PageToken(SessionId(values[0]), values[1], values[2])


def _loads(serializer: URLSafeSerializer, text: str) -> Any:
    if len(text) > _MAX_LENGTH or not _is_canonical(text):
        return None
    try:
        return serializer.loads(text)
    except (BadData, ValueError):
        return None


def _is_canonical(text: str) -> bool:
    # Reference: RFC 4648, 3.5: base64 has spare bits in its last character, so one signature has several spellings.
    signature = text.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)) == signature.encode()
    except (BadData, ValueError):
        return False


def _has_types(values: Any, types: tuple[type, ...]) -> bool:
    # type() and not isinstance: True is an int to Python, and JSON has booleans.
    return (
        isinstance(values, list)
        and len(values) == len(types)
        and all(type(value) is kind for value, kind in zip(values, types, strict=True))
    )
