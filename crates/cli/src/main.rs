//! The `emobox` command line.
//!
//! It parses arguments, shows progress, prints and chooses exit codes; everything it can do is a
//! function of `emobox-bench`.

mod args;
mod commands;
mod exit;
mod output;
mod progress;
mod stop;

use args::Cli;
use clap::Parser;
use emobox_bench::ThreadPool;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by a request to stop; long work stops at the next point from which it can go on.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return output::of_the_parser(&answer),
    };
    let result = start(&cli).and_then(|threads| threads.install(|| commands::run(&cli, &STOP)));
    if let Err(error) = &result {
        output::error(error, cli.global.json);
    }
    exit::code(&result)
}

/// Sets up what all commands need: the answer to a request to stop, and the worker threads.
fn start(cli: &Cli) -> anyhow::Result<ThreadPool> {
    stop::on_request(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            // Asked twice: leave at once. Whole files are renamed into place, so nothing is damaged.
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        output::note(
            "stopping at the next point from which the work can go on; Ctrl-C again stops at once",
        );
    })?;
    Ok(emobox_bench::thread_pool(cli.global.threads)?)
}
