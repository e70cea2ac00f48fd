"""One text of each kind that the service signs, and who reads it: the tests of signing change them in every way."""

import base64
import random
import string
import zlib
from collections.abc import Callable, Mapping

from service.domain.model import SessionId, Tenant, UserId, UserRef
from service.domain.tokens import CallbackState, HandoffToken, PageToken, SessionResult, StatusToken
from service.errors import BadState, NotFound
from service.signing import Signer

OLD, NEW, FOREIGN = "o" * 32, "n" * 32, "f" * 32
SIGNER = Signer([NEW, OLD])
ADA, TENANT = UserId("ada"), Tenant("default")
TOKEN = PageToken(SessionId("ses_0123456789abcdef"), 1, 1_800_000_000)
STATE = CallbackState(TOKEN.session_id, ADA, 2)
AT = 1_800_000_000
RESULT = SessionResult(TOKEN.session_id, TENANT, ADA, "connected", "connection-1", AT)
STATUS = StatusToken(TENANT, UserRef("usr_0123456789abcdef"), "https://app.example.com", AT)
HANDOFF = HandoffToken(TOKEN.session_id, "nonce-of-16-bytes", AT)
KID = SIGNER.newest_key_id

EMBED = SIGNER.embed_token(TOKEN, KID)
CONNECT = SIGNER.connect_token(TOKEN, KID)
WAY_BACK = SIGNER.sign_state(STATE)
READ = SIGNER.read_state(WAY_BACK)
OUTCOME = SIGNER.sign_result(RESULT)
OTHER_DEVICE = SIGNER.sign_handoff(HANDOFF)
STATUS_PAGE = SIGNER.sign_status_token(STATUS)

Read = Callable[[str], object]


def read_result(text: str, signer: Signer = SIGNER) -> SessionResult:
    return signer.read_result(text, TENANT, ADA, AT)


READERS: dict[str, tuple[Read, str, type[Exception]]] = {
    "embed": (SIGNER.read_embed_token, EMBED, NotFound),
    "connect": (SIGNER.read_connect_token, CONNECT, NotFound),
    "state": (SIGNER.read_state, WAY_BACK, BadState),
    "result": (read_result, OUTCOME, BadState),
    "status": (SIGNER.read_status_token, STATUS_PAGE, NotFound),
    "handoff": (SIGNER.read_handoff, OTHER_DEVICE, NotFound),
}
Readers = Mapping[str, tuple[Read, str, type[Exception]]]

ALPHABET = string.ascii_letters + string.digits + "-_.=~+/ \n\x00é\u2028\U0001f600"


def payload(text: str) -> bytes:
    """What anybody who sees the text can read in it."""
    packed = text.startswith(".")
    texts = text.lstrip(".").partition(".")[0]
    raw = base64.urlsafe_b64decode(texts + "=" * (-len(texts) % 4))
    return zlib.decompress(raw) if packed else raw


def refused(kind: str, text: str, readers: Readers = READERS) -> bool:
    """Whether it was refused, in the one way that is documented."""
    read, good, refusal = readers[kind]
    if text == good:
        return True
    try:
        read(text)
    except Exception as exc:  # noqa: BLE001 - whatever else it raises is no refusal
        return type(exc) is refusal
    return False


def mutated(text: str, rng: random.Random) -> str:
    at, kind = rng.randrange(len(text)), rng.randrange(6)
    if kind == 0:
        return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + rng.choice(ALPHABET) + text[at:]
    if kind == 3:
        return text[:at]
    if kind == 4:
        return text + "".join(rng.choices(ALPHABET, k=rng.randint(1, 4)))
    other = rng.randrange(len(text))
    texts = list(text)
    texts[at], texts[other] = texts[other], texts[at]
    return "".join(texts)
