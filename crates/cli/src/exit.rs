//! The exit codes, chosen in one place.

use emobox_bench::{BenchError, ErrorKind};
use std::process::ExitCode;

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// The work failed.
pub(crate) const FAILED: u8 = 1;
/// The call was wrong: an unknown name, a missing argument, an invalid experiment.
pub(crate) const USAGE: u8 = 2;
/// The work is done, but some inputs were skipped; the report names them.
pub(crate) const SKIPPED: u8 = 3;
/// Stopped by Ctrl-C or SIGTERM; the same command goes on where it stopped.
pub(crate) const INTERRUPTED: u8 = 130;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of it.
    Complete,
    /// With inputs left out.
    WithSkips,
}

impl Ending {
    /// [`Ending::WithSkips`] when `count` is not zero.
    pub(crate) fn from_skips(count: usize) -> Self {
        if count == 0 {
            Self::Complete
        } else {
            Self::WithSkips
        }
    }
}

/// The process's exit code for the end of a command.
pub(crate) fn code(result: &anyhow::Result<Ending>) -> ExitCode {
    ExitCode::from(match result {
        Ok(Ending::Complete) => DONE,
        Ok(Ending::WithSkips) => SKIPPED,
        Err(error) => of_error(error),
    })
}

/// The exit code of an error.
pub(crate) fn of_error(error: &anyhow::Error) -> u8 {
    match kind(error) {
        ErrorKind::Interrupted => INTERRUPTED,
        ErrorKind::WrongCall => USAGE,
        ErrorKind::Failed => FAILED,
    }
}

/// Whose matter an error is.
pub(crate) fn kind(error: &anyhow::Error) -> ErrorKind {
    let known = error.downcast_ref::<BenchError>();
    known.map_or(ErrorKind::Failed, BenchError::kind)
}
