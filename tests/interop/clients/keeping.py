"""What the server keeps for people: whom they block, their vCard and its photo, private data, when they left."""

import hashlib
import sys
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks

from person import HOST, PATIENCE, Person, play

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
PLUGINS = ("xep_0012", "xep_0030", "xep_0048", "xep_0049", "xep_0054", "xep_0153", "xep_0191")


def able(name, resource="", plugins=PLUGINS):
    person = Person(name, resource)
    for plugin in plugins:
        person.register_plugin(plugin)
    person.add_event_handler("blocked", person._note("blocked"))
    person.add_event_handler("unblocked", person._note("unblocked"))
    person.add_event_handler("message_error", person._note("message_error"))
    return person


async def refused(request):
    try:
        await request
    except IqError as error:
        return error.condition
    raise AssertionError("not refused")


async def befriend(one, other):
    for this, that in ((one, other), (other, one)):
        this.send_presence_subscription(that.boundjid.bare)
        await that.until("presence", lambda it: it["type"] == "subscribe")
        that.send_presence_subscription(this.boundjid.bare, ptype="subscribed")
        await this.see(that.boundjid)


async def blocking():
    romeo = await able("romeo").log_in()
    juliet, phone = await able("juliet", "desk").log_in(), await able("juliet", "phone").log_in()
    await befriend(romeo, juliet)
    assert await phone.plugin["xep_0191"].get_blocked_jids() == set()

    await juliet.plugin["xep_0191"].block([ROMEO, "spam.example"])
    pushed = await phone.until("blocked")
    assert {str(item["jid"]) for item in pushed["block"]} == {ROMEO, "spam.example"}, pushed
    assert await juliet.plugin["xep_0191"].get_blocked_jids() == {ROMEO, "spam.example"}
    await romeo.see(juliet.boundjid, "unavailable")

    romeo.tell(JULIET, "Can you hear me?")
    error = await romeo.until("message_error", lambda it: it["from"] == JULIET)
    assert error["error"]["condition"] == "service-unavailable", error
    juliet.tell(ROMEO, "I do not hear you.")
    error = await juliet.until("message_error")
    assert error["error"]["condition"] == "not-acceptable", error
    assert error.xml.find(".//{urn:xmpp:blocking:errors}blocked") is not None, error

    await juliet.plugin["xep_0191"].unblock([ROMEO])
    await phone.until("unblocked")
    await romeo.see(juliet.boundjid)
    romeo.tell(juliet.boundjid, "And now?")
    await juliet.hear("And now?")
    for person in (romeo, juliet, phone):
        await person.log_out()


async def vcards():
    romeo, juliet = await able("romeo").log_in(), await able("juliet").log_in()
    await befriend(romeo, juliet)
    romeos = romeo.plugin["xep_0054"]
    assert await refused(romeos.get_vcard(JULIET)) == "service-unavailable"
    assert await refused(romeos.get_vcard("nobody@localhost")) == "service-unavailable"

    vcard = juliet.plugin["xep_0054"].make_vcard()
    vcard["FN"] = "Juliet Capulet"
    await juliet.plugin["xep_0054"].publish_vcard(vcard, jid=JULIET)
    await juliet.plugin["xep_0153"].set_avatar(avatar=PHOTO, mtype="image/png")
    hash_ = hashlib.sha1(PHOTO).hexdigest()

    def shows(presence):
        return presence["from"].bare == JULIET and presence["vcard_temp_update"]["photo"] == hash_

    await romeo.until("presence", shows)
    await juliet.log_out()
    got = (await romeos.get_vcard(JULIET))["vcard_temp"]
    assert got["FN"] == "Juliet Capulet" and got["PHOTO"]["BINVAL"] == PHOTO, got

    # A client that knows nothing of avatars shows the photo, too.
    plain = await able("juliet", plugins=()).log_in()
    await romeo.until("presence", shows)
    assert await refused(romeos.publish_vcard(vcard, jid=JULIET)) == "forbidden"
    await plain.log_out()
    await romeo.log_out()


async def private_data():
    juliet = await able("juliet").log_in()
    bookmarks = Bookmarks()
    bookmarks.add_conference("council@conference.localhost", "Puck", name="Council", autojoin=False)
    await juliet.plugin["xep_0049"].store(bookmarks)
    await juliet.log_out()

    juliet = await able("juliet").log_in()
    got = await juliet.plugin["xep_0049"].retrieve("bookmarks")
    rooms = got["private"]["bookmarks"]["conferences"]
    assert [str(room["jid"]) for room in rooms] == ["council@conference.localhost"], got
    assert rooms[0]["nick"] == "Puck", got

    romeo = await able("romeo").log_in()
    spying = romeo.make_iq_get(ito=JULIET)
    stored = "<storage xmlns='storage:bookmarks'/>"
    spying.append(ET.fromstring(f"<query xmlns='jabber:iq:private'>{stored}</query>"))
    assert await refused(spying.send()) == "service-unavailable"
    await juliet.log_out()
    await romeo.log_out()


async def leaving():
    romeo, juliet = await able("romeo").log_in(), await able("juliet").log_in()
    lasts = romeo.plugin["xep_0012"]
    assert await refused(lasts.get_last_activity(JULIET)) == "forbidden"
    await befriend(romeo, juliet)

    async def last(jid):
        return (await lasts.get_last_activity(jid))["last_activity"]

    assert 0 <= (await last(HOST))["seconds"] < 3 * PATIENCE
    assert (await last(JULIET))["seconds"] == 0
    juliet.send_presence(ptype="unavailable", pstatus="Heading Home")
    await romeo.see(juliet.boundjid, "unavailable")
    await juliet.log_out()
    told = await last(JULIET)
    assert told["status"] == "Heading Home" and told["seconds"] < PATIENCE, told
    await romeo.log_out()


SCENES = (blocking, vcards, private_data, leaving)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
