//! A client as a process: what it is given to read, and what it writes.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// How long a client may take for one thing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that runs. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    /// Everything that it wrote, errors among the rest.
    seen: String,
    /// Up to where the test has looked.
    looked: usize,
}

// === impl Process ===

impl Process {
    /// Starts a program of the Debian package of the same name.
    pub(crate) fn start(command: &mut Command) -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let started = command.spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        // The command holds the writing end, which has to be closed for the output to end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = started.unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("{name} is not installed: `.ci/setup test` installs it"),
            _ => panic!("{name} does not start: {error}"),
        });
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            output,
            seen: String::new(),
            looked: 0,
        }
    }

    /// Gives it something to read.
    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until it has written this text, after what was waited for before.
    pub(crate) fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut found = self.seen.match_indices(text);
            if let Some((at, _)) = found.find(|(at, _)| *at >= self.looked) {
                self.looked = at + text.len();
                return;
            }
            assert!(
                self.read(deadline),
                "{text:?} was not written, but:\n{}",
                self.seen
            );
        }
    }

    /// Gives it nothing more to read, waits for its end, and gives what it wrote.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline) {}
        assert!(
            Instant::now() < deadline,
            "it does not end, but writes:\n{}",
            self.seen
        );
        let status = self.child.wait().unwrap();
        (status, std::mem::take(&mut self.seen))
    }

    /// Waits for more output; false when there will be none, or none came in time.
    fn read(&mut self, deadline: Instant) -> bool {
        let patience = deadline.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(patience) {
            Ok(bytes) => {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(_) => false,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
