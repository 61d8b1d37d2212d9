//! XEP-0388 and XEP-0386: authentication and resource binding in one step.

use rookery_stanza::ClientId;

use super::*;
use crate::{GrantedToken, SaslCondition};

const SASL2: &str = "xmlns='urn:xmpp:sasl:2'";

fn authenticate(inside: &str) -> String {
    format!(
        "<authenticate {SASL2} mechanism='SCRAM-SHA-1'><initial-response>biws</initial-response>\
         {inside}</authenticate>"
    )
}

fn bind(inside: &str) -> String {
    authenticate(&format!("<bind xmlns='urn:xmpp:bind:0'>{inside}</bind>"))
}

fn granted(resource: Option<&str>) -> Input {
    Input::Sasl(SaslReply::Success {
        data: Some(b"v=1".to_vec()),
        jid: BareJid::parse(ACCOUNT).unwrap(),
        grants: Grants {
            client: Some(ClientId::new([7; 16])),
            resource: resource.map(str::to_owned),
            token: Some(GrantedToken {
                token: "t".to_owned(),
                expiry: 0,
            }),
        },
    })
}

fn success(identity: &str, bound: &str) -> String {
    format!(
        "<success {SASL2}><additional-data>dj0x</additional-data>\
         <authorization-identifier>{identity}</authorization-identifier>{bound}\
         <token xmlns='urn:xmpp:fast:0' expiry='1970-01-01T00:00:00Z' token='t'/></success>"
    )
}

fn failure(condition: &str) -> String {
    format!(
        "<failure {SASL2}><{condition} xmlns='{}'/></failure>",
        ns::SASL
    )
}

#[test]
fn what_can_be_done_in_one_step_is_announced_inside_tls_only_xep0388_xep0386() {
    let offered = "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-1</mechanism>\
        <mechanism>PLAIN</mechanism><inline><bind xmlns='urn:xmpp:bind:0'><inline>\
        <feature var='urn:xmpp:carbons:2'/></inline></bind><sm xmlns='urn:xmpp:sm:3'/><fast xmlns='urn:xmpp:fast:0'>\
        <mechanism>HT-SHA-256-EXPR</mechanism></fast></inline>\
        <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade></authentication>";
    assert!(Play::secure().hears(HELLO).contains(offered));
    let mut clear = Play::clear();
    assert!(!clear.hears(HELLO).contains("urn:xmpp:sasl:2"));
    assert_error(&clear.hears(&authenticate("")), "not-authorized");
}

#[test]
fn success_comes_with_features_and_without_a_new_stream_xep0388() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(&authenticate("")),
        "[start SCRAM-SHA-1 Some(\"n,,\")]"
    );
    assert_eq!(
        play.told(granted(None)),
        format!("[authenticated {ACCOUNT}]")
    );
    let said = play.hears("");
    let features = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    let expected = success(ACCOUNT, "") + features;
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(play.hears(BIND), "[bind None]");
    play.told(bound("balcony"));
    assert!(play.stream.is_bound());
}

#[test]
fn a_resource_is_bound_before_success_xep0386() {
    let mut play = Play::greeted();
    play.hears(&bind(
        "<tag>Awesome</tag><enable xmlns='urn:xmpp:carbons:2'/>",
    ));
    play.told(granted(Some("made")));
    assert_eq!(
        play.hears("<presence/>"),
        "[bind2 Some(\"Awesome/made\") carbons=true enable=false]"
    );
    let said = play.told(bound("Awesome/made"));
    let jid = format!("{ACCOUNT}/Awesome/made");
    let expected = success(&jid, "<bound xmlns='urn:xmpp:bind:0'/>") + "<stream:features>";
    assert!(said.starts_with(&expected), "{said}");
    assert!(
        !said.contains("xmpp-bind'"),
        "nothing is left to bind: {said}"
    );
    assert!(said.ends_with("[stanza <presence/>]"), "{said}");
}

