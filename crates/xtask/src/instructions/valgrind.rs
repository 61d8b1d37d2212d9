//! Counting with valgrind: callgrind for instructions, dhat for allocations.

use std::path::Path;
use std::process::Command;

use super::InstructionsError;
use super::baseline::Cost;

/// How often a case is done in the two runs whose difference counts.
const FEW: u64 = 50;
const MANY: u64 = 250;

/// What a case costs once.
pub(super) fn cost(program: &Path, case: &str) -> Result<Cost, InstructionsError> {
    Ok(Cost {
        instructions: once(program, case, instructions)?,
        allocations: once(program, case, allocations)?,
    })
}

fn once(
    program: &Path,
    case: &str,
    count: fn(&Path, &str, u64) -> Result<u64, InstructionsError>,
) -> Result<u64, InstructionsError> {
    let many = count(program, case, MANY)?;
    let few = count(program, case, FEW)?;
    let times = MANY - FEW;
    Ok((many.saturating_sub(few) + times / 2) / times)
}

fn instructions(program: &Path, case: &str, times: u64) -> Result<u64, InstructionsError> {
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let text = watch(&tool, program, case, times)?;
    number_behind(&text, "Collected :").ok_or(InstructionsError::NoCount("instructions", text))
}

fn allocations(program: &Path, case: &str, times: u64) -> Result<u64, InstructionsError> {
    let tool = ["--tool=dhat", "--dhat-out-file=/dev/null"];
    let text = watch(&tool, program, case, times)?;
    let blocks = text
        .lines()
        .find_map(|line| line.split_once("Total:"))
        .and_then(|(_, rest)| number_behind(rest, " in "));
    blocks.ok_or(InstructionsError::NoCount("allocations", text))
}

/// Runs a case under a tool, and gives what the tool reports.
fn watch(
    tool: &[&str],
    program: &Path,
    case: &str,
    times: u64,
) -> Result<String, InstructionsError> {
    let output = Command::new("valgrind")
        .args(tool)
        .arg(program)
        .args([case, &times.to_string()])
        .output()
        .map_err(|error| InstructionsError::NoProgram("valgrind", error))?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(report)
    } else {
        Err(InstructionsError::Failed {
            program: "valgrind",
            output: report,
        })
    }
}

/// The number that follows these words; commas between its digits do not count.
fn number_behind(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_behind;

    #[test]
    fn numbers_are_read_from_the_reports_of_the_tools() {
        let callgrind = "==7== Events    : Ir\n==7== Collected : 1234567\n==7==\n";
        assert_eq!(number_behind(callgrind, "Collected :"), Some(1_234_567));
        let dhat = " 1,234 bytes in 5,678 blocks";
        assert_eq!(number_behind(dhat, " in "), Some(5_678));
        assert_eq!(number_behind("nothing", "Collected :"), None);
    }
}
