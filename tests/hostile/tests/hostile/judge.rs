//! Whether what happens is what the row wants.

use rookery_testkit::{Client, ClientError, Received};
use rookery_xml::Element;

use crate::row::{Outcome, Stage};

const STREAM: &str = "http://etherx.jabber.org/streams";
const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// Waits for what happens, and says what is wrong with it.
pub(crate) async fn judge(
    client: &mut Client,
    stage: Stage,
    outcome: &Outcome,
) -> Result<(), String> {
    match outcome {
        Outcome::Closed => closed(client).await,
        Outcome::Stream(condition) => ended(client, condition).await,
        Outcome::Alert => alerted(client).await,
        Outcome::Ignored => ignored(client, stage).await,
        _ => answered(client, outcome).await,
    }
}

/// The next thing that is no header.
async fn next(client: &mut Client) -> Result<Received, String> {
    loop {
        match client.receive().await {
            Ok(Received::Header(_)) => {}
            Ok(received) => return Ok(received),
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn closed(client: &mut Client) -> Result<(), String> {
    match next(client).await? {
        Received::Closed => Ok(()),
        Received::StreamEnd => match next(client).await? {
            Received::Closed => Ok(()),
            received => Err(format!("after the end: {}", shown(&received))),
        },
        received => Err(shown(&received)),
    }
}

/// What comes is not XML any more, but an alert of TLS (RFC 8446 §6).
async fn alerted(client: &mut Client) -> Result<(), String> {
    match client.receive().await {
        Err(ClientError::Xml(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A stream error, once a header was there, and then the end of everything (RFC 6120 §4.9.1.1). The
/// connection ends when the client has closed its side.
async fn ended(client: &mut Client, condition: &str) -> Result<(), String> {
    let Received::Element(error) = next(client).await? else {
        return Err("the connection ended without an error".to_owned());
    };
    let named = error
        .is("error", STREAM)
        .then(|| named(&error, STREAMS))
        .flatten();
    if !is_among(named, condition) {
        return Err(describe(&error));
    }
    match next(client).await? {
        Received::StreamEnd => {}
        received => return Err(format!("after the error: {}", shown(&received))),
    }
    drop(client.send("</stream:stream>").await);
    // After bytes that were no XML the server may not find the end of the stream in what follows.
    drop(client.shut_down().await);
    match next(client).await? {
        Received::Closed => Ok(()),
        received => Err(format!("after the end: {}", shown(&received))),
    }
}

/// The next answer is that to a question that anybody may ask at this stage.
async fn ignored(client: &mut Client, stage: Stage) -> Result<(), String> {
    let question = match stage {
        Stage::Bound => "<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>",
        Stage::Secured => "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        _ => return Err("nothing can be asked here".to_owned()),
    };
    client
        .send(question)
        .await
        .map_err(|error| error.to_string())?;
    match next(client).await? {
        Received::Element(answer) if answer.attribute("id") == Some("after") => Ok(()),
        Received::Element(answer) if named(&answer, SASL) == Some("aborted") => Ok(()),
        received => Err(shown(&received)),
    }
}

async fn answered(client: &mut Client, outcome: &Outcome) -> Result<(), String> {
    let own = client.jid().to_owned();
    let answer = match next(client).await? {
        Received::Element(answer) => answer,
        received => return Err(shown(&received)),
    };
    let holds = match outcome {
        Outcome::Sasl(condition) => {
            answer.is("failure", SASL) && is_among(named(&answer, SASL), condition)
        }
        Outcome::Stanza(condition) => {
            // In the namespace of its stream.
            let error = answer.child("error", answer.namespace());
            answer.attribute("type") == Some("error")
                && is_among(error.and_then(|error| named(error, STANZAS)), condition)
        }
        Outcome::Element(name) => answer.name() == name,
        Outcome::Result => answer.attribute("type") == Some("result"),
        Outcome::Stamped => {
            answer.attribute("from") == Some(own.as_str())
                && answer.attribute("type") != Some("error")
        }
        _ => false,
    };
    if holds {
        Ok(())
    } else {
        Err(describe(&answer))
    }
}

/// Whether it is the condition that is wanted, or one of them where the standard leaves the choice.
fn is_among(named: Option<&str>, wanted: &str) -> bool {
    named.is_some_and(|named| wanted.split('|').any(|it| it == named))
}

/// The name of the condition in an error.
fn named<'a>(error: &'a Element, namespace: &str) -> Option<&'a str> {
    let mut conditions = error
        .children()
        .filter(|it| it.namespace() == namespace && it.name() != "text");
    conditions.next().map(Element::name)
}

fn shown(received: &Received) -> String {
    match received {
        Received::Element(element) => describe(element),
        other => format!("{other:?}"),
    }
}

/// The names in an element, for people.
fn describe(element: &Element) -> String {
    let children: Vec<_> = element.children().map(describe).collect();
    format!("<{}>{}</>", element.name(), children.concat())
}

/// What was sent to somebody who had closed already is not what matters.
pub(crate) fn sent(result: Result<(), ClientError>) -> Result<(), String> {
    match result {
        Ok(()) | Err(ClientError::Io(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
