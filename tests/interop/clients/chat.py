"""People talk: both ways, in every script, in secret, from several devices, and with those who are away."""

import sys
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree as ET

from person import HOST, Person, play

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
OMEMO = "urn:xmpp:omemo:2"
SECRET = (
    f'<encrypted xmlns="{OMEMO}"><header sid="27183"><keys jid="juliet@localhost">'
    '<key rid="31415">UHNoYXcgPT0gPT0=</key><key kex="true" rid="12321">a2V4ICsvKy8=</key>'
    "</keys></header><payload>V2hvIGlzIHRoZXJlPyDwn5iA</payload></encrypted>"
)
TEXTS = (
    "But soft, what light through yonder window breaks?",
    "Ромео и Джульетта · 羅密歐與茱麗葉 · روميو وجولييت",
    "👩🏽‍❤️‍💋‍👨🏻 🏳️‍🌈 e\u0301 \U0001f339",
    "<body>&amp; ]]> \"it's\" 'quoted'</body>",
    " leading, trailing and\n\tbroken lines ",
    "long " * 2000,
)


def canonical(element):
    return ET.canonicalize(ET.tostring(element, encoding="unicode"))


async def both_ways():
    romeo = await Person("romeo").log_in()
    juliet = await Person("juliet", direct=True).log_in()
    for text in TEXTS:
        romeo.tell(JULIET, text)
        heard = await juliet.hear(text)
        assert heard["from"] == romeo.boundjid and heard["to"] == JULIET, heard
        juliet.tell(heard["from"], text + "!")
        heard = await romeo.hear(text + "!")
        assert heard["from"] == juliet.boundjid, heard
    # Order is kept when there is much to say.
    for number in range(500):
        romeo.tell(juliet.boundjid, f"line {number}")
    for number in range(500):
        heard = await juliet.until("message")
        assert heard["body"] == f"line {number}", heard
    await romeo.log_out()
    await juliet.log_out()


async def secrets():
    romeo, juliet = await Person("romeo").log_in(), await Person("juliet").log_in()
    message = romeo.make_message(mto=JULIET, mtype="chat", mbody="I sent you an OMEMO message")
    message.append(ET.fromstring(SECRET))
    message.append(ET.fromstring('<store xmlns="urn:xmpp:hints"/>'))
    message.send()
    heard = await juliet.hear("I sent you an OMEMO message")
    secret = heard.xml.find(f"{{{OMEMO}}}encrypted")
    assert canonical(secret) == canonical(ET.fromstring(SECRET)), ET.tostring(secret)
    await romeo.log_out()
    await juliet.log_out()


async def devices():
    """RFC 6121, 8.5: a bare address means the device that wants messages most, a full one that device."""
    romeo = await Person("romeo").log_in()
    phone, desk = await Person("juliet", "phone").log_in(), await Person("juliet", "desk").log_in()
    desk.send_presence(ppriority=-1)
    await phone.until("presence", lambda it: it["from"] == desk.boundjid and it["priority"] == -1)
    phone.send_presence(ppriority=7)
    await phone.until("presence", lambda it: it["from"] == phone.boundjid and it["priority"] == 7)

    romeo.tell(JULIET, "to whoever is there")
    await phone.hear("to whoever is there")
    romeo.tell(desk.boundjid, "to the desk")
    heard = await desk.until("message")
    assert heard["body"] == "to the desk", heard

    # A device that comes back takes the place of the connection that it has left behind.
    again = await Person("juliet", "phone").log_in()
    await phone.until("disconnected")
    romeo.tell(phone.boundjid, "to the new phone")
    await again.hear("to the new phone")
    for person in (romeo, again, desk):
        await person.log_out()


async def away():
    romeo = Person("romeo")
    romeo.register_plugin("xep_0199")
    await romeo.log_in()
    before = datetime.now(timezone.utc) - timedelta(seconds=5)
    for text in TEXTS:
        romeo.tell(JULIET, text)
    await romeo.plugin["xep_0199"].ping(HOST)
    juliet = Person("juliet")
    juliet.register_plugin("xep_0203")
    await juliet.log_in()
    for text in TEXTS:
        heard = await juliet.until("message")
        assert heard["body"] == text, heard
        stamp = heard["delay"]["stamp"]
        assert before <= stamp <= datetime.now(timezone.utc) + timedelta(seconds=5), heard
        assert heard["delay"]["from"] == "localhost", heard
    await juliet.log_out()

    # Nothing is told twice.
    juliet = await Person("juliet").log_in()
    romeo.tell(JULIET, "at last")
    heard = await juliet.until("message")
    assert heard["body"] == "at last", heard
    await romeo.log_out()
    await juliet.log_out()


SCENES = (both_ways, secrets, devices, away)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
