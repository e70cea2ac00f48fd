"""Checks answers against our own OpenAPI document, and records which operations were answered."""

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

from service.web.api.problems import MEDIA_TYPE
from tests.support.services import API_KEY, AppTransport, RunningServices

Json = dict[str, Any]


class Description:
    """`answered` holds "operationId status", `refused` holds "operationId code"."""

    def __init__(self, spec: Json) -> None:
        self._spec = spec
        self.answered: set[str] = set()
        self.refused: set[str] = set()

    def check(self, request: httpx.Request, answer: httpx.Response) -> None:
        """Fail unless the answer is one that the document promises for this call."""
        operation = self._operation(request)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if operation is None:
            assert (kind, answer.json()["code"]) in {(MEDIA_TYPE, "not_found"), (MEDIA_TYPE, "method_not_allowed")}
            self.validate({"$ref": "#/components/schemas/Problem"}, answer.json())
            return
        shown = f"{request.method} {request.url.path} answered {answer.status_code} {kind}: {answer.text[:300]}"
        assert str(answer.status_code) in operation["responses"], shown
        self._content(operation, answer, kind, shown)
        described = operation["responses"][str(answer.status_code)].get("headers", {})
        assert not {name for name in described if name not in answer.headers}, f"{shown} {dict(answer.headers)}"
        self.answered.add(f"{operation['operationId']} {answer.status_code}")

    def _content(self, operation: Json, answer: httpx.Response, kind: str, shown: str) -> None:
        content = operation["responses"][str(answer.status_code)].get("content", {})
        assert kind in content or (not kind and not content), shown
        if kind.endswith("json"):
            self.validate(content[kind].get("schema", {}), answer.json())
        if kind == MEDIA_TYPE:
            self.refused.add(f"{operation['operationId']} {answer.json()['code']}")

    def validate(self, schema: Json, value: Any) -> None:
        """Fail unless the value is valid against the schema, which may refer to components of the document."""
        rooted = schema | {"components": self._spec["components"]}
        Draft202012Validator(rooted, format_checker=FormatChecker()).validate(value)

    def _operation(self, request: httpx.Request) -> Json | None:
        for path, methods in self._spec["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            if re.fullmatch(pattern, request.url.path) and request.method.lower() in methods:
                found: Json = methods[request.method.lower()]
                return found
        return None


class CheckedTransport(AppTransport):
    """A transport to the service that checks every answer."""

    def __init__(self, description: Description) -> None:
        super().__init__()
        self._description = description

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        streamed = await super().handle_async_request(request)
        answer = httpx.Response(streamed.status_code, headers=streamed.headers, content=await streamed.aread())
        self._description.check(request, answer)
        return answer


class CheckedServices(RunningServices):
    """Running services; an answer that the document does not promise fails the test."""

    def __init__(self, description: Description, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._webhooks = self.transport
        self.transport = CheckedTransport(description)
        self.host = self.backend(API_KEY)

    async def open(self) -> None:
        await super().open()
        self._webhooks.app = self.transport.app
