"""Two people become contacts, see each other come and go, and part."""

import sys

from person import Person, play

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"


def item(jid, **wanted):
    """Matches a roster push, or a roster, that has this contact like this."""

    def matches(iq):
        found = iq["roster"]["items"].get(jid)
        return found is not None and all(found[key] == value for key, value in wanted.items())

    return matches


async def roster():
    romeo = await Person("romeo").log_in()
    assert not (await romeo.get_roster())["roster"]["items"]
    phone = await Person("romeo", "phone").log_in()

    await romeo.update_roster(JULIET, name="Джульетта", groups=["Friends", "Capulets"])
    push = await phone.until("roster_update", item(JULIET, name="Джульетта", subscription="none"))
    assert sorted(push["roster"]["items"][JULIET]["groups"]) == ["Capulets", "Friends"]

    # A roster that is current is not sent again (RFC 6121, 2.6).
    assert romeo.client_roster.version
    again = await romeo.get_roster()
    assert not again["roster"]["items"], again

    await romeo.del_roster_item(JULIET)
    await phone.until("roster_update", item(JULIET, subscription="remove"))
    assert not (await phone.get_roster())["roster"]["items"]
    await romeo.log_out()
    await phone.log_out()


async def subscriptions():
    romeo, juliet = await Person("romeo").log_in(), await Person("juliet").log_in()

    romeo.send_presence_subscription(JULIET)
    await romeo.until("roster_update", item(JULIET, subscription="none", ask="subscribe"))
    await juliet.see(ROMEO, "subscribe")
    juliet.send_presence_subscription(ROMEO, ptype="subscribed")
    await juliet.until("roster_update", item(ROMEO, subscription="from"))
    await romeo.see(JULIET, "subscribed")
    await romeo.see(juliet.boundjid)

    juliet.send_presence_subscription(ROMEO)
    await romeo.see(JULIET, "subscribe")
    romeo.send_presence_subscription(JULIET, ptype="subscribed")
    await juliet.until("roster_update", item(ROMEO, subscription="both"))
    await juliet.see(romeo.boundjid)

    romeo.send_presence(pshow="dnd", pstatus="wooing")
    seen = await juliet.see(romeo.boundjid, "dnd")
    assert seen["status"] == "wooing", seen
    juliet.send_presence(pshow="away", pstatus="in church", ppriority=5)
    seen = await romeo.see(juliet.boundjid, "away")
    assert (seen["status"], seen["priority"]) == ("in church", 5), seen

    # Who comes later is told who is there.
    phone = await Person("romeo", "phone").log_in()
    seen = await phone.see(juliet.boundjid, "away")
    assert seen["status"] == "in church", seen
    await juliet.see(phone.boundjid)
    await phone.log_out()
    await juliet.see("romeo@localhost/phone", "unavailable")

    # A connection that breaks is as good as a farewell.
    away = juliet.boundjid.full
    juliet.abort()
    await romeo.see(away, "unavailable")

    juliet = await Person("juliet").log_in()
    await romeo.see(juliet.boundjid)
    await romeo.del_roster_item(JULIET)
    await juliet.see(romeo.boundjid, "unavailable")
    await juliet.until("roster_update", item(ROMEO, subscription="none"))
    await romeo.log_out()
    await juliet.log_out()


SCENES = (roster, subscriptions)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
