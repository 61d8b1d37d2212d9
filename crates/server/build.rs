//! Tells the program which source it is made from, and by which compiler.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn main() {
    let given = option_env!("SOURCE_REVISION").map(str::to_owned);
    let revision = given.or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    set("REVISION", revision);
    set("RUSTC_VERSION", output(compiler, &["--version"]));
    instruct("rerun-if-env-changed=SOURCE_REVISION");
    // The log of HEAD grows with every commit and checkout. For a debug build the revision of the last
    // build that had another reason is good enough.
    let git = output("git", &["rev-parse", "--git-path", "logs/HEAD"]);
    let is_release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    if let Some(path) = git.filter(|path| is_release && Path::new(path).exists()) {
        instruct(&format!("rerun-if-changed={path}"));
    }
    instruct("rerun-if-changed=build.rs");
}

/// Not by a name that the program would take for a setting: cargo sets it for what it runs, too.
fn set(name: &str, value: Option<String>) {
    let value = value.unwrap_or_else(|| "unknown".to_owned());
    instruct(&format!("rustc-env=BUILD_{name}={value}"));
}

/// Cargo reads what a build script prints.
fn instruct(text: &str) {
    println!("cargo::{text}");
}

/// What a command prints, if it succeeds.
fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}
