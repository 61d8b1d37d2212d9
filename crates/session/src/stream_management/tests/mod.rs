//! XEP-0198: the rules, one by one. `model.rs` plays random histories.

mod model;
mod record;

use std::time::Duration;

use rookery_delivery::Custody;
use rookery_stanza::{IqType, MessageType, RowId, Stanza};
use tokio::time::Instant;

use super::*;

/// A message whose id is `number`; the store waits for it if it has a position.
fn delivery(number: u64, position: Option<u64>) -> Delivery {
    let mut delivery =
        Delivery::from(Stanza::message(MessageType::Chat).with_id(number.to_string()));
    delivery.custody = position.map_or(Custody::Session, |order| {
        Custody::Log(RowId::from_halves(order, 0))
    });
    delivery
}

fn offer(max: u32) -> Resumable {
    Resumable {
        id: SmId::new("some-long-sm-id"),
        max,
        location: None,
    }
}

/// Stream management that is enabled and can be resumed for 300 seconds.
fn enabled() -> StreamManagement {
    let mut management = StreamManagement::default();
    let resume = Enable {
        resume: true,
        max: None,
    };
    management.enable(resume, true, Some(offer(300)));
    management
}

/// Whose queue holds the messages 1 to `count`, all awaited.
fn with_queue(count: u64) -> StreamManagement {
    let mut management = enabled();
    for number in 1..=count {
        management.sent(&delivery(number, Some(number)), 1000 + number);
    }
    management
}

/// What is written for an effect, for people.
fn shown(effects: &[Effect]) -> Vec<String> {
    let show = |effect: &Effect| match effect {
        Effect::Reply(reply) => String::from_utf8(
            reply
                .to_element()
                .to_bytes(rookery_stanza::ns::STREAM_MANAGEMENT)
                .to_vec(),
        )
        .unwrap(),
        Effect::Confirmed(stanzas) => format!("confirmed {}", ids(stanzas).join(" ")),
        Effect::Fail(error) => String::from_utf8(error.to_bytes().to_vec()).unwrap(),
    };
    effects.iter().map(show).collect()
}

fn ids(stanzas: &[Unacknowledged]) -> Vec<&str> {
    stanzas
        .iter()
        .map(|stanza| stanza.delivery.stanza.id.as_deref().unwrap())
        .collect()
}

const UNEXPECTED: &str =
    "<failed><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";

#[test]
fn client_enables_after_binding_s3() {
    let mut management = StreamManagement::default();
    let early = management.enable(Enable::default(), false, Some(offer(300)));
    assert_eq!(shown(&early), [UNEXPECTED]);
    assert!(!management.is_enabled());
    let enabled = management.enable(Enable::default(), true, Some(offer(300)));
    assert_eq!(
        shown(&enabled),
        ["<enabled/>"],
        "it did not ask for resumption"
    );
    assert_eq!(management.id(), None);
}

#[test]
fn a_second_enable_ends_the_stream_s3() {
    let mut management = enabled();
    let effects = management.enable(Enable::default(), true, None);
    assert_eq!(
        shown(&effects),
        [
            UNEXPECTED,
            "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>\
             stream management is enabled already</text></stream:error>"
        ]
    );
}

#[test]
fn stream_can_be_resumed_as_long_as_both_want_s3() {
    let granted = |asked, offered| {
        let mut management = StreamManagement::default();
        let enable = Enable {
            resume: true,
            max: asked,
        };
        shown(&management.enable(enable, true, offered)).concat()
    };
    let of = |max| format!("<enabled id='some-long-sm-id' resume='true' max='{max}'/>");
    assert_eq!(granted(None, Some(offer(300))), of(300));
    assert_eq!(granted(Some(60), Some(offer(300))), of(60));
    assert_eq!(granted(Some(900), Some(offer(300))), of(300));
    assert_eq!(granted(None, None), "<enabled/>");
}

#[test]
fn nothing_is_acknowledged_before_it_is_enabled_s4() {
    let mut management = StreamManagement::default();
    assert_eq!(management.received(), None);
    assert_eq!(shown(&[management.requested()]), [UNEXPECTED]);
    assert_eq!(shown(&management.answered(0, Instant::now())), [UNEXPECTED]);
    management.sent(&delivery(1, Some(1)), 0);
    assert_eq!(management.flushed(Instant::now()), None);
    assert_eq!(management.waiting(), (0, 0));
    assert!(!management.detach(0));
}

