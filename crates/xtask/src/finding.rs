//! What a check hands back: where something is wrong, and what to do about it.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// A file of the repository, from its root.
    path: String,
    /// The line in that file, counted from 1; `None` when the whole file is meant.
    line: Option<usize>,
    /// What is wrong and what to do.
    message: String,
}

/// The result of a check that could run.
#[derive(Debug)]
pub(crate) struct Report {
    /// One line for the case that nothing was found.
    pub(crate) summary: String,
    /// Everything that was found; empty means that the check passed.
    pub(crate) findings: Vec<Finding>,
}

impl Finding {
    /// Something is wrong with a whole file.
    pub(crate) fn file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    /// Something is wrong in one line; `index` counts from 0, as `enumerate` does.
    pub(crate) fn line(path: &str, index: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(index + 1),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
