//! Mistakes that the server could make: each is put in once, and has to be found.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The log answers before what it appended is durable.
    AnswerBeforeDurable,
    /// A stanza is counted for its sender as soon as it has left his home.
    CountTooEarly,
    /// Whoever has a copy confirms the row.
    ConfirmCarbon,
    /// A session confirms what it has sent, and does not wait for its client.
    ConfirmWhenSent,
    /// What is confirmed is not noted.
    ForgetConfirmation,
    /// What the log could not note is not noted later.
    ForgetRefusedConfirmation,
    /// What is replayed gets another id.
    SecondId,
    /// A row is passed over in a replay.
    SkipRow,
    /// A message does not go on to its recipient.
    DropMessage,
    /// A message that has left is not counted.
    ForgetToSettle,
    /// What came later is handled first.
    Overtake,
    /// A copy is made twice.
    CopyTwice,
    /// A copy is not made.
    LoseCopy,
    /// Whoever got a message gets a copy of it as well.
    CopyToRecipient,
    /// A client is told that one stanza less was handled.
    CountTooFew,
    /// A resumed client gets again what it has acknowledged.
    SendAgainTooMuch,
    /// A session that ends returns nothing.
    ForgetUndelivered,
    /// An error is answered twice.
    AnswerTwice,
    /// A request that was answered is answered with an error as well, when the session of whoever answered ends.
    ForgetAnswer,
    /// Nobody stops waiting for a store that does not answer.
    WaitForEver,
    /// Nothing bounds what waits for a client.
    NoBound,
}

/// All of them.
pub(crate) const ALL: &[Mutant] = &[
    Mutant::AnswerBeforeDurable,
    Mutant::CountTooEarly,
    Mutant::ConfirmCarbon,
    Mutant::ConfirmWhenSent,
    Mutant::ForgetConfirmation,
    Mutant::ForgetRefusedConfirmation,
    Mutant::SecondId,
    Mutant::SkipRow,
    Mutant::DropMessage,
    Mutant::ForgetToSettle,
    Mutant::Overtake,
    Mutant::CountTooFew,
    Mutant::SendAgainTooMuch,
    Mutant::WaitForEver,
    Mutant::CopyTwice,
    Mutant::LoseCopy,
    Mutant::CopyToRecipient,
    Mutant::ForgetUndelivered,
    Mutant::AnswerTwice,
    Mutant::ForgetAnswer,
    Mutant::NoBound,
];