#[test]
fn counts_begin_when_it_is_enabled_s4() {
    let mut management = StreamManagement::default();
    management.sent(&delivery(1, Some(1)), 0);
    management.received();
    management.enable(Enable::default(), true, None);
    assert_eq!(management.received(), Some(1));
    management.settled(1);
    assert_eq!(shown(&[management.requested()]), ["<a h='1'/>"]);
    management.sent(&delivery(2, Some(2)), 0);
    assert_eq!(
        shown(&management.answered(1, Instant::now())),
        ["confirmed 2"]
    );
}

#[test]
fn answer_is_sent_unasked_when_what_was_asked_about_is_settled_s4() {
    let mut management = enabled();
    let first = management.received().unwrap();
    let second = management.received().unwrap();
    assert_eq!(shown(&[management.requested()]), ["<a h='0'/>"]);
    assert_eq!(management.settled(second), None);
    assert_eq!(management.settled(first), Some(Reply::Answer(2)));
}

#[test]
fn client_confirms_in_order_s4() {
    let mut management = with_queue(4);
    let now = Instant::now();
    assert_eq!(shown(&management.answered(2, now)), ["confirmed 1 2"]);
    assert_eq!(shown(&management.answered(2, now)), [""; 0], "no news");
    assert_eq!(
        shown(&management.answered(1, now)),
        [""; 0],
        "older than that"
    );
    assert_eq!(shown(&management.answered(4, now)), ["confirmed 3 4"]);
    assert_eq!(management.waiting(), (0, 0));
}

#[test]
fn a_count_that_is_too_high_ends_the_stream_s6() {
    for (handled, sent) in [(10, 8), (9, 8), (u32::MAX, 8), (1 << 31, 8), (1, 0)] {
        let mut management = with_queue(sent);
        let effects = shown(&management.answered(handled, Instant::now()));
        assert_eq!(
            effects,
            [format!(
                "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>\
                 {handled} stanzas were acknowledged, {sent} were sent</text>\
                 <handled-count-too-high xmlns='urn:xmpp:sm:3' h='{handled}' send-count='{sent}'/></stream:error>"
            )]
        );
        assert_eq!(
            management.into_unacknowledged().len() as u64,
            sent,
            "nothing is taken for delivered"
        );
    }
}

#[test]
fn malformed_elements_have_answers_s6() {
    let bad_request = "<failed><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    for error in [ElementError::Enable, ElementError::Resume] {
        assert_eq!(shown(&[StreamManagement::malformed(error)]), [bad_request]);
    }
    let fatal = shown(&[StreamManagement::malformed(ElementError::Answer)]).concat();
    assert!(fatal.starts_with("<stream:error><invalid-xml "));
}

#[test]
fn server_asks_once_behind_what_the_store_waits_for_s8_2() {
    let now = Instant::now();
    let mut management = enabled();
    management.sent(&delivery(1, None), 0);
    assert_eq!(management.flushed(now), None, "nobody waits for presence");
    management.sent(&delivery(2, Some(1)), 0);
    assert_eq!(management.flushed(now), Some(Reply::Request));
    management.sent(&delivery(3, Some(2)), 0);
    assert_eq!(management.flushed(now), None, "one question is open");
    assert_eq!(
        shown(&management.answered(2, now)),
        ["confirmed 1 2", "<r/>"],
        "the last one was sent behind the question"
    );
    assert_eq!(shown(&management.answered(3, now)), ["confirmed 3"]);
    assert_eq!(management.deadline(), None);
}

#[test]
fn server_asks_about_many_stanzas_that_nobody_waits_for() {
    let mut management = enabled();
    let now = Instant::now();
    for number in 1..32 {
        management.sent(&delivery(number, None), 0);
        assert_eq!(management.flushed(now), None);
    }
    management.sent(&delivery(32, None), 0);
    assert_eq!(management.flushed(now), Some(Reply::Request));
}

#[test]
fn client_that_does_not_keep_up_is_asked_again_after_a_while() {
    let now = Instant::now();
    let mut management = with_queue(3);
    management.flushed(now);
    assert_eq!(shown(&management.answered(1, now)), ["confirmed 1"]);
    let again = now + Duration::from_secs(10);
    assert_eq!(management.deadline(), Some(again));
    assert_eq!(management.due(now), Due::Nothing);
    assert_eq!(management.due(again), Due::Ask);
}

