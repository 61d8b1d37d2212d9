//! What other crates have built in: standards without a handler of their own.

use rookery_extension::{Spec, Standard, Status};
use rookery_stanza::ns;

/// All of it, in the order of the crates, from the bottom.
pub const SPECS: &[Spec] = &[
    ADDRESSES,
    PAYLOADS,
    ENCRYPTION,
    DIRECT_TLS,
    STREAMS,
    STREAM_LIMITS,
    AUTHENTICATION,
    SASL2,
    TOKENS,
    PASSWORDS,
    STREAM_MANAGEMENT,
    PASSING_THROUGH,
    COMPONENTS,
    OFFLINE,
];

const ADDRESSES: Spec = Spec {
    name: "addresses",
    source: "crates/stanza/src/jid",
    standards: &[rfc(
        "RFC 7622",
        "XMPP: Address Format",
        Status::Complete,
        "",
    )],
    ..Spec::EMPTY
};

const PAYLOADS: Spec = Spec {
    name: "payloads",
    source: "crates/stanza",
    standards: &[
        Standard {
            document: "XEP-0004",
            title: "Data Forms",
            version: "2.13.2",
            status: Status::Partial,
            note: "Forms that the server itself writes and reads, without tables of results.",
        },
        complete("XEP-0068", "Field Standardization for Data Forms", "1.3.0"),
        complete("XEP-0082", "XMPP Date and Time Profiles", "1.1.1"),
    ],
    ..Spec::EMPTY
};

const ENCRYPTION: Spec = Spec {
    name: "encryption",
    source: "crates/tls",
    standards: &[rfc(
        "RFC 7590",
        "Use of TLS in XMPP",
        Status::Partial,
        CLIENTS_ONLY,
    )],
    ..Spec::EMPTY
};

const DIRECT_TLS: Spec = Spec {
    name: "direct_tls",
    source: "crates/c2s",
    standards: &[Standard {
        document: "XEP-0368",
        title: "SRV records for XMPP over TLS",
        version: "1.1.0",
        status: Status::Partial,
        note: CLIENTS_ONLY,
    }],
    ..Spec::EMPTY
};

const STREAMS: Spec = Spec {
    name: "streams",
    source: "crates/stream",
    standards: &[rfc("RFC 6120", "XMPP: Core", Status::Partial, CLIENTS_ONLY)],
    ..Spec::EMPTY
};

const STREAM_LIMITS: Spec = Spec {
    name: "stream_limits",
    source: "crates/stream",
    standards: &[Standard {
        document: "XEP-0478",
        title: "Stream Limits Advertisement",
        version: "0.2.0",
        status: Status::Partial,
        note: CLIENTS_ONLY,
    }],
    ..Spec::EMPTY
};

const AUTHENTICATION: Spec = Spec {
    name: "authentication",
    source: "crates/auth",
    standards: &[
        rfc(
            "RFC 4505",
            "Anonymous SASL Mechanism",
            Status::Complete,
            "Per host; off by default.",
        ),
        rfc(
            "RFC 4616",
            "PLAIN SASL Mechanism",
            Status::Complete,
            "Inside of TLS only.",
        ),
        rfc(
            "RFC 5802",
            "SCRAM SASL and GSS-API Mechanisms",
            Status::Partial,
            "SASL only.",
        ),
        rfc(
            "RFC 5929",
            "Channel Bindings for TLS",
            Status::Partial,
            "tls-server-end-point only.",
        ),
        rfc(
            "RFC 7677",
            "SCRAM-SHA-256 and SCRAM-SHA-256-PLUS",
            Status::Complete,
            "",
        ),
        rfc(
            "RFC 9266",
            "Channel Bindings for TLS 1.3",
            Status::Complete,
            "",
        ),
        Standard {
            document: "XEP-0178",
            title: "Best Practices for Use of SASL EXTERNAL with Certificates",
            version: "1.2",
            status: Status::Partial,
            note: CLIENTS_ONLY,
        },
        complete("XEP-0440", "SASL Channel-Binding Type Capability", "1.0.0"),
        complete("XEP-0474", "SASL SCRAM Downgrade Protection", "0.5.0"),
    ],
    ..Spec::EMPTY
};

