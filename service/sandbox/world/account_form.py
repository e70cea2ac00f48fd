"""What someone enters about a utility account, and the checks of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import UTILITY_TYPES
from service.sandbox.wire.errors import InvalidFields
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import SITES_MOST

CHECKS: dict[str, fields.Check] = {
    "url": fields.web_url,
    "username": fields.text(1, 255),
    "password": fields.secret,
    "sites": fields.listing(fields.uuid, 100),
    "country": fields.country,
    "initialDatasourceTypes": fields.listing(fields.choice(UTILITY_TYPES), len(UTILITY_TYPES)),
    "workflowOwnerEmail": fields.nullable(fields.email),
    "dataCollectionStartDate": fields.nullable(fields.iso_day),
    "multiplyByOccupancy": fields.boolean,
    "externalId": fields.nullable(fields.text(0, 255)),
}


@dataclass(frozen=True)
class Submission:
    """What someone entered about a utility account; the password is checked and not stored."""

    url: str
    username: str
    password: str
    sites: tuple[str, ...]
    country: str = "US"
    types: tuple[str, ...] = ()
    owner_email: str | None = None
    start_date: str | None = None
    multiply_by_occupancy: bool = False
    external_id: str | None = None
    custom_name: str = ""
    given: frozenset[str] = frozenset()
    """The challenges, by their troubles, that the person has answered on the page."""
    mfa_address: str = ""
    refused: bool = False
    """Whether the page has seen the utility refuse the password, so that no further check is needed."""


def read_submission(body: Mapping[str, Any], *, sites_later: bool = False) -> Submission:
    """Check the JSON-named fields of an API body or a form; raises `InvalidFields` naming each wrong one.

    `sites_later` is for pages that ask for the sites after the sign-in, and send them with an edit.
    """
    required = ("url", "username", "password") if sites_later else ("url", "username", "password", "sites")
    return _submission({"sites": [], **fields.read(body, CHECKS, required)}, sites_later=sites_later)


def read_edit(connection: SandboxConnection, body: Mapping[str, Any]) -> Submission:
    """Check the fields of an edit: what is absent stays, and without a password the credentials are not checked."""
    # A form sends an empty value for a field that the user did not change.
    sent = {name: value for name, value in body.items() if value not in ("", None)}
    values = fields.read(sent, CHECKS)
    kept = {
        "url": connection.url,
        "username": connection.username,
        "password": "",
        "sites": list(connection.sites),
        "country": connection.country,
        "initialDatasourceTypes": connection.types,
        "workflowOwnerEmail": connection.owner_email,
        "dataCollectionStartDate": connection.start_date,
        "multiplyByOccupancy": connection.multiply_by_occupancy,
        "externalId": connection.external_id,
        "customName": connection.custom_name,
        "mfaAddress": connection.mfa_address,
    }
    submission = _submission({**kept, **values}, sites_later=True)
    # Another account needs its own password: the sandbox does not store the old one.
    if not submission.password and (submission.url, submission.username) != (connection.url, connection.username):
        raise InvalidFields({"password": ["This field is required."]})
    return submission


def _submission(values: Mapping[str, Any], *, sites_later: bool = False) -> Submission:
    sites = values["sites"]
    if not sites and not sites_later:
        raise InvalidFields({"sites": ["This list may not be empty."]})
    if len(sites) > SITES_MOST:
        raise InvalidFields({"sites": [f"Ensure this field has no more than {SITES_MOST} elements."]})
    return Submission(
        url=values["url"],
        username=values["username"],
        password=values["password"],
        sites=tuple(sites),
        country=values.get("country", "US"),
        types=tuple(values.get("initialDatasourceTypes", ())),
        owner_email=values.get("workflowOwnerEmail"),
        start_date=values.get("dataCollectionStartDate"),
        multiply_by_occupancy=values.get("multiplyByOccupancy", False),
        external_id=values.get("externalId"),
        # Not among `CHECKS`, so that no API body sets them.
        custom_name=values.get("customName", ""),
        mfa_address=values.get("mfaAddress", ""),
    )
