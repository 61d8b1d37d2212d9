//! XEP-0059: Result Set Management.

use crate::ns;
use rookery_xml::Element;

/// The name of the element, in a request and in a result.
const NAME: &str = "set";

/// What part of a result set is asked for (§2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRequest {
    /// How many items at most; 0 asks for their number alone (§2.7).
    pub max: Option<u32>,
    /// Which of them.
    pub place: Place,
}

/// Where in a result set a page lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At the beginning (§2.1).
    #[default]
    First,
    /// Right behind the item of this id (§2.2).
    After(Box<str>),
    /// Right before the item of this id (§2.3).
    Before(Box<str>),
    /// At the end (§2.5).
    Last,
    /// From the item at this index on (§2.6).
    Index(u32),
}

/// What part of a result set an answer holds (§2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetResult {
    /// The ids of the first and the last item; `None` for an empty page.
    pub ends: Option<Ends>,
    /// How many items there are in all.
    pub count: Option<u64>,
}

/// The ends of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The id of the first item.
    pub first: Box<str>,
    /// The index of the first item among all.
    pub index: Option<u64>,
    /// The id of the last item.
    pub last: Box<str>,
}

/// A `<set/>` that says nothing that can be understood: a request with one is answered with `bad-request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A number is none, or is negative.
    #[error("{0} is not a number")]
    NotANumber(&'static str),
    /// An element is there twice.
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// More than one of `after`, `before` and `index`: what that means is not defined.
    #[error("only one of after, before and index says where a page is")]
    SeveralPlaces,
    /// One end of a page without the other.
    #[error("first and last go together")]
    OneEnd,
}

impl SetRequest {
    /// Reads the `<set/>` among the children of a request; without one, everything is asked for.
    ///
    /// # Errors
    /// See [`SetError`].
    pub fn of(request: &Element) -> Result<Self, SetError> {
        match request.child(NAME, ns::RESULT_SET) {
            Some(set) => Self::parse(set),
            None => Ok(Self::default()),
        }
    }

    /// Reads a `<set/>`.
    ///
    /// # Errors
    /// See [`SetError`].
    pub fn parse(set: &Element) -> Result<Self, SetError> {
        // An empty `<after/>` is behind no item at all (§2.2), an empty `<before/>` before none (§2.5).
        let after = text(set, "after")?.map(|id| {
            if id.is_empty() {
                Place::First
            } else {
                Place::After(id)
            }
        });
        let before = text(set, "before")?.map(|id| {
            if id.is_empty() {
                Place::Last
            } else {
                Place::Before(id)
            }
        });
        let index = number(set, "index")?.map(Place::Index);
        let mut places = [after, before, index].into_iter().flatten();
        let place = places.next().unwrap_or_default();
        if places.next().is_some() {
            return Err(SetError::SeveralPlaces);
        }
        Ok(Self {
            max: number(set, "max")?,
            place,
        })
    }

    /// The `<set/>` element.
    pub fn to_element(&self) -> Element {
        let mut set = Element::new(NAME, ns::RESULT_SET);
        if let Some(max) = self.max {
            set.push(child("max", &max.to_string()));
        }
        match &self.place {
            Place::First => {}
            Place::After(id) => set.push(child("after", id)),
            Place::Before(id) => set.push(child("before", id)),
            Place::Last => set.push(child("before", "")),
            Place::Index(index) => set.push(child("index", &index.to_string())),
        }
        set
    }
}

