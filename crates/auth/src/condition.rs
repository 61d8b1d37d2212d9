//! The conditions of a failed SASL negotiation (RFC 6120 §6.5).

/// Why a SASL exchange failed, as the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SaslCondition {
    /// The initiating entity aborted (§6.5.1).
    Aborted,
    /// The account is disabled for now (§6.5.2).
    AccountDisabled,
    /// The credentials have expired (§6.5.3).
    CredentialsExpired,
    /// The mechanism needs the protection of TLS (§6.5.4).
    EncryptionRequired,
    /// The data is not base 64 (§6.5.5).
    IncorrectEncoding,
    /// The authorization identity is badly formed, or may not be assumed (§6.5.6).
    InvalidAuthzid,
    /// No mechanism was named, or one that is not offered (§6.5.7).
    InvalidMechanism,
    /// The data does not follow the mechanism's syntax (§6.5.8).
    MalformedRequest,
    /// The mechanism is weaker than policy permits (§6.5.9).
    MechanismTooWeak,
    /// The credentials are wrong, or there is no such account: which of the two is not told (§6.5.10).
    NotAuthorized,
    /// The server cannot tell just now; trying again later may help (§6.5.11).
    TemporaryAuthFailure,
}

// === impl SaslCondition ===

impl SaslCondition {
    /// The name of the element that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}
