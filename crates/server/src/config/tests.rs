//! The configuration as a whole: file, environment, checks, documents.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

struct Written {
    _directory: TempDir,
    path: PathBuf,
}

fn write(text: &str) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rookery.toml");
    std::fs::write(&path, text).unwrap();
    Written {
        _directory: directory,
        path,
    }
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let written = write(text);
    let variables = variables
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let sources = Sources {
        file: Some(written.path.clone()),
        variables: variables.collect(),
    };
    let directory = format!("{}/", written.path.parent().unwrap().display());
    load(&sources)
        .map(|loaded| loaded.config)
        .map_err(|problems| {
            let lines = problems.to_string();
            lines
                .lines()
                .map(|line| line.replace(&directory, ""))
                .collect()
        })
}

fn problems(text: &str) -> Vec<String> {
    read(text, &[]).unwrap_err()
}

#[test]
fn nothing_written_is_the_default() {
    assert_eq!(read("", &[]).unwrap(), Config::default());
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(read(&example::text(), &[]).unwrap(), Config::default());
}

#[test]
fn what_the_example_leaves_open_is_written_as_its_kind_wants_it() {
    let example = example::text();
    assert!(example.contains("\n#archive = true\n"), "{example}");
    let config = read(&example.replace("\n#archive = ", "\narchive = "), &[]).unwrap();
    assert_eq!(config.host[0].archive, Some(true));
}

#[test]
fn the_reference_and_the_example_name_every_key() {
    let (reference, example) = (reference::text(), example::text());
    let keys = Keys::new();
    assert!(keys.keys().count() > 40);
    for section in keys
        .sections()
        .iter()
        .filter(|section| !section.keys.is_empty())
    {
        if !section.path.is_empty() {
            assert!(
                reference.contains(&format!("## `{}`", section.heading())),
                "{section:?}"
            );
            let begins = |mark: &str| example.contains(&format!("\n{mark}{}\n", section.heading()));
            assert!(begins("") || begins("#"), "{section:?}");
            assert!(!section.text.is_empty(), "{section:?} has no text");
        }
    }
    for key in keys.keys() {
        assert!(!key.text.is_empty(), "{} has no text", key.path);
        assert!(
            reference.contains(&format!("| `{}` |", key.name)),
            "{}",
            key.path
        );
        let set = |mark: &str| example.contains(&format!("\n{mark}{} = ", key.name));
        assert!(set("") || set("#"), "{}", key.path);
    }
}

#[test]
fn every_variable_means_one_key() {
    let mut variables: Vec<String> = Keys::new().keys().map(Key::variable).collect();
    let count = variables.len();
    variables.sort_unstable();
    variables.dedup();
    assert_eq!(variables.len(), count);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
    assert_eq!(
        problems("data_dir = \"x\"\n\n[listener.c2s]\nadress = []\n"),
        ["rookery.toml:4: listener.c2s.adress: unknown key; did you mean \"address\"?"]
    );
    assert_eq!(
        problems("[listeners.c2s]\n"),
        ["rookery.toml:1: listeners: unknown key; did you mean \"listener\"?"]
    );
    assert_eq!(
        problems("certificate = \"x\""),
        ["rookery.toml:1: certificate: unknown key; did you mean \"tls.certificate\"?"]
    );
    assert_eq!(
        problems("zzz = 1"),
        ["rookery.toml:1: zzz: unknown key; `rookery config reference` lists all keys"]
    );
}

