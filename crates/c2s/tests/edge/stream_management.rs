//! XEP-0198 between real sockets and a stand-in for the homes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use rookery_delivery::{Close, Custody, Delivery, SessionPort};
use rookery_stanza::{Kind, MessageType, RowId, Stanza};
use rookery_xml::Element;

use crate::fixture::{Client, Event, Fixture};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

fn message(id: &str) -> Delivery {
    let body = Element::new("body", "jabber:client").with_text("hi");
    Stanza::message(MessageType::Chat)
        .with_id(id)
        .with_payload(body)
        .into()
}

fn row(order: u64) -> RowId {
    RowId::from_halves(order, 0)
}

fn owed(id: &str, order: u64) -> Delivery {
    Delivery {
        custody: Custody::Log(row(order)),
        ..message(id)
    }
}

/// A client that is logged in and has enabled stream management, the port of its session, and what its stream is
/// resumed by.
fn managed(fixture: &Fixture) -> (Client, Arc<dyn SessionPort>, String) {
    let mut client = fixture.client();
    client.authenticate_as_juliet();
    client.bind();
    let port = fixture.port();
    client.send(ENABLE);
    let enabled = client.read_until("/>");
    assert!(enabled.contains("resume='true'"), "{enabled}");
    let id = enabled.split("id='").nth(1).unwrap();
    let id = id.split('\'').next().unwrap().to_owned();
    assert_eq!(id.len(), 32, "128 bits");
    (client, port, id)
}

/// Another connection of the same account, which asks to resume; everything up to the end of the answer.
fn resume(fixture: &Fixture, id: &str, handled: u32) -> (Client, String) {
    let mut client = fixture.client();
    client.authenticate_as_juliet();
    client.send(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{handled}'/>"
    ));
    let answer = client.read_until(">");
    (client, answer)
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let ids = deliveries.iter().map(|one| one.stanza.id.as_deref());
    ids.map(Option::unwrap).collect()
}

#[test]
fn stanzas_count_when_they_are_settled_and_the_client_is_told_unasked_then_s4() {
    let fixture = Fixture::start(|_| {});
    let (mut client, _, _) = managed(&fixture);
    fixture.hold_permits();
    client.send("<message id='1'><body>hi</body></message><r xmlns='urn:xmpp:sm:3'/>");
    assert!(
        client
            .read_until("/>")
            .ends_with("<a xmlns='urn:xmpp:sm:3' h='0'/>")
    );
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    fixture.release_permits();
    assert!(
        client
            .read_until("/>")
            .ends_with("<a xmlns='urn:xmpp:sm:3' h='1'/>")
    );
}

#[test]
fn stanzas_that_are_answered_with_an_error_count_in_both_directions_s4() {
    let fixture = Fixture::start(|_| {});
    let (mut client, _, _) = managed(&fixture);
    client.send("<message id='bad' to='@'/><r xmlns='urn:xmpp:sm:3'/>");
    client.read_until("</message>");
    assert!(
        client
            .read_until("/>")
            .ends_with("<a xmlns='urn:xmpp:sm:3' h='1'/>")
    );
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/><r xmlns='urn:xmpp:sm:3'/>");
    assert!(
        client
            .read_until("/>")
            .ends_with("<a xmlns='urn:xmpp:sm:3' h='1'/>")
    );
}

