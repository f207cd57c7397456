"""The contacts of a vault: set, show, delete."""

from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire import View
from certworker.api.wire_certificates import CERTIFICATES
from certworker.vault.vaults import Contact


class ContactBody(Body):
    """One of `contacts`."""

    email: Text
    name: Text | None = None
    phone: Text | None = None


class ContactsBody(Body):
    """What sets contacts."""

    contacts: tuple[ContactBody, ...]


async def show(call: Call) -> Response:
    """GET /certificates/contacts."""
    return answer(contacts_wire(call.view, await call.run(call.house.contacts.get)))


async def set_(call: Call) -> Response:
    """PUT /certificates/contacts."""
    body = await call.body(ContactsBody)
    contacts = tuple(Contact(sent.email, sent.name, sent.phone) for sent in body.contacts)
    return answer(contacts_wire(call.view, await call.run(call.house.contacts.set, contacts)))


async def delete(call: Call) -> Response:
    """DELETE /certificates/contacts: answers with what was deleted."""
    return answer(contacts_wire(call.view, await call.run(call.house.contacts.delete)))


def contacts_wire(view: View, contacts: tuple[Contact, ...]) -> dict[str, Any]:
    """Show contacts; what one does not have is left out."""
    shown = ({"email": one.email, "name": one.name, "phone": one.phone} for one in contacts)
    listed = [{field: value for field, value in one.items() if value is not None} for one in shown]
    return {"id": view.id(CERTIFICATES, "contacts"), "contacts": listed}


ROUTES = (
    route("GET", "/certificates/contacts", show),
    route("PUT", "/certificates/contacts", set_),
    route("DELETE", "/certificates/contacts", delete),
)
