//! The edge with real sockets: connections, sessions and a stand-in for the homes of accounts.

mod fixture;
mod scram;
mod stream_management;

use std::time::Duration;

use fixture::{Event, Fixture};
use rookery_delivery::{Close, Custody, Delivery};
use rookery_stanza::{MessageType, RowId, Stanza};
use rookery_xml::Element;

fn chat(id: &str, size: usize) -> Delivery {
    let body = Element::new("body", "jabber:client").with_text("x".repeat(size));
    Stanza::message(MessageType::Chat)
        .with_id(id)
        .with_payload(body)
        .into()
}

#[test]
fn stanzas_of_one_client_are_handed_over_in_order_and_stamped() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    let jid = client.log_in();
    for id in 0..500 {
        client.send(&format!(
            "<message to='juliet@localhost' id='{id}'><body>hi</body></message>"
        ));
    }
    let mut next = 0;
    while next < 500 {
        let Event::Submitted(stanzas) = fixture.event() else {
            continue;
        };
        for stanza in stanzas {
            assert_eq!(stanza.id.as_deref(), Some(next.to_string().as_str()));
            assert_eq!(stanza.from.as_ref().unwrap().as_str(), jid);
            next += 1;
        }
    }
}

#[test]
fn what_a_dead_client_did_not_get_is_given_back_in_order() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    // More than the kernel's buffers on both sides take, in pieces that the budget allows.
    let sent =
        (0..30_u32).take_while(|id| port.deliver(vec![chat(&id.to_string(), 200_000)]).is_ok());
    let sent: Vec<_> = sent.collect();
    assert!(sent.len() > 10);
    client.reset();
    let undelivered = fixture.undelivered();
    let ids: Vec<u32> = undelivered
        .iter()
        .filter_map(|delivery| delivery.stanza.id.as_deref()?.parse().ok())
        .collect();
    assert_eq!(ids.last(), sent.last());
    assert!(
        ids.is_sorted() && ids.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{ids:?}"
    );
}

#[test]
fn a_client_that_does_not_read_is_told_and_costs_no_more_than_its_budget() {
    let fixture = Fixture::start(|config| config.session.max_outgoing_bytes = 1_000_000);
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    let mut taken = 0;
    while port.deliver(vec![chat("m", 100_000)]).is_ok() {
        taken += 1;
        assert!(taken < 1_000, "the budget does not bound");
    }
    let read = client
        .read_until("policy-violation")
        .matches("id='m'")
        .count();
    drop(client);
    let undelivered = fixture.undelivered().len();
    // What the socket had not taken may come both ways; nothing is lost.
    assert!(
        undelivered <= taken && read + undelivered >= taken,
        "{read}, {undelivered} of {taken}"
    );
}

#[test]
fn a_session_whose_resource_is_taken_goes_at_once_and_is_told_conflict_s7_7_2_2() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    port.close(Close::Conflict);
    // The client does not close its side, and nobody has to wait for that.
    assert!(fixture.undelivered().is_empty());
    let rest = client.read_until("</stream:stream>");
    assert!(
        rest.contains("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"),
        "{rest}"
    );
}

#[test]
fn when_the_node_stops_what_was_delivered_before_is_flushed() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    port.deliver(vec![chat("last", 10)]).unwrap();
    port.close(Close::SystemShutdown);
    let rest = client.read_until("</stream:stream>");
    assert!(rest.contains("<body>"), "{rest}");
    assert!(rest.contains("<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
}

#[test]
fn clients_without_a_session_are_told_that_the_node_stops_s4_9_3_18() {
    let fixture = Fixture::start(|_| {});
    let (mut stranger, mut unbound) = (fixture.client(), fixture.client());
    stranger.open();
    unbound.open();
    unbound.authenticate();
    unbound.open();
    fixture.stop();
    for mut client in [stranger, unbound] {
        let rest = client.read_until("</stream:stream>");
        assert!(rest.contains("<system-shutdown "), "{rest}");
        client.send("</stream:stream>");
        assert!(client.is_closed());
    }
}

#[test]
fn what_a_client_says_while_it_has_much_to_read_is_heard_once_it_has_read() {
    let fixture = Fixture::start(|config| config.session.max_outgoing_bytes = 64_000_000);
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    for round in 0..5_usize {
        // Far more than a socket takes, and what is left for the last write differs each time.
        let much = (0..120)
            .map(|_| chat("much", 100_000 + round * 300))
            .chain([chat("end", 1)]);
        port.deliver(much.collect()).unwrap();
        client.send(&format!("<message id='{round}'><body>hi</body></message>"));
        client.read_until("id='end' type='chat'><body>x</body></message>");
        let heard = fixture.wait_for(|event| match event {
            Event::Submitted(stanzas) => stanzas.first().and_then(|stanza| stanza.id.clone()),
            _ => None,
        });
        assert_eq!(*heard, *round.to_string());
    }
}

#[test]
fn nothing_is_read_from_a_client_that_leaves_the_answers_to_its_faults_unread() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    client.set_write_timeout(Duration::from_secs(1));
    // A recipient that is none; each answer is far longer.
    let faults = "<message to='@'/>".repeat(4_000);
    let mut sent = 0;
    while client.try_send(&faults) {
        sent += 1;
        assert!(sent < 2_000, "136 MB are read, and their answers are kept");
    }
}

