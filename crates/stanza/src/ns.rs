//! The names of namespaces in use, one list. What only one feature knows stands in its own file.

/// Content of client streams (RFC 6120 §4.8.2).
pub const CLIENT: &str = "jabber:client";
/// Content of server-to-server streams (RFC 6120 §4.8.3).
pub const SERVER: &str = "jabber:server";
/// The stream itself (RFC 6120 §4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// The `xml:` prefix, always bound (Namespaces in XML §3).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// STARTTLS negotiation (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL negotiation (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// XEP-0388: Extensible SASL Profile.
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// XEP-0386: Bind 2.
pub const BIND2: &str = "urn:xmpp:bind:0";
/// XEP-0484: Fast Authentication Streamlining Tokens.
pub const FAST: &str = "urn:xmpp:fast:0";
/// XEP-0480: SASL Upgrade Tasks.
pub const SASL_UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
/// XEP-0480: what the upgrade tasks for SCRAM say.
pub const SCRAM_UPGRADE: &str = "urn:xmpp:scram-upgrade:0";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// The session request of RFC 3921 §3, today a request that does nothing.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Stream error conditions (RFC 6120 §4.9.3).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Stanza error conditions (RFC 6120 §8.3.3).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Roster management (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// Stream feature: roster versioning (RFC 6121 §2.6).
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// Stream feature: pre-approved subscriptions (RFC 6121 §3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// XEP-0004: Data Forms.
pub const DATA_FORMS: &str = "jabber:x:data";
/// XEP-0030: Service Discovery, `disco#info`.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030: Service Discovery, `disco#items`.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0157: Contact Addresses for XMPP Services, the form's type.
pub const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";
/// XEP-0115: Entity Capabilities.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0092: Software Version.
pub const VERSION: &str = "jabber:iq:version";
/// XEP-0199: XMPP Ping.
pub const PING: &str = "urn:xmpp:ping";
/// XEP-0203: Delayed Delivery.
pub const DELAY: &str = "urn:xmpp:delay";
/// Offline messages that clients take by themselves (XEP-0013).
pub const FLEXIBLE_OFFLINE: &str = "http://jabber.org/protocol/offline";
/// XEP-0160: Best Practices for Handling Offline Messages, the disco feature.
pub const OFFLINE: &str = "msgoffline";
/// XEP-0009: Jabber-RPC.
pub const RPC: &str = "jabber:iq:rpc";
/// RFC 3923: end-to-end encrypted objects.
pub const E2E: &str = "urn:ietf:params:xml:ns:xmpp-e2e";
/// XEP-0478: Stream Limits Advertisement.
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// XEP-0440: SASL Channel-Binding Type Capability.
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// XEP-0085: Chat State Notifications.
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// XEP-0184: Message Delivery Receipts.
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// XEP-0334: Message Processing Hints.
pub const HINTS: &str = "urn:xmpp:hints";
/// XEP-0359: Unique and Stable Stanza IDs.
pub const STANZA_ID: &str = "urn:xmpp:sid:0";
/// XEP-0198: Stream Management.
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// XEP-0059: Result Set Management.
pub const RESULT_SET: &str = "http://jabber.org/protocol/rsm";
/// XEP-0122: Data Forms Validation.
pub const DATA_VALIDATION: &str = "http://jabber.org/protocol/xdata-validate";
/// XEP-0280: Message Carbons.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// XEP-0297: Stanza Forwarding.
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// XEP-0313: Message Archive Management.
pub const ARCHIVE: &str = "urn:xmpp:mam:2";
/// XEP-0352: Client State Indication.
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";
/// XEP-0424: Message Retraction.
pub const RETRACTION: &str = "urn:xmpp:message-retract:1";

/// The namespaces of payloads that stanzas carry, most frequent first: their names are kept without
/// allocation while a stanza is on its way.
pub(crate) const OF_PAYLOADS: &[&str] = &[
    CLIENT,
    CHAT_STATES,
    RECEIPTS,
    HINTS,
    STANZA_ID,
    CAPS,
    DISCO_INFO,
    PING,
    DISCO_ITEMS,
    ROSTER,
    DELAY,
    DATA_FORMS,
    VERSION,
    BIND,
    SESSION,
    RPC,
    E2E,
    STANZA_ERRORS,
];