#[test]
fn components_are_named_and_have_secrets() {
    let component = |lines: &str| problems(&format!("[[component]]\n{lines}\n"));
    assert_eq!(
        component("secret = \"correct horse\""),
        [
            "rookery.toml:1: component.name: is missing; every [[component]] has a name, the domain that it serves"
        ]
    );
    assert_eq!(
        component("name = \"localhost\"\nsecret = \"correct horse\""),
        ["rookery.toml:2: component.name: localhost is served by [[host]] already"]
    );
    assert_eq!(
        component(
            "name = \"a.example\"\nsecret = \"correct horse\"\n\
             [[component]]\nname = \"A.example\"\nsecret = \"short\""
        ),
        [
            "rookery.toml:5: component.name: a.example is served by another [[component]] already",
            "rookery.toml:6: component.secret: must have at least 8 characters"
        ]
    );
    assert_eq!(
        component("name = \"a.example\""),
        [
            "rookery.toml:1: component.secret: is missing; set it, or secret_file to a file that holds it"
        ]
    );
    assert_eq!(
        component("name = \"a.example\"\nsecret = \"correct horse\"\nsecret_file = \"x\""),
        ["rookery.toml:3: component.secret: is of no use beside secret_file; set one"]
    );
}

#[test]
fn components_are_heard_on_loopback_unless_told_otherwise() {
    let open = "[listener.component]\naddress = [\"0.0.0.0:5347\"]\n";
    let said = problems(open);
    assert!(
        said[0].starts_with("rookery.toml:2: listener.component.address: 0.0.0.0:5347 can be"),
        "{said:?}"
    );
    read(&format!("{open}allow_remote = true\n"), &[]).unwrap();
    assert_eq!(
        problems("[listener.component]\nqueue_bytes = 0\n"),
        ["rookery.toml:2: listener.component.queue_bytes: must be at least 1"]
    );
}

#[test]
fn a_wrong_type_says_what_was_expected_and_what_was_found() {
    assert_eq!(
        problems("[limits]\nconnections = \"many\"\n[log]\nformat = \"xml\"\nlevel = 3\n"),
        [
            "rookery.toml:2: limits.connections: expected a whole number that is not negative, \
             found \"many\"",
            "rookery.toml:4: log.format: expected \"text\" or \"json\", found \"xml\"",
            "rookery.toml:5: log.level: expected text in quotes, found the number 3",
        ]
    );
    assert_eq!(
        problems("host = \"example.org\"\ntls = 1"),
        [
            "rookery.toml:1: host: is a table; write [[host]] above its keys",
            "rookery.toml:2: tls: is a table; write [tls] above its keys",
        ]
    );
    let [problem] = &problems("[listener.c2s]\naddress = [\"localhost\"]")[..] else {
        panic!()
    };
    assert!(problem.starts_with("rookery.toml:2: listener.c2s.address: [\"localhost\"]: "));
    assert!(
        problem.ends_with("; the default is [\"127.0.0.1:5222\"]"),
        "{problem}"
    );
    let [problem] = &problems("[store.embedded]\nreaders = 0")[..] else {
        panic!()
    };
    assert!(
        problem.starts_with("rookery.toml:2: store.embedded.readers: 0: "),
        "{problem}"
    );
    let [problem] = &problems("[store.log]\nsegment_bytes = 1")[..] else {
        panic!()
    };
    assert!(
        problem.starts_with("rookery.toml:2: store.log.segment_bytes: must be "),
        "{problem}"
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let found = problems("data_dir = \"x\"\nname\n");
    assert!(
        found[0].starts_with("rookery.toml:2: this is not TOML: "),
        "{found:?}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources {
        file: Some(PathBuf::from("/nowhere/r.toml")),
        ..Sources::default()
    };
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.contains("/nowhere/r.toml"), "{error}");
}

#[test]
fn the_environment_lies_over_the_file() {
    let variables = [
        ("ROOKERY_DATA_DIR", "/var/lib/rookery"),
        ("ROOKERY_LISTENER_C2S_ADDRESS", "127.0.0.1:1, [::1]:2"),
        ("ROOKERY_LISTENER_C2S_TLS_ADDRESS", ""),
        ("ROOKERY_LOG_LEVEL", "debug"),
        ("ROOKERY_LOG_FORMAT", "json"),
        ("ROOKERY_AUTH_ITERATIONS", "5000"),
        ("ROOKERY_FEATURES_SOFTWARE_VERSION_OPERATING_SYSTEM", "true"),
        ("ROOKERY_SERVICE_HOST", "10.0.0.1"),
        ("ROOKERY_PORT_5222_TCP", "tcp://10.0.0.1:5222"),
        ("PATH", "/bin"),
    ];
    let config = read("data_dir = \"x\"\n[log]\nlevel = \"warn\"\n", &variables).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/rookery"));
    let addresses = ["127.0.0.1:1", "[::1]:2"].map(|address| address.parse().unwrap());
    assert_eq!(config.listener.c2s.address, addresses);
    assert_eq!(config.listener.c2s_tls.address, []);
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.auth.iterations, 5000);
    assert!(config.features.software_version.operating_system);
}

