//! The documents that say which standards are supported, made from what the features declare.

use std::collections::BTreeMap;

use rookery_extension::{Spec, Standard, Status};
use rookery_xml::escape_text;

/// Where `docs/protocol/support.md` finds the root of the repository.
const ROOT: &str = "../..";

/// The table of supported standards, `docs/protocol/support.md`: Markdown, ordered by document.
pub fn support_table(specs: &[Spec]) -> String {
    let mut table = String::from(
        "# Supported standards\n\
        \n\
        Made from what the features declare; do not edit. The same as a [DOAP file](rookery.doap).\n\
        \n\
        | standard | title | version | support | remark | where |\n\
        |---|---|---|---|---|---|\n",
    );
    for (document, (standard, source)) in by_document(specs) {
        let row = [
            format!("[{document}]({})", address(document)),
            standard.title.to_owned(),
            standard.version.to_owned(),
            word(standard.status).to_owned(),
            standard.note.to_owned(),
            format!("[{source}]({ROOT}/{source})"),
        ];
        for cell in row {
            table.push_str("| ");
            table.push_str(&cell);
            table.push(' ');
        }
        table.push_str("|\n");
    }
    table
}

/// The description of the project, `docs/protocol/rookery.doap`: RDF/XML (XEP-0453).
pub fn doap(specs: &[Spec]) -> String {
    let mut doap = String::from(HEAD);
    for (document, (standard, _)) in by_document(specs) {
        if document.starts_with("XEP") {
            supported_xep(&mut doap, standard);
        } else {
            let address = address(document);
            line(
                &mut doap,
                4,
                &format!("<implements rdf:resource='{address}'/>"),
            );
        }
    }
    doap.push_str(TAIL);
    doap
}

const HEAD: &str = "\
<?xml version='1.0' encoding='UTF-8'?>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project xml:lang='en'>
    <name>Rookery</name>
    <shortdesc xml:lang='en'>XMPP server for providers</shortdesc>
    <license rdf:resource='https://spdx.org/licenses/Apache-2.0.html'/>
    <programming-language>Rust</programming-language>
    <os>Linux</os>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
";

const TAIL: &str = "  </Project>\n</rdf:RDF>\n";

/// XEP-0453 §5.2: the statement of support for one XEP.
fn supported_xep(doap: &mut String, standard: &Standard) {
    line(doap, 4, "<implements>");
    line(doap, 6, "<xmpp:SupportedXep>");
    let address = address(standard.document);
    line(doap, 8, &format!("<xmpp:xep rdf:resource='{address}'/>"));
    line(
        doap,
        8,
        &format!("<xmpp:status>{}</xmpp:status>", word(standard.status)),
    );
    if !standard.version.is_empty() {
        line(
            doap,
            8,
            &format!("<xmpp:version>{}</xmpp:version>", escaped(standard.version)),
        );
    }
    if !standard.note.is_empty() {
        let note = escaped(standard.note);
        line(
            doap,
            8,
            &format!("<xmpp:note xml:lang='en'>{note}</xmpp:note>"),
        );
    }
    line(doap, 6, "</xmpp:SupportedXep>");
    line(doap, 4, "</implements>");
}

/// The standards in the order of their documents, each with where it is; a document counts once.
fn by_document(specs: &[Spec]) -> BTreeMap<&'static str, (&'static Standard, &'static str)> {
    let mut sorted = BTreeMap::new();
    for spec in specs {
        for standard in spec.standards {
            sorted
                .entry(standard.document)
                .or_insert((standard, spec.source));
        }
    }
    sorted
}

/// The words of XEP-0453 §5.2.
fn word(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
    }
}

/// Where the document can be read.
fn address(document: &str) -> String {
    match document.split_once([' ', '-']) {
        Some(("XEP", number)) => format!("https://xmpp.org/extensions/xep-{number}.html"),
        Some((_, number)) => format!("https://www.rfc-editor.org/info/rfc{number}"),
        None => String::new(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape_text(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn line(doap: &mut String, indent: usize, text: &str) {
    doap.extend(std::iter::repeat_n(' ', indent));
    doap.push_str(text);
    doap.push('\n');
}

#[cfg(test)]
mod tests {
    use rookery_xml::Element;

    use super::*;
    use crate::fixture::Scene;

    const DOAP: &str = "http://usefulinc.com/ns/doap#";
    const XMPP: &str = "https://linkmauve.fr/ns/xmpp-doap#";
    const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

    const PAIR: &[Spec] = &[
        Spec {
            name: "later",
            source: "crates/later",
            standards: &[Standard {
                document: "XEP-0999",
                title: "Later",
                version: "1.0",
                status: Status::Partial,
                note: "Not <all> & everything.",
            }],
            ..Spec::EMPTY
        },
        Spec {
            name: "first",
            source: "crates/first.rs",
            standards: &[Standard {
                document: "RFC 6120",
                title: "Core",
                version: "",
                status: Status::Complete,
                note: "",
            }],
            ..Spec::EMPTY
        },
    ];

    #[test]
    fn table_is_ordered_by_document() {
        let rows: Vec<_> = support_table(PAIR)
            .lines()
            .skip(6)
            .map(str::to_owned)
            .collect();
        assert_eq!(
            rows,
            [
                "| [RFC 6120](https://www.rfc-editor.org/info/rfc6120) | Core |  | complete |  \
                | [crates/first.rs](../../crates/first.rs) |",
                "| [XEP-0999](https://xmpp.org/extensions/xep-0999.html) | Later | 1.0 | partial \
                | Not <all> & everything. | [crates/later](../../crates/later) |",
            ]
        );
    }

    #[test]
    fn doap_states_support_in_the_form_of_xep_0453_s5_2() {
        let doap = doap(PAIR);
        let (_declaration, root) = doap.split_once("?>").unwrap();
        let root = Element::parse_str(root.trim()).unwrap();
        let project = root.child("Project", DOAP).unwrap();
        let implements: Vec<_> = project
            .children()
            .filter(|child| child.is("implements", DOAP))
            .collect();
        let resource = |element: &Element| element.attribute_ns("resource", RDF).map(str::to_owned);

        assert_eq!(
            resource(implements[0]).as_deref(),
            Some("https://www.rfc-editor.org/info/rfc6120")
        );
        let support = implements[1].child("SupportedXep", XMPP).unwrap();
        let text = |name| support.child(name, XMPP).unwrap().text().into_owned();
        let xep = support.child("xep", XMPP).unwrap();
        assert_eq!(
            resource(xep).as_deref(),
            Some("https://xmpp.org/extensions/xep-0999.html")
        );
        assert_eq!(text("status"), "partial");
        assert_eq!(text("version"), "1.0");
        assert_eq!(text("note"), "Not <all> & everything.");
    }

    #[test]
    fn documents_do_not_depend_on_the_order_of_features() {
        let mut specs = Scene::new().features.specs().to_vec();
        let (table, doap_file) = (support_table(&specs), doap(&specs));
        specs.reverse();
        assert_eq!(support_table(&specs), table);
        assert_eq!(doap(&specs), doap_file);
    }
}