impl SetResult {
    /// Reads a `<set/>`.
    ///
    /// # Errors
    /// See [`SetError`].
    pub fn parse(set: &Element) -> Result<Self, SetError> {
        let index = match set.child("first", ns::RESULT_SET) {
            Some(first) => match first.attribute("index") {
                Some(index) => Some(digits(index, "index")?),
                None => None,
            },
            None => None,
        };
        let ends = match (text(set, "first")?, text(set, "last")?) {
            (Some(first), Some(last)) => Some(Ends { first, index, last }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(SetError::OneEnd),
        };
        let count = match text(set, "count")? {
            Some(count) => Some(digits(&count, "count")?),
            None => None,
        };
        Ok(Self { ends, count })
    }

    /// The `<set/>` element.
    pub fn to_element(&self) -> Element {
        let mut set = Element::new(NAME, ns::RESULT_SET);
        if let Some(Ends { first, index, last }) = &self.ends {
            let mut first = child("first", first);
            if let Some(index) = index {
                first.set_attribute("index", index.to_string());
            }
            set.push(first);
            set.push(child("last", last));
        }
        if let Some(count) = self.count {
            set.push(child("count", &count.to_string()));
        }
        set
    }
}

fn child(name: &'static str, text: &str) -> Element {
    Element::new(name, ns::RESULT_SET).with_text(text)
}

/// The text of the only child of this name.
fn text(set: &Element, name: &'static str) -> Result<Option<Box<str>>, SetError> {
    let mut named = set
        .children()
        .filter(|child| child.is(name, ns::RESULT_SET));
    let first = named.next();
    if named.next().is_some() {
        return Err(SetError::Repeated(name));
    }
    Ok(first.map(|child| child.text().trim().into()))
}

/// The number in the only child of this name; one that is too large is the largest that there is.
fn number(set: &Element, name: &'static str) -> Result<Option<u32>, SetError> {
    let Some(text) = text(set, name)? else {
        return Ok(None);
    };
    let number = digits(&text, name)?;
    Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// A number that is not negative.
fn digits(text: &str, name: &'static str) -> Result<u64, SetError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SetError::NotANumber(name));
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(content: &str) -> Result<SetRequest, SetError> {
        let xml = format!("<set xmlns='http://jabber.org/protocol/rsm'>{content}</set>");
        SetRequest::parse(&Element::parse_str(&xml).unwrap())
    }

    #[test]
    fn requests_of_s2_are_read() {
        let request = |max, place| Ok(SetRequest { max, place });
        let rows = [
            ("<max>10</max>", request(Some(10), Place::First)),
            (
                "<max>10</max><after>peterpan@neverland.lit</after>",
                request(Some(10), Place::After("peterpan@neverland.lit".into())),
            ),
            (
                "<max>10</max><before>peter@pixyland.org</before>",
                request(Some(10), Place::Before("peter@pixyland.org".into())),
            ),
            ("<max>10</max><before/>", request(Some(10), Place::Last)),
            (
                "<max>10</max><index>371</index>",
                request(Some(10), Place::Index(371)),
            ),
            ("<max>0</max>", request(Some(0), Place::First)),
            ("", request(None, Place::First)),
            ("<after/>", request(None, Place::First)),
            (
                "<max>99999999999999999999999</max>",
                request(Some(u32::MAX), Place::First),
            ),
        ];
        for (content, expected) in rows {
            assert_eq!(parse(content), expected, "{content}");
        }
    }

    #[test]
    fn requests_that_make_no_sense_are_refused() {
        let rows = [
            ("<max>ten</max>", SetError::NotANumber("max")),
            ("<max/>", SetError::NotANumber("max")),
            ("<max>-1</max>", SetError::NotANumber("max")),
            ("<index>+1</index>", SetError::NotANumber("index")),
            ("<max>1</max><max>1</max>", SetError::Repeated("max")),
            (
                "<after>a</after><after>a</after>",
                SetError::Repeated("after"),
            ),
            (
                "<after>a</after><before>b</before>",
                SetError::SeveralPlaces,
            ),
            ("<index>0</index><before/>", SetError::SeveralPlaces),
        ];
        for (content, expected) in rows {
            assert_eq!(parse(content), Err(expected), "{content}");
        }
    }

    #[test]
    fn a_request_without_a_set_asks_for_everything() {
        let query = Element::parse_str("<query xmlns='jabber:iq:search'/>").unwrap();
        assert_eq!(SetRequest::of(&query), Ok(SetRequest::default()));
    }

    #[test]
    fn results_of_s2_2_read_and_write() {
        let page = SetResult {
            ends: Some(Ends {
                first: "stpeter@jabber.org".into(),
                index: Some(0),
                last: "peterpan@neverland.lit".into(),
            }),
            count: Some(800),
        };
        let xml = "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>stpeter@jabber.org</first>\
            <last>peterpan@neverland.lit</last><count>800</count></set>";
        assert_eq!(page.to_element().to_bytes(""), xml.as_bytes());
        assert_eq!(
            SetResult::parse(&Element::parse_str(xml).unwrap()),
            Ok(page)
        );
        let empty = SetResult {
            ends: None,
            count: Some(790),
        };
        assert_eq!(SetResult::parse(&empty.to_element()), Ok(empty));
        let half = "<set xmlns='http://jabber.org/protocol/rsm'><first>a</first></set>";
        assert_eq!(
            SetResult::parse(&Element::parse_str(half).unwrap()),
            Err(SetError::OneEnd)
        );
    }

    fn id() -> impl Strategy<Value = Box<str>> {
        "[!-~]{1,20}".prop_map(Into::into)
    }

    proptest! {
        #[test]
        fn every_request_comes_back(max: Option<u32>, place in prop_oneof![
            Just(Place::First), Just(Place::Last), id().prop_map(Place::After), id().prop_map(Place::Before),
            any::<u32>().prop_map(Place::Index),
        ]) {
            let request = SetRequest { max, place };
            prop_assert_eq!(SetRequest::parse(&request.to_element()), Ok(request));
        }

        #[test]
        fn every_result_comes_back(ends in prop::option::of((id(), any::<Option<u64>>(), id())), count: Option<u64>) {
            let ends = ends.map(|(first, index, last)| Ends { first, index, last });
            let result = SetResult { ends, count };
            prop_assert_eq!(SetResult::parse(&result.to_element()), Ok(result));
        }
    }
}