#[test]
fn rows_are_confirmed_by_the_client_and_not_by_the_socket_s4() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, _) = managed(&fixture);
    port.deliver(vec![owed("1", 7), owed("2", 8)]).unwrap();
    client.read_until("id='2'");
    let asked = client.read_until("<r xmlns='urn:xmpp:sm:3'/>");
    assert!(asked.contains("</message>"), "asked behind the messages");
    assert!(port.queued() > 0, "what is not acknowledged waits");
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    let confirmed = || {
        fixture.wait_for(|event| match event {
            Event::Confirmed(rows) => Some(rows),
            _ => None,
        })
    };
    assert_eq!(confirmed(), [row(7)]);
    client.send("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    assert_eq!(confirmed(), [row(8)]);
    while port.queued() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn lost_connection_is_resumed_and_nothing_is_lost_or_doubled_s5() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![owed("1", 1), message("2"), owed("3", 3)])
        .unwrap();
    client.read_until("id='3'");
    client.send("<message id='sent'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    client.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    port.deliver(vec![message("4")]).unwrap();

    let (mut client, answer) = resume(&fixture, &id, 2);
    assert!(
        answer.contains(&format!(
            "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='{id}'/>"
        )),
        "{answer}"
    );
    let again = client.read_until("<r xmlns='urn:xmpp:sm:3'/>");
    assert!(
        !again.contains("id='1'") && !again.contains("id='2'"),
        "{again}"
    );
    let (three, four) = (again.find("id='3'"), again.find("id='4'"));
    assert!(three.is_some() && three < four, "{again}");
    let confirmed = fixture.wait_for(|event| match event {
        Event::Confirmed(rows) => Some(rows),
        Event::Unbound(_) => panic!("the session goes on"),
        _ => None,
    });
    assert_eq!(confirmed, [row(1)]);

    client.send("<a xmlns='urn:xmpp:sm:3' h='4'/><message id='on'><body>hi</body></message><r xmlns='urn:xmpp:sm:3'/>");
    client.read_until("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    assert_eq!(fixture.metric("sm_detached_sessions"), 0);
    assert_eq!(fixture.metric("sm_resumptions_total{result=\"ok\"}"), 1);
    client.send("</stream:stream>");
    assert!(fixture.undelivered().is_empty());
}

#[test]
fn connection_that_is_replaced_ends_with_conflict_s5() {
    let fixture = Fixture::start(|_| {});
    let (mut old, port, id) = managed(&fixture);
    let (mut new, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<resumed "), "{answer}");
    let rest = old.read_until("</stream:stream>");
    assert!(
        rest.contains("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"),
        "{rest}"
    );
    port.deliver(vec![message("1")]).unwrap();
    assert!(new.read_until("</message>").contains("id='1'"));
    new.send("</stream:stream>");
    assert_eq!(
        ids(&fixture.undelivered()),
        ["1"],
        "it was not acknowledged"
    );
}

#[test]
fn resumption_waits_for_what_is_not_settled_s5() {
    let fixture = Fixture::start(|_| {});
    let (mut client, _, id) = managed(&fixture);
    fixture.hold_permits();
    client.send("<message id='1'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    client.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    let mut client = fixture.client();
    client.authenticate_as_juliet();
    client.send(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"
    ));
    fixture.wait_for_metric("sm_resumptions_waiting", 1);
    fixture.release_permits();
    assert!(
        client
            .read_until("/>")
            .contains("<resumed xmlns='urn:xmpp:sm:3' h='1'")
    );
}

#[test]
fn home_learns_that_a_client_is_away_with_what_and_that_it_is_back_s5() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![owed("1", 1), message("2"), owed("3", 3)])
        .unwrap();
    client.read_until("id='3'");
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    fixture.wait_for(|event| matches!(event, Event::Confirmed(_)).then_some(()));
    client.reset();
    assert_eq!(ids(&fixture.detached()), ["3"], "what the log waits for");
    port.deliver(vec![message("4"), owed("5", 5)]).unwrap();
    assert_eq!(ids(&fixture.detached()), ["5"], "what it is handed then");
    let (mut client, answer) = resume(&fixture, &id, 1);
    assert!(answer.contains("<resumed "), "{answer}");
    fixture.wait_for(|event| matches!(event, Event::Resumed).then_some(()));
    port.deliver(vec![owed("6", 6)]).unwrap();
    client.read_until("id='6'");
    client.send("<a xmlns='urn:xmpp:sm:3' h='6'/>");
    fixture.wait_for(|event| match event {
        Event::Detached(_) => panic!("the client is there"),
        Event::Confirmed(rows) => rows.contains(&row(6)).then_some(()),
        _ => None,
    });
}

