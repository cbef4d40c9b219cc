//! The one place that prints: results to stdout, everything else to stderr.

use serde::Serialize;
use std::io::Write;

/// Prints a result, with one final newline.
pub(crate) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text.trim_end_matches('\n').as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if let Err(cause) = written {
        lost(&cause);
    }
}

/// Prints what clap answers instead of a command: help and the version, or what is wrong with the call.
pub(crate) fn of_the_parser(answer: &clap::Error) -> std::process::ExitCode {
    let written = answer.print().and_then(|()| std::io::stdout().flush());
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

/// Tells the user why the command failed, with every cause.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = format!("error: {error}");
    let mut shown = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Library errors put their cause into their own message.
        if !shown.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
            shown = cause;
        }
    }
    note(&text);
}
