//! What a command says: results on standard output, complaints on standard error.

use std::io::{self, Write};

use super::exit::Failure;

/// Prints a result. A reader that has read enough and left is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Says what is wrong, every line as the program's.
pub(super) fn complain(text: &str) {
    let mut err = io::stderr().lock();
    for line in text.lines() {
        // Where standard error cannot be written, there is nobody to tell.
        writeln!(err, "rookery: {line}").unwrap_or_default();
    }
}