#[test]
fn what_a_client_says_last_is_handed_over_before_its_session_ends() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    client.send("<message id='last'><body>bye</body></message></stream:stream>");
    let last = fixture.wait_for(|event| match event {
        Event::Submitted(stanzas) => stanzas.first().and_then(|stanza| stanza.id.clone()),
        Event::Unbound(_) => panic!("the session ended first"),
        _ => None,
    });
    assert_eq!(&*last, "last");
    assert!(fixture.undelivered().is_empty());
}

#[test]
fn a_client_that_closes_its_stream_and_stays_is_disconnected_s4_4() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    client.send("</stream:stream>");
    client.read_until("</stream:stream>");
    assert!(client.is_closed());
}

#[test]
fn a_client_that_says_more_than_is_heard_still_reads_why_its_stream_ended_s4_9() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let unheard = " ".repeat(1024 * 1024);
    client.send(&format!("<unknown/></stream:stream>{unheard}"));
    let rest = client.read_until("</stream:stream>");
    assert!(rest.contains("<unsupported-stanza-type "), "{rest}");
    let end = client.read_to_end();
    assert!(end.is_ok(), "the connection was reset: {end:?}");
}

#[test]
fn confirmed_rows_were_written() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let port = fixture.port();
    let rows = [3, 4].map(|order| RowId::from_halves(order, 0));
    let deliveries = rows.map(|row| Delivery {
        custody: Custody::Log(row),
        ..chat("m", 5)
    });
    port.deliver(deliveries.into()).unwrap();
    let confirmed = fixture.wait_for(|event| match event {
        Event::Confirmed(rows) => Some(rows),
        _ => None,
    });
    assert_eq!(confirmed, rows);
    client.read_until("</message><message");
}

#[test]
fn nothing_is_read_from_a_client_whose_stanzas_are_not_settled() {
    let fixture = Fixture::start(|config| config.session.max_in_flight_stanzas = 10);
    fixture.hold_permits();
    let mut client = fixture.client();
    client.log_in();
    client.set_write_timeout(Duration::from_millis(200));
    let stanza = format!("<message><body>{}</body></message>", "x".repeat(9_000));
    let mut written = 0;
    while client.try_send(&stanza) {
        written += 1;
        assert!(written < 10_000, "TCP never pushes back");
    }
    let before = fixture.submitted();
    assert!(before < written, "{before} of {written} were read");
    fixture.release_permits();
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
}

#[test]
fn a_resource_that_is_bound_after_its_client_has_left_is_given_back() {
    let fixture = Fixture::start(|config| config.stream.negotiation_timeout_seconds = 1);
    fixture.hold_binds();
    let mut client = fixture.client();
    client.ask_for_a_resource();
    fixture.port();
    client.reset();
    fixture.wait_until_all_have_left();
    fixture.release_binds();
    assert!(fixture.undelivered().is_empty());
}

#[test]
fn a_client_that_ends_its_side_has_not_reset_the_connection() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.client();
    client.log_in();
    let secured = "sessions_by_security{channel_binding=\"none\",mechanism=\"ANONYMOUS\",tls_version=\"none\"}";
    assert_eq!(fixture.metric(secured), 1);
    drop(client);
    assert!(fixture.undelivered().is_empty());
    fixture.wait_until_all_have_left();
    assert_eq!(fixture.metric(secured), 0);
    let closed = |reason: &str| {
        fixture.metric(&format!(
            "connections_closed_total{{listener=\"c2s\",reason=\"{reason}\"}}"
        ))
    };
    assert_eq!((closed("client"), closed("tcp_reset")), (1, 0));
    assert_eq!(fixture.metric("connections{listener=\"c2s\"}"), 0);
}

#[test]
fn nothing_is_read_from_a_client_whose_few_large_stanzas_are_not_settled() {
    let fixture = Fixture::start(|config| config.session.max_in_flight_bytes = 100_000);
    fixture.hold_permits();
    let mut client = fixture.client();
    client.log_in();
    client.set_write_timeout(Duration::from_millis(200));
    let stanza = format!("<message><body>{}</body></message>", "x".repeat(200_000));
    let mut written = 0;
    while client.try_send(&stanza) {
        written += 1;
        assert!(written < 500, "TCP never pushes back");
    }
    let before = fixture.submitted();
    assert!(before < written, "{before} of {written} were read");
    fixture.release_permits();
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
}

#[test]
fn more_connections_than_allowed_are_closed() {
    let fixture = Fixture::start(|config| config.limits.unauthenticated_per_address = 2);
    let mut clients = [fixture.client(), fixture.client()];
    for client in &mut clients {
        client.open();
    }
    let mut third = fixture.client();
    let told = third.read_until("</stream:stream>");
    assert!(told.contains("<resource-constraint "), "{told}");
    assert!(third.is_closed());
    clients[0].authenticate();
    let mut fourth = fixture.client();
    fourth.open();
}

