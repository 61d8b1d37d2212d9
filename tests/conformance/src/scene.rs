//! What a scene consists of.

/// A play in one act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// The name of its file, without the ending.
    pub name: String,
    /// What the server is configured with, as TOML after the tables of the test kit.
    pub configuration: String,
    /// What the server finds in its environment.
    pub environment: Vec<(String, String)>,
    /// Localparts of the accounts that exist when the scene begins.
    pub accounts: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the script, counted from 1.
    pub line: usize,
    /// Who does it, or to whom it happens.
    pub actor: String,
    /// What happens.
    pub action: Action,
}

/// Who an actor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// An account, with nobody there.
    Account {
        /// Localpart of the account.
        local: String,
    },
    /// A client that is logged in.
    Client {
        /// Localpart of the account.
        local: String,
        /// The resource that the client binds.
        resource: String,
    },
    /// A connection on which nothing has been said.
    Connection {
        /// Whether it begins with TLS (XEP-0368).
        tls: bool,
    },
    /// A connection with TLS from the first byte, whose client shows a certificate (XEP-0178).
    Certified(Certificate),
}

/// A certificate that a client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Who made it, and whether it still holds.
    pub nature: Nature,
    /// Localparts of those whose addresses stand in it.
    pub owners: Vec<String>,
}

/// What a certificate is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// The authority has made it that the server trusts.
    Good,
    /// Somebody else has made it.
    Forged,
    /// It was good once.
    Expired,
}

/// How closely an actor looks at what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// What is written must be there; more may be there.
    Loosely,
    /// Nothing more than what is written may be there.
    Exactly,
    /// As loosely, with elements in any order.
    InAnyOrder,
    /// The bytes that are written occur in the element that is received.
    Verbatim,
}

/// What an actor does, or what happens to an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `is juliet@localhost/balcony`: appears, and logs in if there is a resource.
    Appear(Role),
    /// `sends:` these bytes.
    Send(String),
    /// `receives:` these elements, and nothing before or between them.
    Receive(Manner, String),
    /// `receives nothing`: nothing more has been sent to this client, in answer to all that was said.
    ReceiveNothing,
    /// `takes whatever comes`: the same, but it does not matter what was sent.
    TakeWhateverComes,
    /// `becomes available`: sends initial presence and has it back.
    BecomeAvailable,
    /// `requests the roster`: and takes it; from here on the client is interested (RFC 6121 §2.2).
    RequestRoster,
    /// `and romeo are friends`: each is subscribed to the other's presence.
    Befriend(String),
    /// `opens a stream`: and receives the header and the features.
    OpenStream,
    /// `starts tls` in an open stream.
    StartTls,
    /// `authenticates as juliet` in an open stream.
    Authenticate(String),
    /// `binds balcony` in an open stream.
    Bind(String),
    /// `'s stream ends`: the server closes its stream.
    StreamEnds,
    /// `'s stream ends with <conflict/>`: a stream error, then the end of the stream and of the connection.
    StreamEndsWith(String),
    /// `'s connection ends`: without another word.
    ConnectionEnds,
    /// `'s handshake fails`: an alert of TLS, or the end of the connection.
    HandshakeFails,
    /// `disconnects`: without a word; the scene goes on when the server has noticed.
    Disconnect,
    /// `closes the stream`: and so does the server, and then both the connection.
    CloseStream,
    /// `logs in again`, with the same resource.
    LogInAgain,
}
