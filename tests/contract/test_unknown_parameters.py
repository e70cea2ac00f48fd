"""Every call of `/v1` refuses a parameter that it does not know, and its description says so."""

from service.web.docs.openapi import document
from tests.support.api_description import CheckedServices
from tests.support.services import refused

SPEC = document("https://link.example.com")
CALLS = [
    (method.upper(), path) for path, methods in SPEC["paths"].items() for method in methods if path.startswith("/v1/")
]


def called(method: str, path: str) -> str:
    """The path with the id that its description has as an example."""
    references = [one["$ref"].rpartition("/")[2] for one in SPEC["paths"][path][method.lower()].get("parameters", ())]
    parameters = [SPEC["components"]["parameters"][name] for name in references]
    return path.replace("{id}", next((one["example"] for one in parameters if one["in"] == "path"), ""))


async def test_an_unknown_parameter_is_refused_as_every_call_describes_it(described: CheckedServices) -> None:
    for method, path in CALLS:
        body: dict[str, str] | None = {} if method in {"POST", "PATCH"} else None
        answer = await described.host.request(method, f"{called(method, path)}?unknown=1", json=body)
        refused(answer, 422, "invalid_request", "/unknown")
