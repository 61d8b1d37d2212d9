//! What holds for every stream, whatever the client sends and however it arrives.

use proptest::prelude::*;

use super::*;

/// Plays a stream to its end against an obliging server, in these pieces.
fn play(security: Security, pieces: &[&[u8]]) -> String {
    let mut play = Play::new(security);
    let mut transcript = Vec::new();
    if security == Security::DirectTls {
        play.stream.handle(
            Input::TlsEstablished(TlsFacts::default()),
            play.now,
            &mut transcript,
        );
    }
    for piece in pieces {
        let mut effects = Vec::new();
        play.stream.receive(piece, play.now, &mut effects);
        oblige(&mut play, effects, &mut transcript);
        while play.stream.has_more() {
            let mut effects = Vec::new();
            play.stream.receive(b"", play.now, &mut effects);
            oblige(&mut play, effects, &mut transcript);
        }
    }
    written(&transcript)
}

/// Answers what a stream asks, as long as it asks.
fn oblige(play: &mut Play, mut effects: Vec<Effect>, transcript: &mut Vec<Effect>) {
    while !effects.is_empty() {
        let mut more = Vec::new();
        for effect in effects {
            let (stream, now) = (&mut play.stream, play.now);
            match &effect {
                Effect::Sasl(SaslRequest::Start { initial: None, .. }) => {
                    let challenge = Input::Sasl(SaslReply::Challenge(vec![]));
                    stream.handle(challenge, now, &mut more);
                }
                Effect::Sasl(SaslRequest::Start { .. } | SaslRequest::Response(_)) => {
                    stream.handle(success(), now, &mut more);
                }
                Effect::BeforeLogin(_) => stream.handle(Input::Answered(Ok(None)), now, &mut more),
                Effect::Authenticated(_) => stream.receive(b"", now, &mut more),
                Effect::Bind { .. } => stream.handle(bound("x"), now, &mut more),
                _ => {}
            }
            transcript.push(effect);
        }
        effects = more;
    }
}

/// Pieces of what clients say, good and bad.
fn phrases() -> impl Strategy<Value = Vec<u8>> {
    let phrase = prop_oneof![
        Just(HELLO),
        Just(AUTH),
        Just(BIND),
        Just("<iq id='r' type='get'><query xmlns='jabber:iq:register'/></iq>"),
        Just("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>"),
        Just("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</response>"),
        Just("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA</response>"),
        Just("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        Just("<message to='romeo@example.net' type='chat'><body>h&amp;i \u{fc}</body></message>"),
        Just("<message to='@'/>"),
        Just("<presence><x xmlns='urn:x' a='>'><![CDATA[</x>]]></x></presence>"),
        Just("<stream:error/>"),
        Just("</stream:stream>"),
        Just("<!-- -->"),
        Just(" \n"),
        Just("<"),
        Just("\u{1}"),
    ];
    let said = proptest::collection::vec(phrase, 0..8).prop_map(|said| said.concat());
    let prefix = prop_oneof![
        Just(String::new()),
        Just([HELLO, AUTH].concat()),
        Just([HELLO, AUTH, HELLO, BIND].concat()),
    ];
    (prefix, said).prop_map(|(prefix, said)| (prefix + &said).into_bytes())
}

fn assert_ends_once(transcript: &str) {
    assert!(
        transcript.matches("<stream:error>").count() <= 1,
        "{transcript}"
    );
    assert!(transcript.matches("[closing").count() <= 1, "{transcript}");
    assert!(
        transcript.matches("[disconnect]").count() <= 1,
        "{transcript}"
    );
    if let Some((_, after)) = transcript.split_once("[disconnect]") {
        assert_eq!(after, "");
    }
    if let Some((_, after)) = transcript.split_once("</stream:stream>") {
        assert!(matches!(after, "" | "[disconnect]"), "{after}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_at_most_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for security in [
            Security::StartTls(StartTls::Required),
            Security::StartTls(StartTls::Off),
            Security::DirectTls,
        ] {
            assert_ends_once(&play(security, &[&bytes]));
        }
    }

    #[test]
    fn any_dialogue_ends_in_at_most_one_error(said in phrases(), flip in any::<Option<(u16, u8)>>()) {
        let mut said = said;
        if let Some((at, byte)) = flip && !said.is_empty() {
            let at = usize::from(at) % said.len();
            said[at] = byte;
        }
        assert_ends_once(&play(Security::DirectTls, &[&said]));
    }

    #[test]
    fn how_bytes_are_cut_does_not_matter(said in phrases(), cuts in any::<[u16; 4]>()) {
        let whole = play(Security::DirectTls, &[&said]);
        let mut at: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut) % (said.len() + 1)).collect();
        at.extend([0, said.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &said[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&whole, &play(Security::DirectTls, &pieces));
        let bytes: Vec<&[u8]> = said.chunks(1).collect();
        prop_assert_eq!(&whole, &play(Security::DirectTls, &bytes));
    }
}
