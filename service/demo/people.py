"""The customers of this product: three people, two companies, their buildings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """A building, under the name that our own records give it."""

    external_id: str
    name: str
    address: str


@dataclass(frozen=True)
class Company:
    """A customer."""

    external_id: str
    name: str
    sites: tuple[Site, ...]


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    id: str
    name: str
    title: str
    company: Company

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split())


ACME = Company(
    external_id="acme",
    name="Acme Ltd",
    sites=(
        Site("hq", "Headquarters", "123 Main St, San Francisco, CA 94105"),
        Site("warehouse", "Warehouse", "2200 Cesar Chavez St, San Francisco, CA 94124"),
    ),
)
INITECH = Company(
    external_id="initech",
    name="Initech",
    sites=(
        Site("hq", "Headquarters", "4120 Freidrich Ln, Austin, TX 78744"),
        Site("warehouse", "Warehouse", "900 Industrial Blvd, Austin, TX 78745"),
    ),
)
PEOPLE = {
    person.id: person
    for person in (
        Person("ada", "Ada Byron", "Sustainability lead", ACME),
        Person("bob", "Bob Fisher", "Facilities", ACME),
        Person("mallory", "Mallory Reed", "Operations", INITECH),
    )
}
