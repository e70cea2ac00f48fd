"""The provider's API as verbs: `Provider` speaks in nouns and raises only ProviderFailure.

The verbs stand in client.py (companies, connections, data) and handoffs.py (magic links, invitations), each beside the
shapes of the answers that it reads; answers.py reads one object or a whole list, wire.py makes one call.
"""

from service.provider.client import FoundCompany, FoundSite, Provider
from service.provider.handoffs import Redirect, Terms
from service.provider.wire import Account, Pace

__all__ = ["Account", "FoundCompany", "FoundSite", "Pace", "Provider", "Redirect", "Terms"]