const SASL2: Spec = Spec {
    name: "sasl2",
    source: "crates/stream/src/sasl2.rs",
    standards: &[
        Standard {
            document: "XEP-0386",
            title: "Bind 2",
            version: "1.1.0",
            status: Status::Complete,
            note: "With stream management, carbons, client state and the metadata of the archive. Messages that wait and are in no archive are sent to the client.",
        },
        Standard {
            document: "XEP-0388",
            title: "Extensible SASL Profile",
            version: "1.0.4",
            status: Status::Complete,
            note: "Inside of TLS only. White space during an authentication is borne.",
        },
    ],
    ..Spec::EMPTY
};

const TOKENS: Spec = Spec {
    name: "tokens",
    source: "crates/auth/src/clients",
    standards: &[
        Standard {
            document: "XEP-0480",
            title: "SASL Upgrade Tasks",
            version: "0.2.0",
            status: Status::Complete,
            note: "For keys with fewer iterations than new ones have; who is up to date gets no task.",
        },
        Standard {
            document: "XEP-0484",
            title: "Fast Authentication Streamlining Tokens",
            version: "0.2.0",
            status: Status::Complete,
            note: "Without TLS 0-RTT, and without the channel binding tls-unique, which TLS 1.3 does not have.",
        },
    ],
    ..Spec::EMPTY
};

const PASSWORDS: Spec = Spec {
    name: "passwords",
    source: "crates/auth",
    standards: &[Standard {
        document: "XEP-0438",
        title: "Best practices for password hashing and storage",
        version: "0.2.0",
        status: Status::Partial,
        note: "Salts are not combined with a pepper, which is recommended.",
    }],
    ..Spec::EMPTY
};

/// Nothing of this is for the server; it only has to leave it alone.
const PASSING_THROUGH: Spec = Spec {
    name: "passing_through",
    source: "crates/router",
    standards: &[
        rfc(
            "RFC 3923",
            "XMPP: End-to-End Signing and Object Encryption",
            Status::Complete,
            ROUTED,
        ),
        Standard {
            document: "XEP-0009",
            title: "Jabber-RPC",
            version: "2.2.1",
            status: Status::Complete,
            note: ROUTED,
        },
    ],
    ..Spec::EMPTY
};

const COMPONENTS: Spec = Spec {
    name: "components",
    source: "crates/component",
    standards: &[Standard {
        document: "XEP-0114",
        title: "Jabber Component Protocol",
        version: "1.6",
        status: Status::Complete,
        note: "Components connect to the server (`jabber:component:accept`).",
    }],
    ..Spec::EMPTY
};

const STREAM_MANAGEMENT: Spec = Spec {
    name: "stream_management",
    source: "crates/session/src/stream_management",
    standards: &[Standard {
        document: "XEP-0198",
        title: "Stream Management",
        version: "1.6.3",
        status: Status::Partial,
        note: CLIENTS_ONLY,
    }],
    ..Spec::EMPTY
};

const OFFLINE: Spec = Spec {
    name: "offline",
    source: "crates/router",
    standards: &[
        complete(
            "XEP-0160",
            "Best Practices for Handling Offline Messages",
            "1.0.1",
        ),
        complete("XEP-0203", "Delayed Delivery", "2.0"),
    ],
    // XEP-0160 §4.
    host_features: &[ns::OFFLINE],
    ..Spec::EMPTY
};

const CLIENTS_ONLY: &str = "For clients; there are no streams to other servers yet.";
const ROUTED: &str = "Routed between clients untouched.";

const fn complete(document: &'static str, title: &'static str, version: &'static str) -> Standard {
    Standard {
        document,
        title,
        version,
        status: Status::Complete,
        note: "",
    }
}

const fn rfc(
    document: &'static str,
    title: &'static str,
    status: Status,
    note: &'static str,
) -> Standard {
    Standard {
        document,
        title,
        version: "",
        status,
        note,
    }
}