#[test]
fn client_that_never_answers_has_lost_its_connection() {
    let now = Instant::now();
    let mut management = with_queue(1);
    management.flushed(now);
    let late = now + Duration::from_secs(60);
    assert_eq!(management.deadline(), Some(late));
    assert_eq!(
        management.due(now + Duration::from_millis(59_999)),
        Due::Nothing
    );
    assert_eq!(management.due(late), Due::Silent);
    assert!(management.detach(5_000));
    assert_eq!(management.deadline(), None);
    assert_eq!(management.expires(), Some(305_000));
}

#[test]
fn queue_has_bounds_of_stanzas_and_bytes() {
    let limits = Limits {
        stanzas: 3,
        bytes: 1000,
        ..Limits::default()
    };
    let mut management = enabled().with_limits(limits);
    let large = || Delivery::from(Stanza::message(MessageType::Chat).with_id("x".repeat(2000)));
    let batch = |count: u64| {
        (0..count)
            .map(|number| delivery(number, None))
            .collect::<Vec<_>>()
    };
    assert!(
        management.has_room(&[large()]),
        "an empty queue takes everything"
    );
    management.sent(&delivery(1, None), 0);
    assert!(management.has_room(&batch(2)));
    assert!(!management.has_room(&batch(3)));
    assert!(!management.has_room(&[large()]));
    assert_eq!(management.waiting().0, 1);
}

#[test]
fn resumption_carries_counts_over_and_sends_again_what_was_lost_s5() {
    let mut management = with_queue(4);
    let number = management.received().unwrap();
    management.settled(number);
    management.detach(0);
    let resumed = management.resume(2).unwrap();
    assert_eq!(
        shown(&[Effect::Reply(resumed.reply)]),
        ["<resumed h='1' previd='some-long-sm-id'/>"]
    );
    assert_eq!(ids(&resumed.confirmed), ["1", "2"]);
    let again = resumed
        .again
        .iter()
        .map(|delivery| delivery.stanza.id.as_deref());
    assert_eq!(again.collect::<Vec<_>>(), [Some("3"), Some("4")]);
    assert_eq!(management.expires(), None, "it has a connection");
    assert_eq!(management.waiting().0, 2, "they are not acknowledged yet");
    assert_eq!(
        shown(&management.answered(4, Instant::now())),
        ["confirmed 3 4"]
    );
}

#[test]
fn resumption_waits_for_stanzas_of_the_former_connection() {
    let mut management = enabled();
    let number = management.received().unwrap();
    management.detach(0);
    assert_eq!(management.resume(0).unwrap_err(), ResumeError::Unsettled(1));
    management.settled(number);
    assert!(management.resume(0).is_ok());
}

#[test]
fn resumption_with_a_count_too_high_leaves_the_former_stream_s6() {
    let mut management = with_queue(2);
    management.detach(0);
    let error = management.resume(3).unwrap_err();
    assert_eq!(
        error,
        ResumeError::TooHigh(TooHigh {
            handled: 3,
            sent: 2
        })
    );
    assert_eq!(management.expires(), Some(300_000));
    assert!(management.resume(2).is_ok());
}

#[test]
fn stream_that_was_not_made_to_be_resumed_is_not_s5() {
    let mut management = StreamManagement::default();
    assert_eq!(management.resume(0).unwrap_err(), ResumeError::NotResumable);
    management.enable(Enable::default(), true, None);
    assert!(!management.detach(0));
    assert_eq!(management.resume(0).unwrap_err(), ResumeError::NotResumable);
}

#[test]
fn what_is_left_goes_another_way_with_its_first_time_s4() {
    let mut management = with_queue(3);
    management.answered(1, Instant::now());
    let left = management.into_unacknowledged();
    assert_eq!(ids(&left), ["2", "3"]);
    assert_eq!(
        left.iter().map(|stanza| stanza.sent).collect::<Vec<_>>(),
        [1002, 1003]
    );
}

#[test]
fn a_request_that_was_answered_is_answered_by_nobody_else_rfc6120_s8_2_3() {
    let ask = |id: &str| {
        let mut request = Stanza::iq(IqType::Get, id);
        request.from = Some("romeo@example.net/orchard".parse().unwrap());
        request
    };
    let mut management = enabled();
    for id in ["one", "two", "one"] {
        management.sent(&ask(id).into(), 1);
    }
    management.answers(&ask("one").result_reply(None));
    // Ids are those of whoever asks.
    let mut another = ask("two").result_reply(None);
    another.to = Some("nurse@example.net/orchard".parse().unwrap());
    management.answers(&another);
    let left = management.into_unacknowledged();
    let missed = left
        .iter()
        .map(|one| one.delivery.custody != Custody::Copy)
        .collect::<Vec<_>>();
    assert_eq!(missed, [false, true, true]);
}
