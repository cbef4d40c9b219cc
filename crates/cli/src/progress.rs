//! Progress on stderr: a bar with rate and time left on a terminal, plain lines otherwise.

use crate::output;
use emobox_bench::{Progress, Stage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long plain output stays silent between two lines of one stage.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// The progress display that fits where stderr goes.
pub(crate) fn display(quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Quiet)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bars(Mutex::new(None)))
    } else {
        Box::new(Lines(Mutex::new(None)))
    }
}

/// Notes only: a skipped file must be told even to a quiet user.
struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: &Stage) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, message: &str) {
        output::note(message);
    }
}

struct Bars(Mutex<Option<ProgressBar>>);

impl Progress for Bars {
    fn begin(&self, stage: &Stage) {
        let bar = ProgressBar::with_draw_target(Some(stage.total), ProgressDrawTarget::stderr());
        let template = "{msg} [{bar:30}] {pos}/{len} {prefix} {per_sec} eta {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(stage.label.clone());
        bar.set_prefix(stage.unit);
        bar.set_position(stage.already);
        bar.reset_eta();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(units);
        }
    }

    fn end(&self) {
        let bar = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = bar {
            bar.abandon();
        }
    }

    fn note(&self, message: &str) {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| output::note(message)),
            None => output::note(message),
        }
    }
}

struct Lines(Mutex<Option<PlainStage>>);

struct PlainStage {
    stage: Stage,
    done: u64,
    begun: Instant,
    last_line: Instant,
}

impl PlainStage {
    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let fresh = self.done.saturating_sub(self.stage.already);
        let rate = fresh as f64 / seconds.max(1e-3);
        let left = self.stage.total.saturating_sub(self.done);
        let eta = if fresh > 0 && left > 0 {
            format!(", {:.0} s left", left as f64 / rate)
        } else {
            String::new()
        };
        format!(
            "{}: {}/{} {} ({rate:.1}/s{eta})",
            self.stage.label, self.done, self.stage.total, self.stage.unit
        )
    }
}

impl Progress for Lines {
    fn begin(&self, stage: &Stage) {
        let now = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(PlainStage {
            done: stage.already,
            stage: stage.clone(),
            begun: now,
            last_line: now,
        });
    }

    fn advance(&self, units: u64) {
        if let Some(plain) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            plain.done += units;
            if plain.last_line.elapsed() >= PLAIN_INTERVAL {
                plain.last_line = Instant::now();
                output::note(&plain.line());
            }
        }
    }

    fn end(&self) {
        let plain = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(plain) = plain {
            output::note(&plain.line());
        }
    }

    fn note(&self, message: &str) {
        output::note(message);
    }
}
