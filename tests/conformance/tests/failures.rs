//! Scenes that are not true have to fail, at the line that is not true.

use rookery_conformance::{Company, Scene};

/// Who is on stage in every scene below; the scene goes on at line 6.
const CAST: &str = "\
# a scene that is not true

juliet is juliet@localhost/balcony
romeo is romeo@localhost/orchard
visitor is a tls connection
";

/// A name, what happens, and where and why it fails.
const UNTRUE: [(&str, &str, &str, &str); 8] = [
    (
        "attribute",
        "romeo sends:\n  <message to='juliet@localhost/balcony'/>\njuliet receives:\n  <message from='juliet@localhost'/>\n",
        "line 8: juliet: ",
        "from of <message/> is \"romeo@localhost/orchard\", not \"juliet@localhost\"",
    ),
    (
        "order",
        "romeo sends:\n  <message to='juliet@localhost/balcony' id='1'/>\n  <message to='juliet@localhost/balcony' id='2'/>\n\
         juliet receives:\n  <message id='2'/>\n",
        "line 9: juliet: ",
        "id of <message/> is \"1\", not \"2\"",
    ),
    (
        "silence",
        "juliet receives:\n  <message/>\n",
        "line 6: juliet: ",
        "nothing came in time",
    ),
    (
        "nothing",
        "romeo sends:\n  <message to='juliet@localhost/balcony'/>\njuliet receives nothing\n",
        "line 8: juliet: ",
        "does not mention: <message from='romeo@localhost/orchard'",
    ),
    (
        "unmentioned",
        "romeo sends:\n  <message to='juliet@localhost/balcony'/>\n",
        "line 0: juliet: ",
        "does not mention",
    ),
    (
        "exactly",
        "romeo sends:\n  <message to='juliet@localhost/balcony'><body/></message>\njuliet receives exactly:\n  <message from='*' to='*' xml:lang='*'/>\n",
        "line 8: juliet: ",
        "<message/> has 2 children, not 0",
    ),
    (
        "condition",
        "visitor opens a stream\nvisitor sends:\n  <message/>\nvisitor's stream ends with <conflict/>\n",
        "line 9: visitor: ",
        "<not-authorized ",
    ),
    (
        "connection",
        "juliet's connection ends\n",
        "line 6: juliet: ",
        "nothing came",
    ),
];

#[tokio::test]
async fn scenes_that_are_not_true_fail_where_they_are_not_true() {
    let scenes = UNTRUE
        .iter()
        .map(|(name, script, ..)| Scene::parse(name, &format!("{CAST}{script}")).unwrap())
        .collect();
    let outcomes = Company::of(scenes).play().await.unwrap();
    for (name, _, place, reason) in UNTRUE {
        let outcome = outcomes.iter().find(|outcome| outcome.scene == name);
        let failure = outcome.unwrap().failure.as_deref().unwrap_or("it passed");
        assert!(failure.starts_with(place), "{name}: {failure}");
        assert!(failure.contains(reason), "{name}: {failure}");
    }
}