#[test]
fn a_node_that_is_short_of_memory_takes_neither_connections_nor_logins_s4_9_3_17() {
    let fixture = Fixture::start(|_| {});
    let (mut inside, mut halfway) = (fixture.client(), fixture.client());
    inside.log_in();
    halfway.open();
    fixture.set_short_of_memory(true);
    let mut outside = fixture.client();
    halfway.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
    for client in [&mut outside, &mut halfway] {
        let told = client.read_until("</stream:stream>");
        assert!(told.contains("<resource-constraint "), "{told}");
    }
    let rejected = "connections_rejected_total{listener=\"c2s\",reason=\"memory\"}";
    assert_eq!(fixture.metric(rejected), 1);
    inside.send("<message id='on'><body>hi</body></message>");
    fixture.wait_for(|event| matches!(event, Event::Submitted(_)).then_some(()));
    fixture.set_short_of_memory(false);
    fixture.client().log_in();
}

#[test]
fn a_client_that_sends_faster_than_its_rate_is_slowed_and_loses_nothing_s13_12() {
    let fixture = Fixture::start(|config| config.limits.stanzas_per_second = 200);
    let mut client = fixture.client();
    client.log_in();
    let began = tokio::time::Instant::now();
    client.send(&"<message><body>hi</body></message>".repeat(600));
    let mut heard = 0;
    while heard < 600 {
        if let Event::Submitted(stanzas) = fixture.event() {
            heard += stanzas.len();
        }
    }
    // Two seconds' worth came at once, and the last turn of 64 on credit.
    let least = Duration::from_millis(1_000 * (600 - 400 - 64) / 200);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    let limited = fixture.metric("rate_limited_total{limiter=\"read_stanzas\"}");
    assert!(limited > 0);
    assert_eq!(
        fixture.metric("rate_limited_total{limiter=\"read_bytes\"}"),
        0
    );
}

#[test]
fn a_tls_handshake_that_does_not_go_on_is_given_up() {
    let fixture = Fixture::start(|config| {
        config.direct.address.clone_from(&config.starttls.address);
        config.stream.negotiation_timeout_seconds = 1;
    });
    let mut client = fixture.client_without_tls();
    // The beginning of a record with a ClientHello.
    client.send_bytes(&[22, 3, 1, 1, 0, 1]);
    client.read_to_end().unwrap();
    fixture.wait_for_metric(
        "tls_handshakes_total{listener=\"c2s_tls\",result=\"timeout\"}",
        1,
    );
}

fn behind_a_proxy(config: &mut rookery_c2s::Config) {
    let loopback = "127.0.0.1".parse();
    config.starttls.proxy_protocol.trusted = loopback.into_iter().collect();
    config.limits.unauthenticated_per_address = 1;
}

#[test]
fn limits_concern_the_clients_of_a_trusted_proxy_and_not_the_proxy() {
    let fixture = Fixture::start(behind_a_proxy);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x02\x7f\0\0\x01\x10\0\x14\x66";
    let (mut one, mut two) = (fixture.client(), fixture.client());
    // The stream follows in the same breath, and the header comes in pieces.
    one.send("PROXY TCP4 192.0.2.1 127.");
    one.send("0.0.1 4000 5222\r\n");
    one.open();
    two.send_bytes(v2);
    two.open();
    let mut three = fixture.client();
    three.send_bytes(v2);
    let told = three.read_until("</stream:stream>");
    assert!(told.contains("<resource-constraint "), "{told}");
    let mut local = fixture.client();
    local.send_bytes(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    local.open();
}

#[test]
fn a_trusted_proxy_that_does_not_say_whom_it_speaks_for_is_refused() {
    let fixture = Fixture::start(behind_a_proxy);
    for garbage in ["<?xml version='1.0'?>", "PROXY TCP4 nobody\r\n"] {
        let mut client = fixture.client();
        client.send(garbage);
        assert!(client.is_closed());
    }
    let rejected = "connections_rejected_total{listener=\"c2s\",reason=\"proxy_header\"}";
    fixture.wait_for_metric(rejected, 2);
}

#[test]
fn a_proxy_that_is_being_set_up_may_leave_its_header_out() {
    let fixture = Fixture::start(|config| {
        behind_a_proxy(config);
        config.starttls.proxy_protocol.header = rookery_c2s::ProxyHeader::Optional;
    });
    let (mut with, mut without) = (fixture.client(), fixture.client());
    with.send("PROXY TCP6 2001:db8::1 ::1 1 2\r\n");
    with.open();
    without.open();
}

#[test]
fn a_header_from_somebody_who_is_not_trusted_is_garbage() {
    let fixture = Fixture::start(|config| {
        config.starttls.proxy_protocol.trusted = vec!["192.0.2.0/24".parse().unwrap()];
    });
    let mut client = fixture.client();
    client.send("PROXY TCP4 192.0.2.1 127.0.0.1 4000 5222\r\n");
    let told = client.read_until("</stream:stream>");
    assert!(told.contains("<stream:error>"), "{told}");
}
