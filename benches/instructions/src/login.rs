//! The server's part of a login, by the example of RFC 5802 §5.

use std::hint::black_box;

use rookery_auth::scram::{Channel, ServerFirst};
use rookery_storage::{ScramHash, ScramKeys};

const FIRST: &[u8] = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";
const LAST: &[u8] = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
    p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
const ANSWER: &[u8] = b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";

/// `pencil` with the salt of the example, 4096 iterations.
fn keys() -> ScramKeys {
    ScramKeys {
        salt: b"\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76".to_vec(),
        iterations: 4096,
        stored_key:
            b"\xe9\xd9\x46\x60\xc3\x9d\x65\xc3\x8f\xba\xd9\x1c\x35\x8f\x14\xda\x0e\xef\x2b\xd6"
                .to_vec(),
        server_key:
            b"\x0f\xe0\x92\x58\xb3\xac\x85\x2b\xa5\x02\xcc\x62\xba\x90\x3e\xaa\xcd\xbf\x7d\x31"
                .to_vec(),
    }
}

pub(crate) fn scram() -> Box<dyn FnMut()> {
    let channel = Channel {
        plus: false,
        plus_offered: false,
        tls: None,
    };
    Box::new(move || {
        let server = ServerFirst::new(ScramHash::Sha1, &channel, black_box(FIRST)).unwrap();
        let (server, challenge) = server.answer(keys(), true, NONCE, None);
        black_box(challenge);
        assert_eq!(server.finish(black_box(LAST)).unwrap(), ANSWER);
    })
}
