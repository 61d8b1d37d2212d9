//! Rows that take more than bytes: time, several connections, other transports.

mod binding;
mod components;
mod enumeration;
mod floods;
mod keeping;
mod logins;
mod patience;
mod questions;
mod rates;
mod registration;
mod tls;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use rookery_testkit::{Client, ClientError, Received, Server};
use rookery_xml::Element;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::company::Company;
use crate::row::Stage;

/// What is wrong with what happened.
pub(crate) type Verdict = Result<(), Box<dyn Error>>;

/// What a row does.
pub(crate) type Act = for<'a> fn(&'a Company, IpAddr) -> LocalBoxFuture<'a, Verdict>;

/// Longer than anything that is allowed on the server in a hurry, even while the machine has much to do.
const LONG: Duration = Duration::from_secs(20);

macro_rules! acts {
    ($($module:ident: $($name:ident)+;)+) => {
        &[$($((stringify!($name), |company, source| $module::$name(company, source).boxed_local())),+),+]
    };
}

/// Each by the name that its row says.
pub(crate) const ACTS: &[(&str, Act)] = acts! {
    binding:
        what_is_right_in_all_is_accepted
        a_proof_for_another_connection_is_refused
        a_proof_for_another_certificate_is_refused
        a_downgrade_is_refused_whatever_is_proved
        a_header_that_changed_is_refused
        a_nonce_without_the_servers_part_is_refused;
    components:
        secrets_are_guessed_only_so_often
        who_never_proves_anything_is_let_go
        a_component_that_floods_loses_nothing_and_disturbs_nobody
        who_writes_to_a_component_that_does_not_read_is_told;
    enumeration:
        answers_do_not_tell_who_exists
        time_does_not_tell_who_exists
        the_same_work_is_done_for_who_does_not_exist
        salts_of_unknown_names_stay;
    floods:
        an_account_has_so_many_sessions
        a_roster_has_so_many_items
        requests_to_subscribe_are_kept_up_to_a_bound
        messages_are_kept_up_to_a_bound
        who_never_reads_is_let_go
        who_asks_and_never_reads_is_slowed_or_let_go
        an_address_has_so_many_strangers
        hundreds_that_connect_and_go_leave_nothing
        a_storm_of_logins_leaves_others_in_peace;
    keeping:
        a_vcard_has_so_many_bytes
        private_elements_have_a_number
        an_account_keeps_so_many_bytes
        an_element_is_told_once_however_often_asked
        a_block_list_has_so_many_items
        a_roster_has_so_many_bytes;
    logins:
        an_address_that_fails_too_often_is_refused
        nonces_of_the_server_are_never_the_same
        elements_that_cost_nothing_are_counted;
    patience:
        who_says_nothing_is_let_go
        who_begins_no_handshake_is_let_go
        a_header_byte_by_byte_takes_no_longer_than_allowed
        white_space_does_not_buy_time
        half_a_handshake_takes_no_longer_than_allowed
        a_challenge_without_response_takes_no_longer_than_allowed
        who_never_binds_is_let_go
        who_does_not_close_is_closed
        half_a_connection_is_a_closed_one
        half_a_stanza_is_delivered_to_nobody
        a_stanza_byte_by_byte_arrives_whole;
    questions:
        requests_that_nobody_answers_cost_nothing_that_stays
        pushes_that_nobody_answers_cost_nothing_that_stays
        capabilities_that_nobody_explains_cost_nothing_that_stays
        answers_to_nothing_change_nothing;
    rates:
        an_address_has_so_many_connections
        an_address_connects_so_often_in_a_minute
        more_logins_wait_for_their_turn
        logins_beyond_the_queue_of_hashers_are_put_off
        who_sends_faster_than_allowed_is_slowed;
    registration:
        an_address_makes_so_many_accounts
        names_are_tried_only_so_often
        nobody_touches_an_account_before_login
        nobody_touches_the_account_of_another;
    tls:
        a_record_of_tls_that_is_too_large_ends_the_connection
        what_is_no_handshake_ends_the_connection
        old_versions_of_tls_are_refused
        weak_suites_are_refused
        each_suite_that_is_safe_is_spoken;
};

/// Accounts that acts need for themselves.
pub(crate) fn accounts() -> Vec<String> {
    let names = [
        "crowd", "silent", "asker", "items", "asked", "away", "writer", "slow", "flooder",
        "greedy", "storm", "patient", "known", "friend", "bound", "torrent", "vcards", "elements",
        "hoarder", "modest", "repeater", "blocker", "namer", "suitor0", "suitor1", "suitor2",
        "suitor3", "suitor4",
    ];
    names.map(str::to_owned).to_vec()
}

/// Fails with a text unless something holds.
fn check(holds: bool, text: impl Into<String>) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(text.into().into())
    }
}

async fn bound(server: &Server, source: IpAddr, user: &str) -> Result<Client, ClientError> {
    Company::bring(server, source, user, Stage::Bound).await
}

async fn tcp(source: IpAddr, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// What comes until the end of a connection, which must come in time. A reset is an end too.
async fn rest(socket: &mut TcpStream) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut rest = Vec::new();
    match timeout(LONG, socket.read_to_end(&mut rest)).await {
        Ok(_) => Ok(rest),
        Err(_) => Err("the connection does not end".into()),
    }
}

/// What comes until the end of a connection, which must come in time.
async fn received(client: &mut Client) -> Result<Vec<Element>, Box<dyn Error>> {
    let read = async {
        let mut elements = Vec::new();
        loop {
            match client.receive().await? {
                Received::Element(element) => elements.push(element),
                Received::Closed => return Ok::<_, ClientError>(elements),
                Received::Header(_) | Received::StreamEnd => {}
            }
        }
    };
    Ok(timeout(LONG, read).await??)
}

/// Whether a stanza holds an error of this condition.
fn has_error(stanza: &Element, condition: &str) -> bool {
    let error = stanza.child("error", "jabber:client");
    error.is_some_and(|error| {
        error
            .child(condition, "urn:ietf:params:xml:ns:xmpp-stanzas")
            .is_some()
    })
}
