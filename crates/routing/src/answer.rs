//! Answers as they travel from the leader to the proposer: protobuf.

use prost::{Message, Oneof};
use rookery_delivery::SessionId;

use crate::command::{Answer, Outcome, Refusal};
use crate::entry::EntryError;
use crate::members::{Incarnation, MemberId};
use crate::sessions::Place;

#[derive(Clone, PartialEq, Message)]
struct AnswerMessage {
    #[prost(oneof = "KindMessage", tags = "1, 2, 3, 4, 5")]
    kind: Option<KindMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum KindMessage {
    #[prost(uint64, tag = "1")]
    Admitted(u64),
    #[prost(uint32, tag = "2")]
    Registered(u32),
    #[prost(message, tag = "3")]
    Done(()),
    #[prost(message, tag = "4")]
    Changed(OutcomesMessage),
    #[prost(message, tag = "5")]
    Refused(RefusalMessage),
}

#[derive(Clone, PartialEq, Message)]
struct OutcomesMessage {
    #[prost(message, repeated, tag = "1")]
    outcomes: Vec<OutcomeMessage>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct OutcomeMessage {
    #[prost(oneof = "OutcomeKind", tags = "1, 2, 3, 4, 5, 6, 7")]
    kind: Option<OutcomeKind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
enum OutcomeKind {
    #[prost(message, tag = "1")]
    Done(()),
    #[prost(message, tag = "2")]
    Pending(PlaceMessage),
    #[prost(message, tag = "3")]
    Conflict(PlaceMessage),
    #[prost(message, tag = "4")]
    Full(()),
    #[prost(message, tag = "5")]
    Unknown(()),
    #[prost(uint64, tag = "6")]
    Claimed(u64),
    #[prost(message, tag = "7")]
    Elsewhere(ElsewhereMessage),
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct PlaceMessage {
    #[prost(uint32, tag = "1")]
    run: u32,
    #[prost(uint64, tag = "2")]
    session: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct ElsewhereMessage {
    #[prost(uint32, tag = "1")]
    owner: u32,
    #[prost(uint64, tag = "2")]
    epoch: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct RefusalMessage {
    #[prost(enumeration = "RefusalKind", tag = "1")]
    kind: i32,
    #[prost(uint32, tag = "2")]
    active: u32,
    #[prost(uint32, tag = "3")]
    min: u32,
    #[prost(uint32, tag = "4")]
    max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum RefusalKind {
    Unspecified = 0,
    NoMember = 1,
    NoRun = 2,
    Version = 3,
    Founded = 4,
    Running = 5,
}

// === impl Answer ===

impl Answer {
    /// The bytes of an answer.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self {
            Self::Admitted(member) => KindMessage::Admitted(member.0),
            Self::Registered(run) => KindMessage::Registered(run.0),
            Self::Done => KindMessage::Done(()),
            Self::Changed(outcomes) => KindMessage::Changed(OutcomesMessage {
                outcomes: outcomes.iter().map(OutcomeMessage::from).collect(),
            }),
            Self::Refused(refusal) => KindMessage::Refused((*refusal).into()),
        };
        AnswerMessage { kind: Some(kind) }.encode_to_vec()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When the bytes are no answer that this node knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let unknown = EntryError::Field("no answer that this node knows");
        Ok(match AnswerMessage::decode(bytes)?.kind.ok_or(unknown)? {
            KindMessage::Admitted(member) => Self::Admitted(MemberId(member)),
            KindMessage::Registered(run) => Self::Registered(Incarnation(run)),
            KindMessage::Done(()) => Self::Done,
            KindMessage::Changed(OutcomesMessage { outcomes }) => {
                let outcomes = outcomes.into_iter().map(Outcome::try_from);
                Self::Changed(outcomes.collect::<Result<_, _>>()?)
            }
            KindMessage::Refused(refusal) => Self::Refused(refusal.try_into()?),
        })
    }
}

impl From<&Outcome> for OutcomeMessage {
    fn from(outcome: &Outcome) -> Self {
        let place = |place: &Place| PlaceMessage {
            run: place.run.0,
            session: place.session.0,
        };
        let kind = match outcome {
            Outcome::Done => OutcomeKind::Done(()),
            Outcome::Pending(owner) => OutcomeKind::Pending(place(owner)),
            Outcome::Conflict(owner) => OutcomeKind::Conflict(place(owner)),
            Outcome::Full => OutcomeKind::Full(()),
            Outcome::Unknown => OutcomeKind::Unknown(()),
            Outcome::Claimed { epoch } => OutcomeKind::Claimed(*epoch),
            Outcome::Elsewhere { owner, epoch } => OutcomeKind::Elsewhere(ElsewhereMessage {
                owner: owner.0,
                epoch: *epoch,
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<OutcomeMessage> for Outcome {
    type Error = EntryError;

    fn try_from(message: OutcomeMessage) -> Result<Self, EntryError> {
        let place = |place: PlaceMessage| Place {
            run: Incarnation(place.run),
            session: SessionId(place.session),
        };
        let unknown = EntryError::Field("no outcome that this node knows");
        Ok(match message.kind.ok_or(unknown)? {
            OutcomeKind::Done(()) => Self::Done,
            OutcomeKind::Pending(owner) => Self::Pending(place(owner)),
            OutcomeKind::Conflict(owner) => Self::Conflict(place(owner)),
            OutcomeKind::Full(()) => Self::Full,
            OutcomeKind::Unknown(()) => Self::Unknown,
            OutcomeKind::Claimed(epoch) => Self::Claimed { epoch },
            OutcomeKind::Elsewhere(ElsewhereMessage { owner, epoch }) => Self::Elsewhere {
                owner: Incarnation(owner),
                epoch,
            },
        })
    }
}

impl From<Refusal> for RefusalMessage {
    fn from(refusal: Refusal) -> Self {
        let (kind, (active, min, max)) = match refusal {
            Refusal::NoMember => (RefusalKind::NoMember, Default::default()),
            Refusal::NoRun => (RefusalKind::NoRun, Default::default()),
            Refusal::Version { active, min, max } => (RefusalKind::Version, (active, min, max)),
            Refusal::Founded => (RefusalKind::Founded, Default::default()),
            Refusal::Running => (RefusalKind::Running, Default::default()),
        };
        let kind = kind.into();
        Self {
            kind,
            active,
            min,
            max,
        }
    }
}

impl TryFrom<RefusalMessage> for Refusal {
    type Error = EntryError;

    fn try_from(message: RefusalMessage) -> Result<Self, EntryError> {
        let RefusalMessage {
            active, min, max, ..
        } = message;
        match message.kind() {
            RefusalKind::Unspecified => Err(EntryError::Field("no refusal that this node knows")),
            RefusalKind::NoMember => Ok(Self::NoMember),
            RefusalKind::NoRun => Ok(Self::NoRun),
            RefusalKind::Version => Ok(Self::Version { active, min, max }),
            RefusalKind::Founded => Ok(Self::Founded),
            RefusalKind::Running => Ok(Self::Running),
        }
    }
}
