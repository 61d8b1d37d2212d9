//! Queries of an archive (XEP-0313 §4).

use crate::payload::data_form::{Field, FieldType, Form, FormType};
use crate::payload::result_set::{SetError, SetRequest};
use crate::{Condition, Jid, date, ns};
use rookery_xml::Element;

/// A `<query/>` of type `set`: which messages of an archive are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What the client recognises the results by (§4).
    pub query_id: Option<Box<str>>,
    /// A node of a pubsub service (§6.1.3).
    pub node: Option<Box<str>>,
    /// Only messages exchanged with this address (§4.1.1).
    pub with: Option<Jid>,
    /// Only messages of this time or later, in unix milliseconds (§4.1.2).
    pub start: Option<i64>,
    /// Only messages of this time or earlier, in unix milliseconds (§4.1.2).
    pub end: Option<i64>,
    /// Only messages before the one with this id (§4.1.3).
    pub before_id: Option<Box<str>>,
    /// Only messages after the one with this id (§4.1.3).
    pub after_id: Option<Box<str>>,
    /// Only the messages with these ids (§4.1.3).
    pub ids: Vec<Box<str>>,
    /// Whether messages of type `groupchat` are wanted (§4.1.4).
    pub include_groupchat: Option<bool>,
    /// Which page of them (§4.3).
    pub page: SetRequest,
    /// Whether the page is sent from its end to its beginning (§4.3.4).
    pub flip: bool,
}

