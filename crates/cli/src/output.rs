//! The one place that prints: results to stdout, everything else to stderr.

use crate::exit;
use emobox_bench::ErrorKind;
use serde::Serialize;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether stdout has got something.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// An error as `--json` prints it, under the key `error`.
#[derive(Serialize)]
struct Failure {
    kind: ErrorKind,
    exit_code: u8,
    message: String,
}

impl Failure {
    /// Prints it, unless the command has printed a result: who reads stdout gets one document.
    fn print(self) {
        if !PRINTED.load(Ordering::Relaxed) {
            let text = serde_json::to_string_pretty(&serde_json::json!({ "error": self }));
            result(&text.expect("an error is plain data"));
        }
    }
}

/// Prints a result, with one final newline.
pub(crate) fn result(text: &str) {
    PRINTED.store(true, Ordering::Relaxed);
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text.trim_end_matches('\n').as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if let Err(cause) = written {
        lost(&cause);
    }
}

/// What Rust says of a text that is no number, and what is said of it here.
const NUMBERS: [(&str, &str); 6] = [
    ("invalid digit found in string", "expected a whole number"),
    (
        "cannot parse integer from empty string",
        "expected a whole number",
    ),
    (
        "number would be zero for non-zero type",
        "expected a whole number from 1",
    ),
    ("number too large to fit in target type", "it is too large"),
    ("invalid float literal", "expected a number"),
    ("cannot parse float from empty string", "expected a number"),
];

/// Prints what clap answers instead of a command: help and the version, or what is wrong with the call.
pub(crate) fn of_the_parser(answer: &clap::Error) -> std::process::ExitCode {
    let rendered = answer.render().to_string();
    let number = NUMBERS.iter().find(|(rust, _)| rendered.contains(rust));
    let plain = number.map(|(rust, plain)| rendered.replace(rust, plain));
    // What was not understood as a whole may still have asked for JSON.
    if answer.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let failure = Failure {
            kind: ErrorKind::WrongCall,
            exit_code: exit::USAGE,
            message: plain
                .as_ref()
                .unwrap_or(&rendered)
                .trim_start_matches("error: ")
                .trim()
                .to_owned(),
        };
        failure.print();
    }
    let written = match plain {
        Some(plain) => {
            note(plain.trim_end());
            Ok(())
        }
        None => answer.print().and_then(|()| std::io::stdout().flush()),
    };
    match written {
        Err(cause) if !answer.use_stderr() => lost(&cause),
        _ => std::process::ExitCode::from(answer.exit_code() as u8),
    }
}

/// Ends the program: a result did not reach its reader.
fn lost(cause: &std::io::Error) -> ! {
    if cause.kind() == std::io::ErrorKind::BrokenPipe {
        // The reader has closed the pipe (`emobox corpora | head`): nothing is left to do for it.
        std::process::exit(i32::from(crate::exit::DONE));
    }
    note(&format!(
        "error: the result could not be written to stdout: {cause}"
    ));
    std::process::exit(i32::from(crate::exit::FAILED));
}

/// Prints a result as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    result(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Tells the user something that is not a result.
pub(crate) fn note(text: &str) {
    // A closed stderr must not end the work.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Tells the user why the command failed, with every cause; with `json` a program too.
pub(crate) fn error(error: &anyhow::Error, json: bool) {
    let mut message = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Most errors put their cause into their own message.
        if !message.contains(&cause) {
            message.push_str(&format!(": {cause}"));
        }
    }
    note(&format!("error: {message}"));
    if json {
        let failure = Failure {
            kind: exit::kind(error),
            exit_code: exit::of_error(error),
            message,
        };
        failure.print();
    }
}
