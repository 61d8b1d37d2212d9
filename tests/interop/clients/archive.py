"""What was said is in the archive of each account, found page by page; and waits for whoever was away."""

import sys

from slixmpp.exceptions import IqError

from person import Person, play

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
PLUGINS = ("xep_0013", "xep_0030", "xep_0059", "xep_0313", "xep_0441")


def able(name, resource=""):
    person = Person(name, resource)
    for plugin in PLUGINS:
        person.register_plugin(plugin)
    return person


async def said(person, **filters):
    """The bodies in the archive that match, in their order."""
    found = person.plugin["xep_0313"].iterate(rsm={"max": 3}, **filters)
    return [it["mam_result"]["forwarded"]["stanza"]["body"] async for it in found]


async def pages():
    romeo, juliet = await able("romeo").log_in(), await able("juliet").log_in()
    info = await juliet.plugin["xep_0030"].get_info(JULIET)
    assert "urn:xmpp:mam:2#extended" in info["disco_info"]["features"], info

    lines = [f"line {number}" for number in range(10)]
    for line in lines:
        romeo.tell(juliet.boundjid, line)
        await juliet.hear(line)
    juliet.tell(JULIET, "to myself")
    await juliet.hear("to myself")

    assert await said(juliet) == [*lines, "to myself"]
    assert await said(juliet, with_jid=ROMEO) == lines
    assert await said(juliet, with_jid=JULIET) == ["to myself"]
    assert await said(juliet, reverse=True) == ["to myself", *reversed(lines)]
    assert await said(romeo) == lines

    fields = await juliet.plugin["xep_0313"].get_fields()
    assert {"with", "start", "end", "ids"} <= set(fields.get_fields()), fields
    metadata = await juliet.plugin["xep_0313"].get_archive_metadata()
    found = juliet.plugin["xep_0313"].iterate()
    ids = [it["mam_result"]["id"] async for it in found]
    ends = metadata["mam_metadata"]
    assert (ends["start"]["id"], ends["end"]["id"]) == (ids[0], ids[-1]), metadata

    try:
        await romeo.plugin["xep_0313"].retrieve(jid=JULIET)
    except IqError as error:
        assert error.condition == "forbidden", error
    else:
        raise AssertionError("somebody else reads the archive")
    await juliet.log_out()
    await romeo.log_out()


async def preferences():
    romeo, juliet = await able("romeo").log_in(), await able("juliet").log_in()
    wishes = juliet.plugin["xep_0441"]
    assert await wishes.get_preferences() == ("always", set(), set())
    await wishes.set_preferences(default="always", always=[], never=[ROMEO])
    assert await wishes.get_preferences() == ("always", set(), {ROMEO})
    romeo.tell(JULIET, "Between us.")
    await juliet.hear("Between us.")
    assert await said(juliet) == []
    assert await said(romeo) == ["Between us."]
    await juliet.log_out()
    await romeo.log_out()


async def flexible_offline():
    romeo = await able("romeo").log_in()
    lines = [f"line {number}" for number in range(3)]
    for line in lines:
        romeo.tell(JULIET, line)
    await romeo.log_out()

    juliet = await able("juliet").log_in(available=False)
    waiting = juliet.plugin["xep_0013"]

    async def count():
        value = ".//{jabber:x:data}field[@var='number_of_messages']/{jabber:x:data}value"
        return int((await waiting.get_count()).xml.find(value).text)

    async def bodies(request, *nodes):
        got = await request(*nodes, callback=lambda result: None)
        return [it["body"] for it in got["offline"]["results"]]

    assert await count() == len(lines)
    headers = (await waiting.get_headers())["disco_items"]["items"]
    nodes = sorted(node for (_, node, _) in headers)
    assert {name for (_, _, name) in headers} == {str(romeo.boundjid)}, headers
    juliet.send_presence()
    await juliet.see(juliet.boundjid)
    assert await bodies(waiting.view, nodes[1]) == [lines[1]]
    await waiting.remove(nodes[1])
    assert await bodies(waiting.fetch) == [lines[0], lines[2]]
    await waiting.purge()
    assert await count() == 0
    await juliet.log_out()


SCENES = (pages, preferences, flexible_offline)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
