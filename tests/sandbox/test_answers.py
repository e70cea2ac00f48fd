"""Any body is an object or one refusal."""

import json

from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from service.sandbox.wire.answers import parse_object


@given(st.binary() | st.text().map(lambda text: json.dumps({"name": text}).encode()))
def test_a_body_is_read_or_refused_and_both_can_be_stored(raw: bytes) -> None:
    try:
        assert JSONResponse(parse_object(raw)).body
    except HTTPException as refused:
        assert (refused.status_code, bool(JSONResponse(refused.detail).body)) == (400, True)  # noqa: PT017 - either is right
