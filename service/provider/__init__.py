"""The adapter to the provider: outgoing calls to its API, and the parsing of its webhooks. No database, no decision.

It takes and returns domain values, and raises only ProviderFailure (calls) and BadWebhook (webhooks).
"""

from service.provider.account import CallLimits, ProviderAccount, UnreadableItem, account_of
from service.provider.client import Provider
from service.provider.links import InvitationTerms, Redirect
from service.provider.outages import cause_of

__all__ = [
    "CallLimits",
    "InvitationTerms",
    "Provider",
    "ProviderAccount",
    "Redirect",
    "UnreadableItem",
    "account_of",
    "cause_of",
]
