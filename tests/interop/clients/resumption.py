"""XEP-0198 as slixmpp does it: a connection that is lost in the middle is taken up again, and nothing is lost."""

import asyncio
import sys

from person import HOST, PATIENCE, Person, play

COUNT = 40


def numbered(number):
    return f"message {number}"


async def lost_connection():
    romeo, juliet = Person("romeo"), Person("juliet", "phone")
    for person in (romeo, juliet):
        person.register_plugin("xep_0198")
        person.register_plugin("xep_0199")
        for event in ("sm_enabled", "session_resumed"):
            person.add_event_handler(event, person._note(event))
        await person.log_in(available=False)
        await person.until("sm_enabled")
        person.send_presence()
    address = juliet.boundjid.full
    await juliet.until("presence", lambda presence: presence["from"].full == address)

    for number in range(COUNT):
        romeo.tell(f"juliet@{HOST}", numbered(number))
        if number == COUNT // 2:
            await romeo.plugin["xep_0199"].ping(HOST)
            # The network is gone, and nobody has said so.
            juliet.transport.abort()
    await romeo.plugin["xep_0199"].ping(HOST)

    heard = []
    resumed = False
    while len(heard) < COUNT or not resumed:
        event, data = await asyncio.wait_for(juliet.happenings.get(), PATIENCE)
        if event == "disconnected":
            juliet.dial()
        if event == "message":
            heard.append(data["body"])
        resumed = resumed or event == "session_resumed"
        assert event != "session_start", "the stream was not resumed"
    assert juliet.boundjid.full == address
    assert heard == [numbered(number) for number in range(COUNT)], heard

    # It goes on in both directions, and nothing comes twice.
    juliet.tell(romeo.boundjid, "all there")
    assert (await romeo.until("message"))["body"] == "all there"
    romeo.tell(juliet.boundjid, "good")
    assert (await juliet.until("message"))["body"] == "good"
    for person in (romeo, juliet):
        await person.log_out()


SCENES = (lost_connection,)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
