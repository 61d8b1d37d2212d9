"""A component that nobody here wrote: people talk to it, and it calls their devices when they are away."""

import asyncio
import os
import sys
from xml.etree import ElementTree as ET

from slixmpp import ComponentXMPP
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from person import PATIENCE, Person, play

ADDRESS = os.environ["TEST_COMPONENT"]
SECRET = os.environ["TEST_SECRET"]
NAME = "echo.localhost"
BOT = f"bot@{NAME}"
JULIET = "juliet@localhost"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
FORM = "{jabber:x:data}"
PUSH = "urn:xmpp:push:0"


class Component(ComponentXMPP):
    """Serves a domain of its own beside the server's."""

    def __init__(self, secret=SECRET):
        host, port = ADDRESS.rsplit(":", 1)
        super().__init__(NAME, secret, host, int(port))
        self.whitespace_keepalive = False
        self.happenings = asyncio.Queue()
        for event in ("session_start", "stream_error", "disconnected", "message"):
            self.add_event_handler(event, self._note(event))

    _note = Person._note
    until = Person.until

    async def log_in(self):
        self.connect()
        await self.until("session_start")
        return self

    async def log_out(self):
        self.disconnect()
        await self.until("disconnected")


def echoing():
    component = Component()
    for plugin in ("xep_0030", "xep_0199"):
        component.register_plugin(plugin)

    def echo(message):
        if message["type"] in ("chat", "normal"):
            to, me, body = message["from"], message["to"], message["body"]
            component.send_message(mto=to, mfrom=me, mbody=body, mtype="chat")

    def subscribed(presence):
        component.send_presence(pto=presence["from"].bare, pfrom=BOT, ptype="subscribed")
        component.send_presence(pto=presence["from"].bare, pfrom=BOT, pstatus="ready")

    component.add_event_handler("message", echo)
    component.add_event_handler("presence_subscribe", subscribed)
    return component


async def talks():
    component = await echoing().log_in()
    romeo = Person("romeo")
    for plugin in ("xep_0030", "xep_0199"):
        romeo.register_plugin(plugin)
    await romeo.log_in()

    items = await romeo.plugin["xep_0030"].get_items("localhost")
    assert NAME in {item[0] for item in items["disco_items"]["items"]}, items
    for number in range(200):
        romeo.tell(BOT, f"line {number} <&> 🌹")
    for number in range(200):
        heard = await romeo.hear(f"line {number} <&> 🌹")
        assert heard["from"] == BOT, heard

    info = await romeo.plugin["xep_0030"].get_info(NAME)
    assert "urn:xmpp:ping" in info["disco_info"]["features"], info
    assert await romeo.plugin["xep_0199"].ping(NAME)
    assert await component.plugin["xep_0199"].ping("localhost", ifrom=NAME)
    # It is somebody, but nobody with an account.
    register = component.make_iq_get("jabber:iq:register", ito="localhost", ifrom=BOT)
    try:
        await register.send()
    except IqError as error:
        # What slixmpp takes for the error of a stanza is in the namespace of clients.
        told = ".//{urn:ietf:params:xml:ns:xmpp-stanzas}not-allowed"
        assert error.iq.xml.find(told) is not None, error
    else:
        raise AssertionError("a component has an account")

    romeo.send_presence(pto=BOT, ptype="subscribe")
    online = await romeo.see(BOT)
    assert online["status"] == "ready", online
    item = romeo.client_roster[BOT]
    assert item["subscription"] == "to", item

    await component.log_out()
    romeo.send_message(mto=BOT, mbody="Are you there?", mtype="chat")
    error = await romeo.until("message_error")
    assert error["error"]["condition"] == "service-unavailable", error
    assert error["error"]["type"] == "wait", error
    await romeo.log_out()


async def is_refused():
    component = Component(secret="something else")
    component.connect()
    error = await component.until("stream_error")
    assert error["condition"] == "not-authorized", error
    component.abort()