/// Why a query cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// The form is not one that was filled in for this protocol (§4.1).
    #[error("the form is not of type urn:xmpp:mam:2")]
    OtherForm,
    /// The form has a field that nobody here knows (§4.1.5).
    #[error("the field {0} is not known")]
    UnknownField(Box<str>),
    /// A field is there twice, or has several values.
    #[error("the field {0} has more than one value")]
    Several(&'static str),
    /// `with` is no address (§4.1.1).
    #[error("the field with is no address")]
    BadJid,
    /// A time is not as XEP-0082 demands (§4.1.2).
    #[error("the field {0} is no time")]
    BadTime(&'static str),
    /// `include-groupchat` is neither true nor false.
    #[error("the field include-groupchat is no boolean")]
    BadBoolean,
    /// The page that is asked for makes no sense.
    #[error(transparent)]
    Page(#[from] SetError),
}

const WITH: &str = "with";
const START: &str = "start";
const END: &str = "end";
const BEFORE_ID: &str = "before-id";
const AFTER_ID: &str = "after-id";
const IDS: &str = "ids";
const INCLUDE_GROUPCHAT: &str = "include-groupchat";

impl Query {
    /// The name of the element.
    pub const NAME: &'static str = "query";

    /// Reads a `<query/>` element.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn parse(element: &Element) -> Result<Self, QueryError> {
        if !element.is(Self::NAME, ns::ARCHIVE) {
            return Err(QueryError::OtherElement);
        }
        let mut query = Self {
            query_id: element.attribute("queryid").map(Into::into),
            node: element.attribute("node").map(Into::into),
            page: SetRequest::of(element)?,
            flip: element.child("flip-page", ns::ARCHIVE).is_some(),
            ..Self::default()
        };
        if let Some(form) = element.child("x", ns::DATA_FORMS) {
            query.read_form(form)?;
        }
        Ok(query)
    }

    fn read_form(&mut self, form: &Element) -> Result<(), QueryError> {
        let form = Form::parse(form).ok_or(QueryError::OtherForm)?;
        if form.form_type != FormType::Submit || form.kind() != Some(ns::ARCHIVE) {
            return Err(QueryError::OtherForm);
        }
        let mut seen = Vec::with_capacity(form.fields.len());
        for field in &form.fields {
            let name = self.read_field(field)?;
            if seen.contains(&name) {
                return Err(QueryError::Several(name));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// Reads a field: its name. One without a value was not filled in.
    fn read_field(&mut self, field: &Field) -> Result<&'static str, QueryError> {
        let time = |name| match single(field, name)? {
            Some(text) => date::parse(text).map(Some).ok_or(QueryError::BadTime(name)),
            None => Ok(None),
        };
        let id = |name| Ok::<_, QueryError>(single(field, name)?.map(Into::into));
        match field.var.as_deref().unwrap_or_default() {
            "FORM_TYPE" => Ok("FORM_TYPE"),
            WITH => {
                let jid = single(field, WITH)?.map(Jid::parse).transpose();
                self.with = jid.map_err(|_| QueryError::BadJid)?;
                Ok(WITH)
            }
            START => {
                self.start = time(START)?;
                Ok(START)
            }
            END => {
                self.end = time(END)?;
                Ok(END)
            }
            BEFORE_ID => {
                self.before_id = id(BEFORE_ID)?;
                Ok(BEFORE_ID)
            }
            AFTER_ID => {
                self.after_id = id(AFTER_ID)?;
                Ok(AFTER_ID)
            }
            IDS => {
                let filled = field.values.iter().filter(|value| !value.is_empty());
                self.ids = filled.map(|value| (**value).into()).collect();
                Ok(IDS)
            }
            INCLUDE_GROUPCHAT => {
                self.include_groupchat = match single(field, INCLUDE_GROUPCHAT)? {
                    Some(_) => Some(field.boolean().ok_or(QueryError::BadBoolean)?),
                    None => None,
                };
                Ok(INCLUDE_GROUPCHAT)
            }
            other => Err(QueryError::UnknownField(other.into())),
        }
    }

    /// The `<query/>` element.
    pub fn to_element(&self) -> Element {
        let mut query = Element::new(Self::NAME, ns::ARCHIVE);
        if let Some(query_id) = &self.query_id {
            query.set_attribute("queryid", query_id.to_string());
        }
        if let Some(node) = &self.node {
            query.set_attribute("node", node.to_string());
        }
        let form = self.filled_form();
        if form.fields.len() > 1 {
            query.push(form.to_element());
        }
        if self.page != SetRequest::default() {
            query.push(self.page.to_element());
        }
        if self.flip {
            query.push(Element::new("flip-page", ns::ARCHIVE));
        }
        query
    }

    fn filled_form(&self) -> Form {
        let mut form = Form::of_kind(FormType::Submit, ns::ARCHIVE);
        let mut fill = |name: &'static str, value: Option<String>| {
            let field = value.map(|value| Field::new(name).with_value(value));
            form.fields.extend(field);
        };
        let text = |text: &Option<Box<str>>| text.as_ref().map(ToString::to_string);
        fill(WITH, self.with.as_ref().map(ToString::to_string));
        fill(START, self.start.map(date::format));
        fill(END, self.end.map(date::format));
        fill(BEFORE_ID, text(&self.before_id));
        fill(AFTER_ID, text(&self.after_id));
        fill(
            INCLUDE_GROUPCHAT,
            self.include_groupchat.map(|wanted| wanted.to_string()),
        );
        if !self.ids.is_empty() {
            let ids = self.ids.iter().map(ToString::to_string);
            form.fields.push(Field::new(IDS).with_values(ids));
        }
        form
    }
}

/// The value of a field that has one at most; an empty one is none.
fn single<'a>(field: &'a Field, name: &'static str) -> Result<Option<&'a str>, QueryError> {
    if field.values.len() > 1 {
        return Err(QueryError::Several(name));
    }
    Ok(field.value().filter(|value| !value.is_empty()))
}

/// The answer to a `<query/>` of type `get`: a form with all fields that are known here (§4.1.5).
pub fn form() -> Element {
    let field = |name, field_type| Field::new(name).with_type(field_type);
    let mut form = Form::of_kind(FormType::Form, ns::ARCHIVE)
        .with_field(field(WITH, FieldType::JidSingle))
        .with_field(field(START, FieldType::TextSingle))
        .with_field(field(END, FieldType::TextSingle))
        .with_field(field(BEFORE_ID, FieldType::TextSingle))
        .with_field(field(AFTER_ID, FieldType::TextSingle))
        .with_field(field(INCLUDE_GROUPCHAT, FieldType::Boolean))
        .to_element();
    // Any id may be named, although it is a list to choose from (XEP-0122 §3.2).
    let open = Element::new("validate", ns::DATA_VALIDATION)
        .with_attribute("datatype", "xs:string")
        .with_child(Element::new("open", ns::DATA_VALIDATION));
    form.push(
        Element::new("field", ns::DATA_FORMS)
            .with_attribute("var", IDS)
            .with_attribute("type", FieldType::ListMulti.as_str())
            .with_child(open),
    );
    Element::new(Query::NAME, ns::ARCHIVE).with_child(form)
}

impl QueryError {
    /// The condition of the answer (§4.1.5; RFC 6120 §8.3.3).
    pub fn condition(&self) -> Condition {
        match self {
            Self::UnknownField(_) => Condition::FeatureNotImplemented,
            Self::BadJid => Condition::JidMalformed,
            Self::OtherElement
            | Self::OtherForm
            | Self::Several(_)
            | Self::BadTime(_)
            | Self::BadBoolean
            | Self::Page(_) => Condition::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::result_set::Place;
    use proptest::prelude::*;

    fn parse(content: &str) -> Result<Query, QueryError> {
        let xml = format!("<query xmlns='urn:xmpp:mam:2' queryid='f27'>{content}</query>");
        Query::parse(&Element::parse_str(&xml).unwrap())
    }

    /// A query whose form has these fields.
    fn with_form(fields: &str) -> Result<Query, QueryError> {
        parse(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
             <value>urn:xmpp:mam:2</value></field>{fields}</x>"
        ))
    }

    fn of_field(name: &str, value: &str) -> Result<Query, QueryError> {
        with_form(&format!(
            "<field var='{name}'><value>{value}</value></field>"
        ))
    }

    fn f27() -> Query {
        Query {
            query_id: Some("f27".into()),
            ..Query::default()
        }
    }

    #[test]
    fn queries_of_s4_are_read() {
        assert_eq!(parse(""), Ok(f27()));
        let juliet = Some(Jid::parse("juliet@capulet.lit").unwrap());
        assert_eq!(
            of_field("with", "juliet@capulet.lit"),
            Ok(Query {
                with: juliet,
                ..f27()
            })
        );
        let june = Some(1_275_868_800_000);
        assert_eq!(
            of_field("start", "2010-06-07T00:00:00Z"),
            Ok(Query {
                start: june,
                ..f27()
            })
        );
        assert_eq!(
            of_field("end", "2010-06-07T00:00:00Z"),
            Ok(Query { end: june, ..f27() })
        );
        let id = Some("09af3-cc343-b409f".into());
        assert_eq!(
            of_field("after-id", "09af3-cc343-b409f"),
            Ok(Query {
                after_id: id.clone(),
                ..f27()
            })
        );
        assert_eq!(
            of_field("before-id", "09af3-cc343-b409f"),
            Ok(Query {
                before_id: id,
                ..f27()
            })
        );
        assert_eq!(
            of_field("ids", "1"),
            Ok(Query {
                ids: vec!["1".into()],
                ..f27()
            })
        );
        for (value, wanted) in [("true", true), ("0", false)] {
            let expected = Query {
                include_groupchat: Some(wanted),
                ..f27()
            };
            assert_eq!(of_field("include-groupchat", value), Ok(expected));
        }
    }

    #[test]
    fn pages_of_s4_3_are_read() {
        let set = "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>09af3</after></set><flip-page/>";
        let page = SetRequest {
            max: Some(10),
            place: Place::After("09af3".into()),
        };
        assert_eq!(
            parse(set),
            Ok(Query {
                page,
                flip: true,
                ..f27()
            })
        );
        let last = "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before/></set>";
        let page = SetRequest {
            max: Some(10),
            place: Place::Last,
        };
        assert_eq!(parse(last), Ok(Query { page, ..f27() }));
    }

    #[test]
    fn fields_that_were_not_filled_in_are_none() {
        let blank = "<field var='with'/><field var='start'><value/></field><field var='ids'/>";
        assert_eq!(with_form(blank), Ok(f27()));
    }

    #[test]
    fn queries_that_make_no_sense_are_refused() {
        let rows = [
            (
                of_field("{http://example.com/}free-text-search", "x"),
                Condition::FeatureNotImplemented,
            ),
            (
                with_form("<field type='text-single'><value>x</value></field>"),
                Condition::FeatureNotImplemented,
            ),
            (of_field("with", "@"), Condition::JidMalformed),
            (of_field("start", "yesterday"), Condition::BadRequest),
            (of_field("end", "2010-06-07"), Condition::BadRequest),
            (of_field("include-groupchat", "yes"), Condition::BadRequest),
            (
                with_form("<field var='with'><value>a@b</value><value>c@d</value></field>"),
                Condition::BadRequest,
            ),
            (
                with_form("<field var='with'/><field var='with'/>"),
                Condition::BadRequest,
            ),
            (
                parse("<x xmlns='jabber:x:data' type='submit'/>"),
                Condition::BadRequest,
            ),
            (parse("<x xmlns='jabber:x:data'/>"), Condition::BadRequest),
            (
                parse("<set xmlns='http://jabber.org/protocol/rsm'><max>x</max></set>"),
                Condition::BadRequest,
            ),
        ];
        for (found, expected) in rows {
            assert_eq!(found.map_err(|error| error.condition()), Err(expected));
        }
        let other = Element::parse_str("<query xmlns='urn:xmpp:mam:1'/>").unwrap();
        assert_eq!(Query::parse(&other), Err(QueryError::OtherElement));
    }

    #[test]
    fn form_has_all_fields_and_none_is_required_s4_1_5() {
        let form = form();
        let x = form.child("x", ns::DATA_FORMS).unwrap();
        let of = |field: &Element| {
            (
                field.attribute("var").unwrap().to_owned(),
                field.attribute("type").unwrap().to_owned(),
            )
        };
        let fields = x.children().map(of).collect::<Vec<_>>();
        let expected = [
            ("FORM_TYPE", "hidden"),
            ("with", "jid-single"),
            ("start", "text-single"),
            ("end", "text-single"),
            ("before-id", "text-single"),
            ("after-id", "text-single"),
            ("include-groupchat", "boolean"),
            ("ids", "list-multi"),
        ];
        assert_eq!(
            fields,
            expected.map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        );
        assert!(
            x.children()
                .all(|field| field.child("required", ns::DATA_FORMS).is_none())
        );
        let xml = String::from_utf8(form.to_bytes("").to_vec()).unwrap();
        assert!(xml.contains(
            "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>"
        ));
    }

    fn id() -> impl Strategy<Value = Box<str>> {
        "[!-~]{1,20}".prop_map(Into::into)
    }

    prop_compose! {
        fn query()(
            query_id in prop::option::of(id()),
            with in prop::option::of("[a-z]{1,8}@[a-z]{1,8}(/[a-z]{1,8})?"),
            start in prop::option::of(0_i64..4_000_000_000_000),
            end in prop::option::of(0_i64..4_000_000_000_000),
            before_id in prop::option::of(id()),
            after_id in prop::option::of(id()),
            ids in prop::collection::vec(id(), 0..4),
            include_groupchat: Option<bool>,
            max: Option<u32>,
            flip: bool,
        ) -> Query {
            Query {
                query_id, node: None, with: with.map(|with| Jid::parse(&with).unwrap()), start, end, before_id,
                after_id, ids, include_groupchat, page: SetRequest { max, place: Place::First }, flip,
            }
        }
    }

    proptest! {
        #[test]
        fn every_query_comes_back(query in query()) {
            prop_assert_eq!(Query::parse(&query.to_element()), Ok(query));
        }
    }
}
