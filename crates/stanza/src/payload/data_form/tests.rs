//! Tests of data forms.

use super::*;

fn parse(xml: &str) -> Option<Form> {
    Form::parse(&Element::parse_str(xml).unwrap())
}

#[test]
fn bot_configuration_example_of_s5_1_reads() {
    let form = parse(
        "<x xmlns='jabber:x:data' type='form'>
          <title>Bot Configuration</title>
          <instructions>Fill out this form to configure your new bot!</instructions>
          <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>
          <field type='fixed'><value>Section 1: Bot Info</value></field>
          <field type='boolean' label='Public bot?' var='public'><required/></field>
          <field type='list-multi' label='What features will the bot support?' var='features'>
            <option label='Contests'><value>contests</value></option>
            <option label='News'><value>news</value></option>
            <value>news</value>
            <value>search</value>
          </field>
          <field type='jid-multi' label='People to invite' var='invitelist'>
            <desc>Tell all your friends about your new bot!</desc>
          </field>
        </x>",
    )
    .unwrap();
    assert_eq!(form.title.as_deref(), Some("Bot Configuration"));
    assert_eq!(form.kind(), Some("jabber:bot"));
    assert_eq!(form.fields.len(), 5);
    assert!(form.field("public").unwrap().required);
    let features = form.field("features").unwrap();
    assert_eq!(features.field_type, Some(FieldType::ListMulti));
    assert_eq!(features.values, ["news", "search"]);
    assert_eq!(features.options.len(), 2);
    assert_eq!(features.options[1].label.as_deref(), Some("News"));
    let invited = form.field("invitelist").unwrap();
    assert_eq!(
        invited.description.as_deref(),
        Some("Tell all your friends about your new bot!")
    );
    assert_eq!(Form::parse(&form.to_element()), Some(form));
}

#[test]
fn written_form_has_its_form_type_first_and_hidden_by_xep_0068_s4_2() {
    let form = Form::of_kind(FormType::Result, ns::SERVER_INFO).with_field(
        Field::new("abuse-addresses")
            .with_type(FieldType::ListMulti)
            .with_values(["mailto:abuse@example.org", "xmpp:abuse@example.org"]),
    );
    let expected = "<x xmlns='jabber:x:data' type='result'>\
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>\
        <field var='abuse-addresses' type='list-multi'><value>mailto:abuse@example.org</value>\
        <value>xmpp:abuse@example.org</value></field></x>";
    assert_eq!(form.to_element().to_bytes(ns::CLIENT), expected.as_bytes());
}

#[test]
fn form_type_counts_only_when_hidden_unless_submitted_by_xep_0068_s4_3() {
    let xml = |form_type: &str, field_type: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='{form_type}'><field var='FORM_TYPE'{field_type}><value>a</value></field></x>"
        )
    };
    let kind = |form_type: &str, field_type: &str| {
        parse(&xml(form_type, field_type))
            .unwrap()
            .kind()
            .map(str::to_owned)
    };
    assert_eq!(kind("result", " type='hidden'").as_deref(), Some("a"));
    assert_eq!(kind("result", "").as_deref(), None);
    assert_eq!(kind("submit", "").as_deref(), Some("a"));
    assert_eq!(kind("submit", " type='text-single'").as_deref(), Some("a"));
}

#[test]
fn booleans_are_read_in_both_notations_of_s3_3() {
    let boolean = |value: &'static str| Field::new("a").with_value(value).boolean();
    assert_eq!(boolean("1"), Some(true));
    assert_eq!(boolean("true"), Some(true));
    assert_eq!(boolean("0"), Some(false));
    assert_eq!(boolean("false"), Some(false));
    assert_eq!(boolean("yes"), None);
    assert_eq!(Field::new("a").boolean(), None);
}

#[test]
fn unknown_field_type_is_text_single_and_unknown_form_type_no_form() {
    let form = parse("<x xmlns='jabber:x:data' type='submit'><field var='a' type='colour'/></x>");
    assert_eq!(
        form.unwrap().field("a").unwrap().field_type,
        Some(FieldType::TextSingle)
    );
    assert_eq!(parse("<x xmlns='jabber:x:data' type='table'/>"), None);
    assert_eq!(parse("<x xmlns='jabber:x:data'/>"), None);
    assert_eq!(parse("<x xmlns='jabber:x:other' type='form'/>"), None);
}
