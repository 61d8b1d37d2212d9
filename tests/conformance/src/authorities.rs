//! Who makes the certificates that clients show.

use std::io;

use rookery_testkit::{Authority, Issued};
use tempfile::NamedTempFile;

use crate::scene::Nature;

/// Stands in the configuration of a scene for the file of the authority that its server trusts.
const PLACE: &str = "{authority}";

/// An authority that the server trusts, and one that nobody knows.
#[derive(Debug)]
pub(crate) struct Authorities {
    known: Authority,
    unknown: Authority,
    file: NamedTempFile,
}

// === impl Authorities ===

impl Authorities {
    /// Makes them, if a configuration asks for it.
    pub(crate) fn asked_for(configuration: &str) -> io::Result<Option<Self>> {
        if !configuration.contains(PLACE) {
            return Ok(None);
        }
        let known = Authority::new("Verona").map_err(io::Error::other)?;
        let file = NamedTempFile::new()?;
        std::fs::write(file.path(), known.pem())?;
        Ok(Some(Self {
            known,
            unknown: Authority::new("Verona").map_err(io::Error::other)?,
            file,
        }))
    }

    /// The configuration, with the file in its place.
    pub(crate) fn configure(&self, configuration: &str) -> String {
        configuration.replace(PLACE, &self.file.path().display().to_string())
    }

    /// A certificate for whoever has these addresses.
    pub(crate) fn issue(&self, nature: Nature, addresses: &[String]) -> io::Result<Issued> {
        let (authority, valid) = match nature {
            Nature::Good => (&self.known, true),
            Nature::Forged => (&self.unknown, true),
            Nature::Expired => (&self.known, false),
        };
        authority
            .issue_to(addresses, valid)
            .map_err(io::Error::other)
    }
}
