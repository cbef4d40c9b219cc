use crate::errors::exception;
use emobox_bench::{BenchError, Context, Progress, Stage, ThreadPool, thread_pool};
use pyo3::prelude::*;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest delay before Ctrl-C is noticed, and shortest time between progress calls.
const BEAT: Duration = Duration::from_millis(50);

/// The worker threads that Python set; without, rayon's own.
static THREADS: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);

/// Sets the number of threads of all work that begins from here on.
pub(crate) fn use_threads(threads: NonZeroUsize) -> Result<(), BenchError> {
    let pool = Arc::new(thread_pool(Some(threads))?);
    *THREADS.lock().unwrap_or_else(PoisonError::into_inner) = Some(pool);
    Ok(())
}

/// Runs long work on a separate thread, while the calling thread, with the interpreter released, passes progress to `callback`
/// and checks for Ctrl-C.
///
/// `callback(kind, label, done, total, unit)` is called on the calling thread only, with `kind` `begin`, `advance`, `end` or
/// (with the note as `label`) `note`. An exception in it stops the work and is raised again; so is `KeyboardInterrupt`.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    work: impl FnOnce(Context<'_>) -> Result<T, BenchError> + Send,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let (sender, receiver) = channel();
    let teller = Teller(sender);
    let stop = &stop;
    let (raised, result) = py.detach(move || {
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                let context = Context {
                    progress: &teller,
                    stop,
                };
                let threads = THREADS
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let result = match threads {
                    Some(threads) => threads.install(|| work(context)),
                    None => work(context),
                };
                // Ends `listen`.
                drop(teller);
                result
            });
            let raised = listen(&receiver, callback, stop);
            (raised, worker.join())
        })
    });
    match result {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(_) if raised.is_some() => Err(raised
            .into_iter()
            .next()
            .unwrap_or_else(|| exception(BenchError::Interrupted))),
        Ok(result) => result.map_err(exception),
    }
}

/// Runs until the worker is done; returns the first exception raised meanwhile.
fn listen(
    receiver: &Receiver<Event>,
    callback: Option<&Py<PyAny>>,
    stop: &AtomicBool,
) -> Option<PyErr> {
    let mut raised = None;
    let mut stage = None;
    loop {
        let first = match receiver.recv_timeout(BEAT) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return raised,
        };
        let events = first.into_iter().chain(receiver.try_iter());
        let told = tell(events, &mut stage, callback).and_then(|()| Python::attach(signals));
        if let Err(error) = told {
            stop.store(true, Ordering::Relaxed);
            raised.get_or_insert(error);
        }
        if stage.is_some() {
            // Combines many utterances per second into one call.
            std::thread::sleep(BEAT / 2);
        }
    }
}

/// `KeyboardInterrupt` after Ctrl-C, if the calling thread is Python's main thread.
fn signals(py: Python<'_>) -> PyResult<()> {
    py.check_signals()
}

fn tell(
    events: impl Iterator<Item = Event>,
    current: &mut Option<(Stage, u64)>,
    callback: Option<&Py<PyAny>>,
) -> PyResult<()> {
    let call = |kind: &str, stage: &Stage, done: u64| -> PyResult<()> {
        let Some(callback) = callback else {
            return Ok(());
        };
        Python::attach(|py| {
            callback.call1(py, (kind, &stage.label, done, stage.total, stage.unit))?;
            Ok(())
        })
    };
    let mut moved = false;
    for event in events {
        match event {
            Event::Begin(stage) => {
                call("begin", &stage, stage.already)?;
                let already = stage.already;
                *current = Some((stage, already));
                moved = false;
            }
            Event::Advance(units) => {
                if let Some((_, done)) = current {
                    *done += units;
                    moved = true;
                }
            }
            Event::End => {
                if let Some((stage, done)) = current.take() {
                    call("end", &stage, done)?;
                }
                moved = false;
            }
            Event::Note(label) => {
                let stage = Stage {
                    label,
                    total: 0,
                    unit: "",
                    already: 0,
                };
                call("note", &stage, 0)?;
            }
        }
    }
    match current {
        Some((stage, done)) if moved => call("advance", stage, *done),
        _ => Ok(()),
    }
}

enum Event {
    Begin(Stage),
    Advance(u64),
    End,
    Note(String),
}

/// Sends events to the listening thread, which listens as long as the work runs.
struct Teller(Sender<Event>);

impl Progress for Teller {
    fn begin(&self, stage: &Stage) {
        let _ = self.0.send(Event::Begin(stage.clone()));
    }

    fn advance(&self, units: u64) {
        let _ = self.0.send(Event::Advance(units));
    }

    fn end(&self) {
        let _ = self.0.send(Event::End);
    }

    fn note(&self, message: &str) {
        let _ = self.0.send(Event::Note(message.to_owned()));
    }
}
