//! What one step of a stanza's way costs: run by `cargo xtask instructions` under valgrind.
//!
//! `rookery-instructions` lists the cases; `rookery-instructions CASE COUNT` prepares the case and does it COUNT
//! times. Two runs with different counts differ by nothing but the case, however much its preparation takes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that cannot be prepared ends there, and its output is what it is for"
)]

mod feature;
mod login;
mod route;
mod stanza;
mod stream;
mod xml;

use std::process::ExitCode;

/// Something that is counted.
struct Case {
    name: &'static str,
    /// Makes what does it once.
    prepare: fn() -> Box<dyn FnMut()>,
}

const CASES: [Case; 20] = [
    case("scan: a message", || xml::scan(samples::MESSAGE)),
    case("scan: presence", || xml::scan(samples::PRESENCE)),
    case("scan: a request", || xml::scan(samples::REQUEST)),
    case("parse: a message", || stanza::parse(samples::MESSAGE)),
    case("parse: presence", || stanza::parse(samples::PRESENCE)),
    case("parse: a request", || stanza::parse(samples::REQUEST)),
    case("parse: a request into a tree", || {
        xml::tree(samples::REQUEST)
    }),
    case("parse: an address", stanza::address),
    case("receive: a message through framing and stream", || {
        stream::receive(1)
    }),
    case("receive: ten messages of one read", || stream::receive(10)),
    case("decide: the sender's stamp", stanza::stamp),
    case("decide: a message through two homes", || route::messages(1)),
    case("decide: ten messages of one read through two homes", || {
        route::messages(10)
    }),
    case("decide: presence for 20 contacts", route::presence),
    case("decide: a ping of the server", route::ping),
    case("features: filters of a message", feature::filters),
    case("features: the answer to disco#info", feature::disco),
    case("serialise: a message", || stanza::write(samples::MESSAGE)),
    case("serialise: an error for a message", || {
        stanza::refuse(samples::MESSAGE)
    }),
    case("login: a SCRAM-SHA-1 exchange", login::scram),
];

const fn case(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Case {
    Case { name, prepare }
}

/// What clients send.
mod samples {
    /// A chat message with a body of 100 bytes and nothing else, as `rookery bench chat` sends it.
    pub(crate) const MESSAGE: &str = "<message to='romeo@example.com' type='chat'><body>\
        But soft! What light through yonder window breaks? It is the east, and Juliet is the sun. \
        Arise, sun</body></message>";
    /// Presence with capabilities.
    pub(crate) const PRESENCE: &str = "<presence id='p1'><show>away</show><priority>5</priority>\
        <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.org/client' \
        ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>";
    /// A request to the server.
    pub(crate) const REQUEST: &str = "<iq type='get' id='disco-1' to='example.com'>\
        <query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    /// The shortest request that a feature answers.
    pub(crate) const PING: &str =
        "<iq type='get' id='ping-1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>";
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for case in CASES {
            println!("{}", case.name);
        }
        return ExitCode::SUCCESS;
    };
    let count = arguments.next().and_then(|count| count.parse().ok());
    let case = CASES.into_iter().find(|case| case.name == name);
    let (Some(case), Some(count)) = (case, count) else {
        eprintln!("usage: rookery-instructions [CASE COUNT]");
        return ExitCode::from(2);
    };
    let mut once = (case.prepare)();
    for _ in 0_u32..count {
        once();
    }
    ExitCode::SUCCESS
}
