"""The provider's API: outgoing calls, its webhooks' signatures and bodies, and what its refusals mean.

It speaks in domain values and raises only ProviderFailure (calls) and BadWebhook (webhooks). It reads no database.
"""

from service.provider.client import Provider
from service.provider.links import InvitationTerms, Redirect
from service.provider.transport import CallLimits, ProviderAccount

__all__ = ["CallLimits", "InvitationTerms", "Provider", "ProviderAccount", "Redirect"]