#[test]
fn a_client_without_a_name_gets_another_resource_each_time_xep0386() {
    let mut play = Play::greeted();
    play.hears(&bind(""));
    play.told(granted(None));
    assert_eq!(
        play.hears(""),
        "[bind2 Some(\"id2\") carbons=false enable=false]"
    );
}

#[test]
fn a_refused_resource_leaves_the_client_authenticated_xep0386() {
    let mut play = Play::greeted();
    play.hears(&bind(""));
    play.told(granted(None));
    play.hears("");
    let refused = Input::BindRefused(rookery_stanza::Condition::ResourceConstraint.into());
    let said = play.told(refused);
    assert!(said.starts_with(&success(ACCOUNT, "")), "{said}");
    assert_eq!(play.hears(BIND), "[bind None]");
}

/// An element of stream management.
fn managed(name: &'static str) -> Element {
    Element::new(name, ns::STREAM_MANAGEMENT)
}

#[test]
fn stream_management_is_enabled_with_the_resource_xep0386_xep0198() {
    let mut play = Play::greeted();
    play.hears(&bind("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"));
    play.told(granted(Some("made")));
    assert_eq!(
        play.hears(""),
        "[bind2 Some(\"made\") carbons=false enable=true]"
    );
    let said = play.told(Input::Bound {
        jid: Jid::parse(&format!("{ACCOUNT}/made")).unwrap(),
        outcomes: vec![managed("enabled")],
    });
    let bound = "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3'/></bound>";
    assert!(
        said.starts_with(&success(&format!("{ACCOUNT}/made"), bound)),
        "{said}"
    );
}

#[test]
fn a_session_begins_in_the_state_that_its_client_says_xep0386_xep0352() {
    let mut play = Play::greeted();
    play.hears(&bind("<inactive xmlns='urn:xmpp:csi:0'/>"));
    play.told(granted(Some("made")));
    play.hears("");
    let said = play.told(bound("made"));
    assert!(
        said.ends_with("</stream:features>[nonza inactive]"),
        "{said}"
    );
}

fn resuming() -> Play {
    let resume = "<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/><bind xmlns='urn:xmpp:bind:0'/>";
    let mut play = Play::greeted();
    play.hears(&authenticate(resume));
    play.told(granted(Some("made")));
    assert_eq!(play.hears(""), "[resume x]");
    play
}

#[test]
fn another_stream_goes_on_in_one_step_without_features_xep0198() {
    let mut play = resuming();
    assert_eq!(
        play.told(resumed()),
        success(
            &format!("{ACCOUNT}/balcony"),
            "<resumed xmlns='urn:xmpp:sm:3'/>"
        )
    );
    assert_eq!(play.hears("<presence/>"), "[stanza <presence/>]");
}

