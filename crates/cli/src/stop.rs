//! Requests to stop: Ctrl-C and, from a cluster or a service manager, SIGTERM.

/// Calls `stop` at each request.
#[cfg(unix)]
pub(crate) fn on_request(stop: fn()) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || signals.forever().for_each(|_| stop()));
    Ok(())
}

/// Calls `stop` at each request.
#[cfg(not(unix))]
pub(crate) fn on_request(stop: fn()) -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(stop)?)
}
