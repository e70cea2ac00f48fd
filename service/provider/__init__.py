"""The adapter to the provider: outgoing calls to its API, and the parsing of its webhooks. No database, no decision.

It takes and returns domain values, and raises only ProviderFailure (calls) and BadWebhook (webhooks).
"""

from service.provider.client import Provider
from service.provider.links import InvitationTerms, Redirect
from service.provider.transport import CallLimits, ProviderAccount, UnreadableItem

__all__ = ["CallLimits", "InvitationTerms", "Provider", "ProviderAccount", "Redirect", "UnreadableItem"]
