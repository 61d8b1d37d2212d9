//! XEP-0441: with whom the messages of an account are archived.

use futures_util::FutureExt;
use prost::Message;
use rookery_archive::preferences::archives;
use rookery_extension::{
    AccountData, AccountView, Answer, Archiving, Host, IqContext, IqHandler, IqMethod, IqRequest,
    Keep, Order, Outcome, Scope,
};
use rookery_stanza::payload::archive::{Policy, Preferences};
use rookery_stanza::{Condition, Jid, StanzaError, ns};
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataWrite, Datum, StoreError};
use rookery_xml::Element;

use super::{Config, SCOPE, admit};
use crate::account_records::AccountRecords;

/// The kind of the record, of which an account has one at most.
const KIND: &str = "archive";

/// Tells and changes preferences (§2.1).
#[derive(Debug)]
pub(super) struct PreferencesHandler {
    most: usize,
    records: AccountRecords,
}

/// `<prefs/>`.
pub(super) enum PreferencesRequest {
    Get,
    Set(Preferences),
}

/// Keeps messages out of the archive by the preferences of the account, and on hosts that have none.
pub(super) struct Wishes;

/// The preferences of an account that wants something else than everything archived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept(Preferences);

#[derive(Clone, PartialEq, Message)]
struct PreferencesMessage {
    #[prost(enumeration = "PolicyMessage", tag = "1")]
    default: i32,
    #[prost(string, repeated, tag = "2")]
    always: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    never: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum PolicyMessage {
    Always = 0,
    Never = 1,
    Roster = 2,
}

/// What an account that has said nothing wants.
fn everything() -> Preferences {
    Preferences::new(Policy::Always)
}

// === impl PreferencesHandler ===

impl PreferencesHandler {
    pub(super) fn new(config: &Config, records: &AccountRecords) -> Self {
        Self {
            most: config.max_preferences,
            records: records.clone(),
        }
    }

    fn set(&self, wanted: Preferences, context: &IqContext<'_>) -> Answer {
        if wanted.always.len() + wanted.never.len() > self.most {
            let error = StanzaError::new(Condition::ResourceConstraint);
            return Answer::Now(Err(error.with_text("too many addresses")));
        }
        let (records, account) = (self.records.clone(), context.account.jid.clone());
        let change = async move {
            let answer = wanted.to_element();
            let kept = (wanted != everything()).then_some(Kept(wanted));
            records.write(account, vec![write(kept.as_ref())]).await?;
            // What comes next is judged by it already.
            Ok(Outcome {
                answer: Ok(Some(answer)),
                before: vec![Order::Keep(Keep::new(kept))],
                after: Vec::new(),
            })
        };
        let outcome = change.map(|done| done.unwrap_or_else(|error| Outcome::from(Err(error))));
        Answer::Ordered(outcome.boxed())
    }
}

/// The change that keeps these preferences, or none.
fn write(kept: Option<&Kept>) -> DataWrite {
    let name = String::new();
    match kept {
        Some(kept) => DataWrite::Put {
            kind: KIND,
            name,
            value: kept.to_record(),
            terms: Vec::new(),
        },
        None => DataWrite::Remove { kind: KIND, name },
    }
}

// === impl IqHandler ===

impl IqHandler for PreferencesHandler {
    type Request = PreferencesRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, request: PreferencesRequest, context: IqContext<'_>) -> Answer {
        if let Err(error) = admit(&context) {
            return Answer::Now(Err(error));
        }
        match request {
            PreferencesRequest::Get => {
                let kept = context.account.kept.get::<Kept>();
                let now = kept.map_or_else(everything, |kept| kept.0.clone());
                Answer::Now(Ok(Some(now.to_element())))
            }
            PreferencesRequest::Set(wanted) => self.set(wanted, &context),
        }
    }
}

impl IqRequest for PreferencesRequest {
    const NAME: &'static str = Preferences::NAME;
    const NAMESPACE: &'static str = ns::ARCHIVE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        match method {
            IqMethod::Get => Ok(Self::Get),
            IqMethod::Set => match Preferences::parse(payload) {
                Ok(wanted) => Ok(Self::Set(wanted)),
                Err(error) => Err(StanzaError::new(error.condition()).with_text(error.to_string())),
            },
        }
    }
}

// === impl Archiving ===

impl Archiving for Wishes {
    fn archives(&self, contact: &Jid, host: &Host, account: AccountView<'_>) -> bool {
        let kept = || account.kept.get::<Kept>();
        host.archive
            && kept().is_none_or(|Kept(preferences)| {
                archives(preferences, contact, || account.roster.lists(contact))
            })
    }
}

// === impl Kept ===

impl AccountData for Kept {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let first = records.first();
        first
            .map(|datum| Self::from_record(&datum.value))
            .transpose()
    }
}

impl Record for Kept {
    const NAME: &'static str = "archiving preferences";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let Self(preferences) = self;
        let texts = |jids: &[Jid]| jids.iter().map(ToString::to_string).collect();
        let default = match preferences.default {
            Policy::Always => PolicyMessage::Always,
            Policy::Never => PolicyMessage::Never,
            Policy::Roster => PolicyMessage::Roster,
        };
        let message = PreferencesMessage {
            default: default.into(),
            always: texts(&preferences.always),
            never: texts(&preferences.never),
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let message = PreferencesMessage::decode(body)?;
        let default = match PolicyMessage::try_from(message.default) {
            Ok(PolicyMessage::Always) => Policy::Always,
            Ok(PolicyMessage::Never) => Policy::Never,
            Ok(PolicyMessage::Roster) => Policy::Roster,
            Err(_) => return Err(RecordError::Field("the default is unknown")),
        };
        let jids = |texts: Vec<String>| {
            let jids = texts.iter().map(|text| Jid::parse(text));
            jids.collect::<Result<Vec<_>, _>>()
                .map_err(|_| RecordError::Field("an entry is no address"))
        };
        Ok(Self(Preferences {
            default,
            always: jids(message.always)?,
            never: jids(message.never)?,
        }))
    }
}
