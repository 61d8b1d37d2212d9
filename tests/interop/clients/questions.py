"""A client asks its server, and another client, what they are and can do."""

from datetime import datetime, timedelta, timezone

from slixmpp.exceptions import IqError

from person import HOST, Person, play

PLUGINS = ("xep_0030", "xep_0092", "xep_0115", "xep_0199", "xep_0202")


def curious(name):
    person = Person(name)
    for plugin in PLUGINS:
        person.register_plugin(plugin)
    return person


async def refused(request):
    try:
        await request
    except IqError as error:
        return error.condition
    raise AssertionError("not refused")


async def scene():
    romeo, juliet = await curious("romeo").log_in(), await curious("juliet").log_in()
    await romeo.plugin["xep_0115"].update_caps()

    info = (await romeo.plugin["xep_0030"].get_info(HOST))["disco_info"]
    identities = {(category, kind) for category, kind, _, _ in info["identities"]}
    assert ("server", "im") in identities, identities
    features = set(info["features"])
    for feature in (
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "jabber:iq:version",
        "urn:xmpp:ping",
        "urn:xmpp:time",
        "msgoffline",
    ):
        assert feature in features, features
    own = (await romeo.plugin["xep_0030"].get_info(romeo.boundjid.bare))["disco_info"]
    identities = {(category, kind) for category, kind, _, _ in own["identities"]}
    assert ("account", "registered") in identities, identities
    items = await romeo.plugin["xep_0030"].get_items(HOST)
    assert items["type"] == "result", items

    assert await romeo.plugin["xep_0199"].ping(HOST) < 10
    assert await romeo.plugin["xep_0199"].ping(juliet.boundjid) < 10

    version = (await romeo.plugin["xep_0092"].get_version(HOST))["software_version"]
    assert version["name"] == "Rookery" and version["version"], version

    # slixmpp 1.17 cannot read the time that it has asked for: it adds the Z that XEP-0082 demands.
    answer = await romeo.plugin["xep_0202"].get_entity_time(HOST)
    time = datetime.fromisoformat(answer.xml.find(".//{urn:xmpp:time}utc").text)
    assert abs(time - datetime.now(timezone.utc)) < timedelta(seconds=60), time

    # What only the other client can answer reaches it, and its answer comes back.
    theirs = (await romeo.plugin["xep_0092"].get_version(juliet.boundjid))["software_version"]
    assert theirs["name"] == "Slixmpp", theirs

    nobody = romeo.plugin["xep_0199"].send_ping(f"nobody@{HOST}/nowhere", timeout=20)
    assert await refused(nobody) == "service-unavailable"
    elsewhere = romeo.plugin["xep_0199"].send_ping("elsewhere.example", timeout=20)
    assert await refused(elsewhere) in ("remote-server-not-found", "service-unavailable")
    await romeo.log_out()
    await juliet.log_out()


play(scene)
