//! Data forms (XEP-0004): what is read from a form says the same when it is written and read again.

use rookery_stanza::payload::data_form::Form;
use rookery_xml::Element;

/// Tries one element as a form.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let form = Element::parse_str(text)
        .ok()
        .and_then(|element| Form::parse(&element));
    let Some(form) = form else { return };
    let written = form.to_element();
    assert_eq!(Form::parse(&written).as_ref(), Some(&form), "another form");
    let bytes = written.to_bytes("");
    let read = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| Element::parse_str(text).ok());
    assert_eq!(
        read.as_ref(),
        Some(&written),
        "it changed when it was written"
    );
    if let Some(field) = form.fields.first() {
        field.boolean();
        form.kind();
    }
}