async def is_replaced():
    older = await Component().log_in()
    newer = await Component().log_in()
    error = await older.until("stream_error")
    assert error["condition"] == "conflict", error
    older.abort()
    romeo = await Person("romeo").log_in()
    romeo.tell(NAME, "To whom?")
    heard = await newer.until("message", lambda it: it["body"] == "To whom?")
    assert heard["from"] == romeo.boundjid, heard
    await romeo.log_out()
    await newer.log_out()


class AppServer(Component):
    """The push service of an app: it notes what it is told, and answers as it is asked to."""

    def __init__(self):
        super().__init__()
        self.told = asyncio.Queue()
        self.takes = True
        path = f"{{{self.default_ns}}}iq/{PUBSUB}pubsub"
        self.register_handler(Callback("publish", MatchXPath(path), self._published))

    def _published(self, iq):
        self.told.put_nowait(iq)
        if self.takes:
            return iq.reply().send()
        reply = iq.reply().error()
        reply["error"]["type"], reply["error"]["condition"] = "cancel", "item-not-found"
        return reply.send()

    async def notified(self):
        """The node and the fields of the next notification, and the options that it came with."""
        iq = await asyncio.wait_for(self.told.get(), PATIENCE)
        pubsub = iq.xml.find(f"{PUBSUB}pubsub")
        publish = pubsub.find(f"{PUBSUB}publish")
        notification = publish.find(f"{PUBSUB}item/{{{PUSH}}}notification")
        options = pubsub.find(f"{PUBSUB}publish-options")
        return publish.get("node"), fields(notification), fields(options)


def fields(parent):
    """The fields of the form in an element."""
    found = {} if parent is None else parent.iterfind(f"{FORM}x/{FORM}field")
    return {field.get("var"): field.findtext(f"{FORM}value") for field in found}


async def request(person, payload):
    iq = person.make_iq_set()
    iq.append(ET.fromstring(payload))
    return await iq.send()


async def calls_devices():
    service = await AppServer().log_in()
    romeo, juliet = await Person("romeo").log_in(), Person("juliet")
    juliet.register_plugin("xep_0030")
    await juliet.log_in()
    info = await juliet.plugin["xep_0030"].get_info(JULIET)
    assert PUSH in info["disco_info"]["features"], info
    await request(
        juliet,
        f"<enable xmlns='{PUSH}' jid='{NAME}' node='yxs32'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
        "<field var='secret'><value>eruio234</value></field></x></enable>",
    )
    # Who is there needs no call.
    romeo.tell(JULIET, "Here?")
    await juliet.hear("Here?")
    await juliet.log_out()

    romeo.tell(JULIET, "Not here?")
    node, summary, options = await service.notified()
    assert node == "yxs32", node
    assert summary == {"FORM_TYPE": "urn:xmpp:push:summary", "message-count": "1"}, summary
    assert options["secret"] == "eruio234", options
    # What is not worth it calls nobody.
    composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    romeo.send_raw(f"<message to='{JULIET}' type='chat'>{composing}</message>")
    romeo.tell(JULIET, "Still not?")
    node, summary, _ = await service.notified()
    assert summary["message-count"] == "2", summary

    # A service that takes no more is told no more.
    service.takes = False
    romeo.tell(JULIET, "Never?")
    await service.notified()
    romeo.tell(JULIET, "Good night.")
    juliet = await Person("juliet").log_in()
    for line in ("Not here?", "Still not?", "Never?", "Good night."):
        await juliet.hear(line)
    assert service.told.empty(), service.told.get_nowait()
    for person in (romeo, juliet, service):
        await person.log_out()


async def is_told():
    """The app server of a client in another process."""
    service = await AppServer().log_in()
    print("attached", flush=True)
    node, summary, options = await service.notified()
    print(f"node={node} secret={options['secret']} count={summary['message-count']}", flush=True)
    await service.log_out()


SCENES = (talks, is_refused, is_replaced, calls_devices, is_told)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
