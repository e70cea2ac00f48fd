"""The bodies of `/v1/webhook-endpoints`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError

from service.domain.event_types import event_names
from service.errors import InvalidRequest, Problem
from service.usecases.webhooks_out import EndpointRequest
from service.web.api.field_types import Url, Uuid
from service.web.request_body import PRINTABLE_OR_EMPTY, Body

_MOST_TYPES = 100
Description = Annotated[str, StringConstraints(max_length=255, pattern=PRINTABLE_OR_EMPTY)]
TypeName = Annotated[str, StringConstraints(max_length=64)]
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class _EndpointFields(Body):
    description: Description | None = Field(default=None, description="For your people.")
    types: list[TypeName] | None = Field(
        default=None, max_length=_MOST_TYPES, description="The types of events that are delivered; none means all."
    )

    def _types(self) -> tuple[str, ...] | None:
        known = event_names()
        wrong = [i for i, name in enumerate(self.types or ()) if name not in known]
        if wrong:
            raise InvalidRequest([Problem(f"/types/{i}", "is not the type of an event") for i in wrong])
        return None if self.types is None else tuple(dict.fromkeys(self.types))


class CreateEndpoint(_EndpointFields):
    """The body of POST /v1/webhook-endpoints."""

    url: Url = Field(description="Where events are posted: https, at a public address.")
    company_id: Uuid | None = Field(default=None, description="Only this company's events: the provider's id.")

    def to_request(self) -> EndpointRequest:
        """Return the validated request. Raises InvalidRequest."""
        return EndpointRequest(self.url, self.description, self._types(), self.company_id)


class ChangeEndpoint(_EndpointFields):
    """The body of PATCH /v1/webhook-endpoints/{id}; a field that is absent stays as it is."""

    description: Description | None = Field(default=None, description="For your people. null: none.")
    types: list[TypeName] | None = Field(
        default=None,
        max_length=_MOST_TYPES,
        description="The types of events that are delivered; an empty list or null: all.",
    )
    url: Url | None = Field(default=None, description="Another origin gets a new secret at once. null: as it is.")
    company_id: Uuid | None = Field(default=None, description="null: the events of all companies.")
    status: Literal["enabled", "disabled"] | None = Field(
        default=None,
        description="`enabled` also after the service disabled it; what was pending goes on. null: as it is.",
    )

    def to_request(self) -> EndpointRequest:
        """Return the validated request. Raises InvalidRequest."""
        # At the creation null is the default of these three, so null must not leave here what was chosen then.
        emptied = {name for name in ("description", "types", "company_id") if self._is_null(name)}
        description = "" if "description" in emptied else self.description
        types = () if "types" in emptied else self._types()
        company = "" if "company_id" in emptied else self.company_id
        enabled = None if self.status is None else self.status == "enabled"
        return EndpointRequest(self.url, description, types, company, enabled)

    def _is_null(self, name: str) -> bool:
        return name in self.model_fields_set and getattr(self, name) is None


class ReplaySince(Body):
    """The body of POST /v1/webhook-endpoints/{id}/replay."""

    since: Annotated[str, StringConstraints(max_length=40)] = Field(
        description="RFC 3339 with a zone; events since then are delivered again.",
        json_schema_extra={"format": "date-time"},
    )

    def since_at(self) -> float:
        """Return the time in seconds since the epoch. Raises InvalidRequest."""
        try:
            return _TIME.validate_strings(self.since).timestamp()
        except (ValidationError, OverflowError, ValueError):
            raise InvalidRequest([Problem("/since", "must be a time such as 2027-01-15T08:00:00Z")]) from None
