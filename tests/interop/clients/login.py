"""Logs in by STARTTLS and by direct TLS with each mechanism, and with what must not suffice."""

import os
import ssl
import sys

from person import Person, play

OTHER_AUTHORITY = os.environ["TEST_OTHER_CA"]


async def starttls():
    romeo = await Person("romeo").log_in()
    assert "starttls" in romeo.features, romeo.features
    assert romeo.socket.version() == "TLSv1.3", romeo.socket.version()
    assert romeo.boundjid.bare == "romeo@localhost" and romeo.boundjid.resource, romeo.boundjid
    await romeo.log_out()


async def direct_tls():
    romeo = await Person("romeo", "orchard", direct=True).log_in()
    assert "starttls" not in romeo.features, romeo.features
    assert romeo.socket.selected_alpn_protocol() == "xmpp-client"
    assert romeo.boundjid.full == "romeo@localhost/orchard", romeo.boundjid
    await romeo.log_out()


async def mechanisms():
    # Python's TLS gives no channel binding that TLS 1.3 has, so the -PLUS variants are beyond slixmpp.
    for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"):
        for direct in (False, True):
            romeo = Person("romeo", direct=direct, sasl_mech=mechanism)
            await romeo.log_in(available=False)
            assert romeo.plugin["feature_mechanisms"].mech.name == mechanism
            await romeo.log_out()
    romeo = await Person("romeo").log_in(available=False)
    offered = romeo.plugin["feature_mechanisms"].mech_list
    assert {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"} <= offered, offered
    assert romeo.plugin["feature_mechanisms"].mech.name == "SCRAM-SHA-512"
    await romeo.log_out()


async def tls_1_2():
    # With TLS 1.2 slixmpp knows a channel binding, tls-unique, which the server does not offer: it tries
    # the -PLUS mechanisms one by one, is refused, and has to get in all the same.
    romeo = Person("romeo")
    romeo.ssl_context.maximum_version = ssl.TLSVersion.TLSv1_2
    await romeo.log_in()
    assert romeo.socket.version() == "TLSv1.2", romeo.socket.version()
    assert romeo.plugin["feature_mechanisms"].mech.name == "SCRAM-SHA-512"
    await romeo.log_out()


async def wrong_password():
    romeo = Person("romeo", password="wrong", sasl_mech="SCRAM-SHA-256")
    romeo.dial()
    await romeo.until("failed_all_auth")
    assert not romeo.authenticated


async def wrong_authority():
    romeo = Person("romeo", authority=OTHER_AUTHORITY)
    romeo.dial()
    error = await romeo.until("ssl_invalid_chain")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
    romeo.abort()

    romeo = Person("romeo", direct=True, authority=OTHER_AUTHORITY)
    romeo.dial()
    error = await romeo.until("connection_failed")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
    romeo.cancel_connection_attempt()


SCENES = (starttls, direct_tls, mechanisms, tls_1_2, wrong_password, wrong_authority)
play({scene.__name__: scene for scene in SCENES}[sys.argv[1]])
