//! The table: what is sent where, and what the standard wants to happen.

/// Where a connection is when the hostile bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A connection without TLS, on which nothing was said.
    Tcp,
    /// A stream without TLS, whose features have come.
    Clear,
    /// TLS, in which nothing was said.
    Tls,
    /// A stream in TLS, whose features have come.
    Secured,
    /// Authenticated; the next stream is not open yet.
    Authenticated,
    /// The stream after authentication, whose features have come.
    Reopened,
    /// A resource is bound.
    Bound,
    /// A connection where components connect, on which nothing was said.
    Component,
    /// A component has sent its header, and has the answer.
    Greeted,
    /// A component has proved who it is.
    Joined,
    /// What happens is a function, which the row names.
    Act,
}

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A stream error of this condition, the end of the stream, the end of the connection.
    Stream(String),
    /// A SASL failure of this condition; the stream goes on.
    Sasl(String),
    /// A stanza error of this condition; the stream goes on.
    Stanza(String),
    /// An element of this name; the stream goes on.
    Element(String),
    /// An answer of the type result.
    Result,
    /// Nothing; the stream goes on.
    Ignored,
    /// The bytes come back as a message or presence from the client's own full address.
    Stamped,
    /// The end of the stream or of the connection, without a word more.
    Closed,
    /// An alert of TLS, where XML was before.
    Alert,
    /// What the function of the row checks.
    Holds,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) theme: &'static str,
    pub(crate) id: &'static str,
    pub(crate) stage: Stage,
    /// What is sent, one after the other, each after the outcome of the one before.
    pub(crate) sent: Vec<&'static str>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A theme and its file.
const FILES: &[(&str, &str)] = &[
    ("headers", include_str!("../../table/headers.tsv")),
    ("restricted", include_str!("../../table/restricted.tsv")),
    ("malformed", include_str!("../../table/malformed.tsv")),
    ("characters", include_str!("../../table/characters.tsv")),
    ("namespaces", include_str!("../../table/namespaces.tsv")),
    ("sizes", include_str!("../../table/sizes.tsv")),
    ("order", include_str!("../../table/order.tsv")),
    ("sasl", include_str!("../../table/sasl.tsv")),
    ("scram", include_str!("../../table/scram.tsv")),
    ("tls", include_str!("../../table/tls.tsv")),
    ("addresses", include_str!("../../table/addresses.tsv")),
    ("binding", include_str!("../../table/binding.tsv")),
    ("stanzas", include_str!("../../table/stanzas.tsv")),
    ("roster", include_str!("../../table/roster.tsv")),
    ("keeping", include_str!("../../table/keeping.tsv")),
    ("registration", include_str!("../../table/registration.tsv")),
    ("patience", include_str!("../../table/patience.tsv")),
    ("components", include_str!("../../table/components.tsv")),
];

// === impl Row ===

impl Row {
    /// All rows, theme by theme.
    pub(crate) fn all() -> Vec<Vec<Self>> {
        FILES
            .iter()
            .map(|(theme, text)| Self::read(theme, text))
            .collect()
    }

    /// What went wrong, with the row's name.
    pub(crate) fn failure(&self, what: &str) -> String {
        format!("{}/{}: {:?}: {what}", self.theme, self.id, self.outcomes)
    }

    fn read(theme: &'static str, text: &'static str) -> Vec<Self> {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| Self::parse(theme, line)).collect()
    }

    fn parse(theme: &'static str, line: &'static str) -> Self {
        let columns: Vec<_> = line.split('\t').collect();
        let &[id, standard, stage, sent, outcomes, note] = &columns[..] else {
            panic!("{theme}: not six columns: {line}");
        };
        assert!(!standard.is_empty() && !note.is_empty(), "{theme}: {line}");
        let row = Self {
            theme,
            id,
            stage: Stage::parse(stage).unwrap_or_else(|| panic!("{theme}: {id}: {stage}")),
            sent: sent.split("{then}").collect(),
            outcomes: outcomes.split(' ').map(Outcome::parse).collect(),
        };
        assert_eq!(row.sent.len(), row.outcomes.len(), "{theme}: {id}");
        row
    }
}

// === impl Stage ===

impl Stage {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "tcp" => Self::Tcp,
            "clear" => Self::Clear,
            "tls" => Self::Tls,
            "secured" => Self::Secured,
            "authenticated" => Self::Authenticated,
            "reopened" => Self::Reopened,
            "bound" => Self::Bound,
            "component" => Self::Component,
            "greeted" => Self::Greeted,
            "joined" => Self::Joined,
            "act" => Self::Act,
            _ => return None,
        })
    }
}

// === impl Outcome ===

impl Outcome {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("stream", condition)) => Self::Stream(condition.to_owned()),
            Some(("sasl", condition)) => Self::Sasl(condition.to_owned()),
            Some(("stanza", condition)) => Self::Stanza(condition.to_owned()),
            Some(("element", name)) => Self::Element(name.to_owned()),
            _ => match text {
                "result" => Self::Result,
                "ignored" => Self::Ignored,
                "stamped" => Self::Stamped,
                "alert" => Self::Alert,
                "closed" => Self::Closed,
                "holds" => Self::Holds,
                _ => panic!("no outcome: {text}"),
            },
        }
    }
}
