"""The demo's sample customers: three people, two companies, their buildings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoSite:
    """A building, with the demo's own id."""

    external_id: str
    name: str
    address: str


@dataclass(frozen=True)
class DemoCompany:
    """A customer company."""

    external_id: str
    name: str
    sites: tuple[DemoSite, ...]


@dataclass(frozen=True)
class DemoPerson:
    """A person who can sign in."""

    id: str
    name: str
    title: str
    company: DemoCompany

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split())


ACME = DemoCompany(
    external_id="acme",
    name="Acme Ltd",
    sites=(
        DemoSite("hq", "Headquarters", "123 Main St, San Francisco, CA 94105"),
        DemoSite("warehouse", "Warehouse", "2200 Cesar Chavez St, San Francisco, CA 94124"),
    ),
)
INITECH = DemoCompany(
    external_id="initech",
    name="Initech",
    sites=(
        DemoSite("hq", "Headquarters", "4120 Freidrich Ln, Austin, TX 78744"),
        DemoSite("warehouse", "Warehouse", "900 Industrial Blvd, Austin, TX 78745"),
    ),
)
PEOPLE = {
    person.id: person
    for person in (
        DemoPerson("ada", "Ada Byron", "Sustainability lead", ACME),
        DemoPerson("bob", "Bob Fisher", "Facilities", ACME),
        DemoPerson("mallory", "Mallory Reed", "Operations", INITECH),
    )
}