#[test]
fn the_environment_names_the_hosts_and_leaves_them_their_settings() {
    let text = "[[host]]\nname = \"a.example\"\n[host.auth]\nplain = false\n\
                [[host]]\nname = \"b.example\"\n";
    let config = read(text, &[("ROOKERY_HOST", "c.example,a.example")]).unwrap();
    let names: Vec<&str> = config.host.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["c.example", "a.example"]);
    assert!(config.host[0].auth.plain && !config.host[1].auth.plain);
}

#[test]
fn a_wrong_variable_is_refused_like_a_wrong_key() {
    let variables = [
        ("ROOKERY_LOG_LEVL", "debug"),
        ("ROOKERY_LIMITS_CONNECTIONS", "-1"),
        ("ROOKERY_LISTENER_OPS_ADDRESS", "9091"),
    ];
    let found = read("", &variables).unwrap_err();
    let expected = "ROOKERY_LOG_LEVL: unknown variable; did you mean ROOKERY_LOG_LEVEL?";
    assert!(found.iter().any(|problem| problem == expected), "{found:?}");
    let expected =
        "ROOKERY_LIMITS_CONNECTIONS: expected a whole number that is not negative, found \"-1\"";
    assert!(found.iter().any(|problem| problem == expected), "{found:?}");
    assert!(
        found
            .iter()
            .any(|problem| problem.starts_with("ROOKERY_LISTENER_OPS_ADDRESS: "))
    );
}

#[test]
fn what_does_not_fit_together_is_told_with_the_key() {
    let text = "\
[[host]]
name = \"EXAMPLE.org\"
[host.tls]
key = \"k.pem\"
[host.contact]
abuse = [\"somebody\"]
[[host]]
name = \"example.org\"
[[host]]
name = \"alice@example.net\"
[[host]]
[listener.c2s]
address = [\"0.0.0.0:5222\"]
starttls = \"off\"
[listener.ops]
address = [\"0.0.0.0:5222\"]
[tls]
certificate = \"c.pem\"
client_crl = \"l.pem\"
[log]
level = \"loud\"
[auth]
iterations = 1
[stream]
max_stanza_bytes = 1
[shutdown]
timeout_seconds = 0
";
    let found = problems(text);
    let expected = [
        ":3: host.tls.certificate: is missing",
        ":6: host.contact.abuse: \"somebody\" is not a URI",
        ":8: host.name: example.org is served by another [[host]] already",
        ":10: host.name: \"alice@example.net\" is not a domain",
        ":11: host.name: is missing",
        ":14: listener.c2s.starttls: must be \"required\"",
        ":16: listener.ops.address: 0.0.0.0:5222 is used by listener.c2s.address already",
        ":17: tls.key: is missing",
        ":19: tls.client_crl: is of no use without tls.client_ca",
        ":21: log.level: \"loud\" is not a level",
        ":23: auth.iterations: must be",
        ":25: stream.max_stanza_bytes: must be",
        ":27: shutdown.timeout_seconds: must be at least 1",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} does not say {expected}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_file() {
    let found = problems("zzz = 1\n[log]\nformat = 1\n[limits]\nconections = 1\n");
    assert_eq!(found.len(), 3, "{found:#?}");
    let lines: Vec<&str> = found
        .iter()
        .map(|problem| problem.split(':').nth(1).unwrap())
        .collect();
    assert_eq!(lines, ["1", "3", "5"]);
}