#[test]
fn session_that_is_resumed_by_a_connection_that_has_ended_waits_again_s5() {
    let fixture = Fixture::start(|config| {
        config.stream.negotiation_timeout_seconds = 3;
        config.stream.close_timeout_seconds = 1;
    });
    let (mut client, port, id) = managed(&fixture);
    fixture.hold_permits();
    client.send("<message id='1'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    client.reset();
    fixture.detached();
    let mut gone = fixture.client();
    gone.authenticate_as_juliet();
    gone.send(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"
    ));
    fixture.wait_for_metric("sm_resumptions_waiting", 1);
    port.deliver(vec![owed("2", 2)]).unwrap();
    let end = gone.read_until("</stream:stream>");
    assert!(end.contains("<connection-timeout "), "{end}");
    fixture.wait_until_all_have_left();
    fixture.release_permits();
    assert_eq!(ids(&fixture.detached()), ["2"], "the client is away again");
    let (mut client, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<resumed "), "{answer}");
    assert!(client.read_until("</message>").contains("id='2'"));
}

#[test]
fn session_that_is_not_resumed_in_time_gives_back_what_is_not_acknowledged_s4() {
    let fixture = Fixture::start(|config| config.session.resume_timeout_seconds = 1);
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![owed("1", 1), message("2"), message("3")])
        .unwrap();
    client.read_until("id='3'");
    client.send("<a xmlns='urn:xmpp:sm:3' h='2'/><message id='x'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    client.reset();
    let undelivered = fixture.undelivered();
    assert_eq!(ids(&undelivered), ["3"]);
    let [three] = &undelivered[..] else { panic!() };
    assert!(matches!(three.stanza.kind, Kind::Message(_)));
    assert!(
        three.stanza.has("delay", "urn:xmpp:delay"),
        "when it was first sent"
    );
    assert_eq!(
        fixture.metric("sm_detached_ended_total{reason=\"expired\"}"),
        1
    );
    assert_eq!(fixture.metric("sm_unacked_stanzas"), 0);

    let (mut client, answer) = resume(&fixture, &id, 2);
    assert!(
        answer.contains("<failed xmlns='urn:xmpp:sm:3' h='1'>"),
        "{answer}"
    );
    client.read_until("</failed>");
    client.bind();
}

#[test]
fn stream_that_was_closed_is_not_resumed_s7() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![message("1")]).unwrap();
    client.read_until("id='1'");
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/></stream:stream>");
    assert!(
        fixture.undelivered().is_empty(),
        "acknowledged right before the end"
    );
    let (_, answer) = resume(&fixture, &id, 1);
    assert!(answer.contains("<failed "), "{answer}");
}

