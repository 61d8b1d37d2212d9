//! XEP-0484: the tokens of one client, without I/O, clock and randomness.
//!
//! A client has two places for tokens: one for the token that it has used, one for the token that it was given last
//! (§"Server-side handling of multiple active tokens").

use rookery_storage::{Client, Token};
use rookery_stream::TokenUse;

use crate::config::FastConfig;

/// One of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What the client was given last. It is looked at first.
    Fresh,
    /// What it has used.
    Current,
}

/// Why a token is not taken although the client has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is too old, or of a password that is the account's no more.
    Expired,
    /// Its count was seen before.
    Replayed,
}

/// A token to be issued.
pub(crate) struct Issue<'a> {
    /// The mechanism that it is good for.
    pub(crate) mechanism: &'a str,
    /// What nobody can guess.
    pub(crate) seed: [u8; 16],
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// Both places, in the order in which they are looked at.
pub(crate) const PLACES: [Place; 2] = [Place::Fresh, Place::Current];

/// The token at this place, if it is good for this mechanism.
pub(crate) fn at<'a>(client: &'a Client, place: Place, mechanism: &str) -> Option<&'a Token> {
    let token = match place {
        Place::Fresh => client.fresh.as_ref(),
        Place::Current => client.current.as_ref(),
    };
    token.filter(|token| token.mechanism == mechanism)
}

/// The client has logged in with the token at this place. What it had before is worth nothing any more
/// (§"Server initiates token rotation").
pub(crate) fn take(
    client: &mut Client,
    place: Place,
    used: TokenUse,
    salt: &[u8],
    now: u64,
) -> Result<(), Refused> {
    let is_old = client.salt != salt;
    let token = match place {
        Place::Fresh => &mut client.fresh,
        Place::Current => &mut client.current,
    };
    let Some(token) = token else {
        return Err(Refused::Expired);
    };
    if is_old || token.expires <= now {
        return Err(Refused::Expired);
    }
    if let Some(count) = used.count {
        if count <= token.count {
            return Err(Refused::Replayed);
        }
        token.count = count;
    }
    if place == Place::Fresh {
        client.current = client.fresh.take();
    }
    if used.invalidate {
        // Whoever logs out does not want the one that it did not get, either.
        client.current = None;
        client.fresh = None;
    }
    Ok(())
}

/// The mechanism of the token that the client has used, when it is time for the next one.
pub(crate) fn due(client: &Client, config: &FastConfig, now: u64) -> Option<String> {
    let token = client.current.as_ref()?;
    let age = now.saturating_sub(token.issued);
    (age >= config.rotation_seconds).then(|| token.mechanism.clone())
}

/// Puts a new token in the place of the one that was given last and was not used.
pub(crate) fn issue(client: &mut Client, issue: &Issue<'_>, config: &FastConfig) {
    client.fresh = Some(Token {
        seed: issue.seed.to_vec(),
        mechanism: issue.mechanism.to_owned(),
        issued: issue.now,
        expires: issue.now.saturating_add(config.lifetime_seconds),
        count: 0,
    });
}

/// Whether the client has a token that is good at this time, with this salt of the account's password.
pub(crate) fn has_any(client: &Client, salt: &[u8], now: u64) -> bool {
    let good = |token: &Token| token.expires > now;
    client.salt == salt
        && [&client.fresh, &client.current]
            .into_iter()
            .any(|token| token.as_ref().is_some_and(good))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &[u8] = b"salt";
    const NONE: &str = "HT-SHA-256-NONE";

    fn config() -> FastConfig {
        FastConfig {
            lifetime_seconds: 100,
            rotation_seconds: 10,
        }
    }

    fn given(client: &mut Client, seed: u8, now: u64) {
        let new = Issue {
            mechanism: NONE,
            seed: [seed; 16],
            now,
        };
        issue(client, &new, &config());
    }

    fn client() -> Client {
        let mut client = Client {
            salt: SALT.to_vec(),
            ..Client::default()
        };
        given(&mut client, 1, 0);
        client
    }

    fn seeds(client: &Client) -> [Option<u8>; 2] {
        PLACES.map(|place| {
            let token = at(client, place, NONE)?;
            token.seed.first().copied()
        })
    }

    fn once(client: &mut Client, place: Place, now: u64) -> Result<(), Refused> {
        take(client, place, TokenUse::default(), SALT, now)
    }

    #[test]
    fn the_old_token_is_good_until_the_new_one_is_used_s_rotation() {
        let mut client = client();
        once(&mut client, Place::Fresh, 1).unwrap();
        assert_eq!(seeds(&client), [None, Some(1)]);
        given(&mut client, 2, 20);
        once(&mut client, Place::Current, 21).unwrap();
        assert_eq!(
            seeds(&client),
            [Some(2), Some(1)],
            "it did not get the new one"
        );
        once(&mut client, Place::Fresh, 22).unwrap();
        assert_eq!(seeds(&client), [None, Some(2)]);
    }

    #[test]
    fn a_token_that_was_not_used_goes_when_another_is_given_s_rotation() {
        let mut client = client();
        given(&mut client, 2, 1);
        assert_eq!(seeds(&client), [Some(2), None]);
    }

    #[test]
    fn a_token_is_good_for_its_mechanism_its_time_and_its_password() {
        let client = client();
        assert!(at(&client, Place::Fresh, "HT-SHA-256-EXPR").is_none());
        let mut late = client.clone();
        assert_eq!(once(&mut late, Place::Fresh, 100), Err(Refused::Expired));
        let used = TokenUse::default();
        let mut changed = client.clone();
        let refused = take(&mut changed, Place::Fresh, used, b"other", 1);
        assert_eq!(refused, Err(Refused::Expired));
        assert!(has_any(&client, SALT, 99));
        assert!(!has_any(&client, SALT, 100) && !has_any(&client, b"other", 1));
    }

    #[test]
    fn a_count_has_to_grow_s_client_authenticates_using_fast() {
        let mut client = client();
        let count = |count| TokenUse {
            count: Some(count),
            invalidate: false,
        };
        assert_eq!(
            take(&mut client, Place::Fresh, count(0), SALT, 1),
            Err(Refused::Replayed),
            "a positive integer"
        );
        take(&mut client, Place::Fresh, count(5), SALT, 1).unwrap();
        for seen in [4, 5] {
            let refused = take(&mut client, Place::Current, count(seen), SALT, 1);
            assert_eq!(refused, Err(Refused::Replayed), "{seen}");
        }
        take(&mut client, Place::Current, count(6), SALT, 1).unwrap();
    }

    #[test]
    fn a_client_that_logs_out_has_no_token_left_s_token_invalidation() {
        let mut client = client();
        once(&mut client, Place::Fresh, 1).unwrap();
        given(&mut client, 2, 2);
        let out = TokenUse {
            count: None,
            invalidate: true,
        };
        take(&mut client, Place::Current, out, SALT, 3).unwrap();
        assert_eq!(seeds(&client), [None, None]);
    }

    #[test]
    fn the_next_token_is_due_by_the_age_of_the_one_in_use() {
        let mut client = client();
        assert_eq!(due(&client, &config(), 50), None);
        once(&mut client, Place::Fresh, 1).unwrap();
        assert_eq!(due(&client, &config(), 9), None);
        assert_eq!(due(&client, &config(), 10).as_deref(), Some(NONE));
    }
}
