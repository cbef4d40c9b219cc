use std::sync::atomic::{AtomicBool, Ordering};

/// What is counted while a stage runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// A description for people: `encoding emodb with whisper-tiny.en`.
    pub label: String,
    /// The total number of units.
    pub total: u64,
    /// The unit's name: `utterances`, `epochs`.
    pub unit: &'static str,
    /// Units that an earlier run finished.
    pub already: u64,
}

/// Receives the progress of long work. Calls come from several threads, one stage at a time.
pub trait Progress: Sync {
    /// A stage begins.
    fn begin(&self, stage: &Stage);
    /// `units` more are finished.
    fn advance(&self, units: u64);
    /// The stage ended, finished or not.
    fn end(&self);
    /// Something that a user should know now: a skipped file, a lock being waited for.
    fn note(&self, message: &str);
}

/// Progress that is not shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &Stage) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, _: &str) {}
}

/// Passes notes on and drops stages: for parts of a stage that is counted as a whole.
pub(crate) struct NotesAlone<'a>(pub(crate) &'a dyn Progress);

impl Progress for NotesAlone<'_> {
    fn begin(&self, _: &Stage) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, message: &str) {
        self.0.note(message);
    }
}

/// What every stage needs besides its input: where to report, and whether to stop.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Receives stages and notes.
    pub progress: &'a dyn Progress,
    /// Set from outside (Ctrl-C) to stop at the next resumable point.
    pub stop: &'a AtomicBool,
}

impl Context<'_> {
    /// Whether the work should stop now.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("stopped", &self.stopped())
            .finish_non_exhaustive()
    }
}
