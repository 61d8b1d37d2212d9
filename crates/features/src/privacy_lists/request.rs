//! What clients ask for (XEP-0016 §2.3 to §2.8).

use rookery_extension::{IqMethod, IqRequest};
use rookery_stanza::{Condition, StanzaError};
use rookery_xml::Element;

use super::NAMESPACE;
use super::list::List;

/// The request; a list is named by its name.
pub(super) enum PrivacyRequest {
    /// Which lists are there (§2.3)?
    Names,
    /// What does this list say (§2.3)?
    Get(String),
    /// This list shall be active in the session that asks; `None`: none (§2.4).
    Activate(Option<String>),
    /// This list shall be the default one; `None`: there shall be none (§2.5).
    SetDefault(Option<String>),
    /// This list shall say this (§2.6, §2.7).
    Put(String, List),
    /// There shall be no such list any more (§2.8).
    Remove(String),
}

// === impl IqRequest ===

impl IqRequest for PrivacyRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = NAMESPACE;

    /// §2.1, §2.3: a request is about one thing at a time.
    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        let mut children = payload.children();
        let (child, more) = (children.next(), children.next());
        let named = |element: &Element| element.attribute("name").map(str::to_owned);
        match (method, child, more) {
            (IqMethod::Get, None, _) => Ok(Self::Names),
            (IqMethod::Get, Some(list), None) if list.is("list", NAMESPACE) => {
                Ok(Self::Get(named(list).ok_or(Condition::BadRequest)?))
            }
            (IqMethod::Set, Some(element), None) if element.is("active", NAMESPACE) => {
                Ok(Self::Activate(named(element)))
            }
            (IqMethod::Set, Some(element), None) if element.is("default", NAMESPACE) => {
                Ok(Self::SetDefault(named(element)))
            }
            (IqMethod::Set, Some(element), None) if element.is("list", NAMESPACE) => {
                let name = named(element).ok_or(Condition::BadRequest)?;
                let list = List::parse(element)?;
                Ok(if list.is_empty() {
                    Self::Remove(name)
                } else {
                    Self::Put(name, list)
                })
            }
            _ => Err(Condition::BadRequest.into()),
        }
    }
}
