"""A person with slixmpp as the client: logs in with certificate checking, and waits for what must come.

The server's addresses and the certificate authority come from the environment; see `server.rs`.
"""

import asyncio
import os
import ssl
import sys
import traceback

from slixmpp import ClientXMPP

# How long anything may take, in seconds.
PATIENCE = 30
HOST = "localhost"
PASSWORD = os.environ["TEST_PASSWORD"]
STARTTLS = os.environ["TEST_C2S"]
DIRECT_TLS = os.environ["TEST_C2S_TLS"]
AUTHORITY = os.environ["TEST_CA"]


class Person(ClientXMPP):
    """An account of the server, connected from one device."""

    def __init__(self, name, resource="", direct=False, authority=AUTHORITY, **options):
        jid = f"{name}@{HOST}" + (f"/{resource}" if resource else "")
        trust = ssl.create_default_context(cafile=authority)
        assert trust.verify_mode == ssl.CERT_REQUIRED and trust.check_hostname
        super().__init__(jid, options.pop("password", PASSWORD), ssl_context=trust, **options)
        self.enable_starttls, self.enable_direct_tls = not direct, direct
        if direct:
            trust.set_alpn_protocols(["xmpp-client"])
        self.address = DIRECT_TLS if direct else STARTTLS
        self.whitespace_keepalive = False
        self.happenings = asyncio.Queue()
        for event in (
            "session_start",
            "connection_failed",
            "ssl_invalid_chain",
            "failed_all_auth",
            "disconnected",
            "message",
            "message_error",
            "roster_update",
            "presence",
        ):
            self.add_event_handler(event, self._note(event))
        self.auto_authorize = None
        self.auto_subscribe = False

    def _note(self, event):
        def note(data):
            self.happenings.put_nowait((event, data))

        return note

    async def until(self, event, matches=lambda data: True):
        """What the first event of this name that matches carries; events before it are left behind."""

        async def wait():
            while True:
                name, data = await self.happenings.get()
                if name == event and matches(data):
                    return data

        try:
            return await asyncio.wait_for(wait(), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"{self.boundjid}: no {event} within {PATIENCE} s") from None

    def dial(self):
        """Begins to connect."""
        host, port = self.address.rsplit(":", 1)
        self.connect(host, int(port))

    async def log_in(self, available=True):
        """Connects, logs in and, unless told not to, becomes available."""
        self.dial()
        await self.until("session_start")
        if available:
            await self.get_roster()
            self.send_presence()
            await self.see(self.boundjid)
        return self

    async def log_out(self):
        """Closes the stream and waits for the server to close its own."""
        self.disconnect()
        await self.until("disconnected")

    async def see(self, jid, kind="available"):
        """The presence of this kind (to slixmpp what is shown is one, too) from this address."""
        return await self.until("presence", lambda it: it["from"] == jid and it["type"] == kind)

    async def hear(self, body):
        """The message with this body."""
        return await self.until("message", lambda it: it["body"] == body)

    def tell(self, to, body, **options):
        """Sends a chat message."""
        self.send_message(mto=to, mbody=body, mtype="chat", **options)


def play(scene):
    """Runs a scene to its end, and ends the process with what came of it."""
    try:
        asyncio.get_event_loop_policy().get_event_loop().run_until_complete(
            asyncio.wait_for(scene(), 3 * PATIENCE)
        )
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    print("all went well")