#[test]
fn a_stream_that_cannot_go_on_is_replaced_in_the_same_step_xep0198() {
    let mut play = resuming();
    assert_eq!(
        play.told(Input::ResumeRefused(managed("failed"))),
        "[bind2 Some(\"made\") carbons=false enable=false]"
    );
    let outcomes = "<failed xmlns='urn:xmpp:sm:3'/><bound xmlns='urn:xmpp:bind:0'/>";
    let said = play.told(bound("made"));
    let expected = success(&format!("{ACCOUNT}/made"), outcomes) + "<stream:features>";
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn challenges_responses_and_tasks_alternate_xep0388() {
    let mut play = Play::greeted();
    play.hears(&authenticate(""));
    assert_eq!(
        play.told(Input::Sasl(SaslReply::Challenge(b"r=1".to_vec()))),
        format!("<challenge {SASL2}>cj0x</challenge>")
    );
    let response = format!("<response {SASL2}>Yz1iaXdz</response>");
    assert_eq!(play.hears(&response), "[response \"c=biws\"]");
    let task = SaslReply::Continue {
        data: Some(b"v=1".to_vec()),
        task: "UPGR-SCRAM-SHA-256",
    };
    assert_eq!(
        play.told(Input::Sasl(task)),
        format!(
            "<continue {SASL2}><additional-data>dj0x</additional-data><tasks>\
             <task>UPGR-SCRAM-SHA-256</task></tasks></continue>"
        )
    );
    let next = format!("<next {SASL2} task='UPGR-SCRAM-SHA-256'/>");
    assert_eq!(play.hears(&next), "[next UPGR-SCRAM-SHA-256]");
    let salt = Element::new("salt", ns::SCRAM_UPGRADE);
    assert_eq!(
        play.told(Input::Sasl(SaslReply::TaskData(salt))),
        format!("<task-data {SASL2}><salt xmlns='urn:xmpp:scram-upgrade:0'/></task-data>")
    );
    let answer = format!("<task-data {SASL2}><hash xmlns='urn:xmpp:scram-upgrade:0'/></task-data>");
    assert_eq!(play.hears(&answer), "[task data]");
}

#[test]
fn a_failure_leaves_everything_as_it_was_xep0388() {
    let mut play = Play::greeted();
    play.hears(&bind(""));
    let refused = Input::Sasl(SaslReply::Failure {
        condition: SaslCondition::NotAuthorized,
        text: None,
        fatal: false,
    });
    assert_eq!(play.told(refused), failure("not-authorized"));
    assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
}

#[test]
fn abort_is_answered_by_aborted_xep0388() {
    let mut play = Play::greeted();
    play.hears(&authenticate(""));
    play.told(Input::Sasl(SaslReply::Challenge(Vec::new())));
    let abort = format!("<abort {SASL2}><text>no</text></abort>");
    assert_eq!(
        play.hears(&abort),
        "[abort]".to_owned() + &failure("aborted")
    );
}

#[test]
fn mechanisms_that_are_not_offered_and_bad_base64_fail_xep0388() {
    let other = authenticate("").replace("SCRAM-SHA-1", "CRAM-MD5");
    assert_eq!(Play::greeted().hears(&other), failure("invalid-mechanism"));
    let bad = authenticate("").replace("biws", "?");
    assert_eq!(Play::greeted().hears(&bad), failure("incorrect-encoding"));
}

#[test]
fn whoever_says_anything_else_during_an_exchange_is_disconnected_xep0388() {
    let others = [
        "<presence/>".to_owned(),
        BIND.to_owned(),
        AUTH.to_owned(),
        authenticate(""),
        format!("<response xmlns='{}'/>", ns::SASL),
    ];
    for other in others {
        let mut play = Play::greeted();
        play.hears(&authenticate(""));
        play.told(Input::Sasl(SaslReply::Challenge(Vec::new())));
        assert_error(&play.hears(&other), "not-authorized");
    }
}

#[test]
fn nobody_authenticates_twice_xep0388() {
    let mut play = Play::greeted();
    play.hears(&authenticate(""));
    play.told(granted(None));
    play.hears("");
    assert_error(&play.hears(&authenticate("")), "not-authorized");
}

#[test]
fn attempts_of_both_profiles_count_together_s6_4_5() {
    let mut play = Play::greeted();
    for _ in 0..2 {
        play.hears(&authenticate("").replace("biws", "?"));
        play.hears(&AUTH.replace("biws", "?"));
    }
    assert_error(&play.hears(&authenticate("")), "policy-violation");
}

#[test]
fn a_header_from_another_domain_is_refused_inside_tls_xep0388() {
    let foreign = HELLO.replace("to=", "from='juliet@other.example' to=");
    assert_error(&Play::secure().hears(&foreign), "invalid-from");
}

#[test]
fn a_bound_client_may_send_large_stanzas_without_a_new_stream_s13_12() {
    let mut play = Play::greeted();
    play.hears(&bind(""));
    play.told(granted(None));
    play.hears("");
    play.told(bound("a"));
    let large = format!("<message><body>{}</body></message>", "x".repeat(20_000));
    assert!(play.hears(&large).starts_with("[stanza <message>"));
}