#[test]
fn stream_of_somebody_else_is_as_if_there_were_none_s5() {
    let fixture = Fixture::start(|_| {});
    let (_client, _, id) = managed(&fixture);
    let answers = [id.as_str(), "unknown"].map(|id| {
        let mut other = fixture.client();
        other.open();
        other.authenticate();
        other.open();
        other.send(&format!(
            "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"
        ));
        other.read_until("</failed>")
    });
    assert!(answers[0].contains("<item-not-found "), "{}", answers[0]);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn who_acknowledges_too_much_loses_the_stream_s6() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![message("1")]).unwrap();
    client.read_until("</message>");
    client.send("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    let rest = client.read_until("</stream:stream>");
    assert!(rest.contains("<undefined-condition "), "{rest}");
    assert!(
        rest.contains("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>"),
        "{rest}"
    );
    assert_eq!(ids(&fixture.undelivered()), ["1"]);
    let (_, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<failed "), "{answer}");
}

#[test]
fn who_resumes_with_too_much_leaves_the_stream_as_it_was_s6() {
    let fixture = Fixture::start(|_| {});
    let (client, _, id) = managed(&fixture);
    client.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    let mut other = fixture.client();
    other.authenticate_as_juliet();
    other.send(&format!(
        "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='5'/>"
    ));
    let rest = other.read_until("</stream:stream>");
    assert!(rest.contains("<handled-count-too-high "), "{rest}");
    let (_, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<resumed "), "{answer}");
}

#[test]
fn second_enable_ends_the_stream_s3() {
    let fixture = Fixture::start(|_| {});
    let (mut client, _, _) = managed(&fixture);
    client.send(ENABLE);
    let rest = client.read_until("</stream:stream>");
    assert!(
        rest.starts_with("<failed xmlns='urn:xmpp:sm:3'><unexpected-request "),
        "{rest}"
    );
    assert!(rest.contains("<policy-violation "), "{rest}");
}

#[test]
fn who_does_not_acknowledge_is_told_and_everything_goes_back() {
    let fixture = Fixture::start(|config| config.session.max_unacknowledged_stanzas = 100);
    let (mut client, port, _) = managed(&fixture);
    for id in 0..=100 {
        port.deliver(vec![message(&id.to_string())]).unwrap();
    }
    let rest = client.read_until("</stream:stream>");
    assert!(rest.contains("<policy-violation "), "{rest}");
    assert_eq!(fixture.undelivered().len(), 101);
    assert_eq!(fixture.metric("sm_queue_limit_closed_total"), 1);
}

#[test]
fn client_that_does_not_answer_has_lost_its_connection() {
    let fixture = Fixture::start(|config| config.session.acknowledge_timeout_seconds = 1);
    let (mut client, port, id) = managed(&fixture);
    port.deliver(vec![owed("1", 1)]).unwrap();
    client.read_until("<r xmlns='urn:xmpp:sm:3'/>");
    assert!(client.is_closed(), "without the end of the stream");
    assert_eq!(ids(&fixture.detached()), ["1"], "its messages wait");
    assert_eq!(fixture.metric("sm_silent_clients_total"), 1);
    let (mut client, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<resumed "), "{answer}");
    assert!(client.read_until("</message>").contains("id='1'"));
}

#[test]
fn session_without_a_connection_ends_when_more_waits_than_may() {
    let fixture = Fixture::start(|config| config.session.max_unacknowledged_stanzas = 100);
    let (client, port, id) = managed(&fixture);
    client.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    for id in 0..=100 {
        port.deliver(vec![message(&id.to_string())]).unwrap();
    }
    assert_eq!(fixture.undelivered().len(), 101);
    assert_eq!(
        fixture.metric("sm_detached_ended_total{reason=\"full\"}"),
        1
    );
    assert_eq!(fixture.metric("sm_detached_sessions"), 0);
    let (_, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<failed "), "{answer}");
}

#[test]
fn only_so_many_sessions_wait_for_their_clients() {
    let fixture = Fixture::start(|config| config.session.max_detached = 1);
    let (first, _, _) = managed(&fixture);
    first.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    let (second, _, _) = managed(&fixture);
    second.reset();
    assert!(
        fixture.undelivered().is_empty(),
        "it ended with its connection"
    );
    assert_eq!(fixture.metric("sm_detached_refused_total"), 1);
    assert_eq!(fixture.metric("sm_detached_sessions"), 1);
}

#[test]
fn session_without_a_connection_ends_when_its_resource_is_taken_or_the_node_stops() {
    let fixture = Fixture::start(|_| {});
    for reason in [Close::Conflict, Close::SystemShutdown] {
        let (client, port, _) = managed(&fixture);
        port.deliver(vec![message("1")]).unwrap();
        client.reset();
        fixture.wait_for_metric("sm_detached_sessions", 1);
        port.close(reason);
        assert_eq!(ids(&fixture.undelivered()), ["1"]);
        assert_eq!(fixture.metric("sm_detached_sessions"), 0);
    }
}

#[test]
fn stream_that_cannot_be_resumed_ends_with_its_connection_s3() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    client.send("<enable xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(client.read_until("/>"), "<enabled xmlns='urn:xmpp:sm:3'/>");
    port.deliver(vec![message("1")]).unwrap();
    client.read_until("</message>");
    client.reset();
    assert_eq!(ids(&fixture.undelivered()), ["1"]);
}

fn chat_state(id: &str) -> Delivery {
    let composing = Element::new("composing", "http://jabber.org/protocol/chatstates");
    let mut delivery = Delivery::from(
        Stanza::message(MessageType::Chat)
            .with_id(id)
            .with_payload(composing),
    );
    delivery.stanza.from = "romeo@localhost/orchard".parse().ok();
    delivery
}

#[test]
fn inactive_client_gets_what_waits_when_it_is_active_again_and_counts_it_then_xep0352_s4_2() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, _) = managed(&fixture);
    client.send("<inactive xmlns='urn:xmpp:csi:0'/><message id='x'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    port.deliver(vec![chat_state("1"), chat_state("2")])
        .unwrap();
    fixture.wait_for_metric("inactive_stanzas_total{fate=\"replaced\"}", 1);
    assert_eq!(fixture.metric("sm_unacked_stanzas"), 0, "nothing was sent");
    client.send("<active xmlns='urn:xmpp:csi:0'/>");
    assert!(client.read_until("</message>").contains("id='2'"));
    client.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    fixture.wait_for_metric("sm_unacked_stanzas", 0);
    while port.queued() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn client_that_resumes_is_active_xep0352_s5_2() {
    let fixture = Fixture::start(|_| {});
    let (mut client, port, id) = managed(&fixture);
    client.send("<inactive xmlns='urn:xmpp:csi:0'/><message id='x'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    client.reset();
    fixture.wait_for_metric("sm_detached_sessions", 1);
    port.deliver(vec![chat_state("1"), chat_state("2"), message("3")])
        .unwrap();
    fixture.wait_for_metric("inactive_stanzas_total{fate=\"replaced\"}", 1);
    port.deliver(vec![chat_state("a"), chat_state("b")])
        .unwrap();
    fixture.wait_for_metric("inactive_stanzas_total{fate=\"replaced\"}", 2);
    let (mut client, answer) = resume(&fixture, &id, 0);
    assert!(answer.contains("<resumed "), "{answer}");
    let waited = client.read_until("id='b'");
    let (two, three) = (waited.find("id='2'"), waited.find("id='3'"));
    assert!(two.is_some() && two < three, "{waited}");
    assert!(!waited.contains("id='1'") && !waited.contains("id='a'"));
    port.deliver(vec![chat_state("4")]).unwrap();
    client.read_until("id='4'");
}
