//! `download`: open releases, after their licence was shown.

use super::Session;
use crate::args::DownloadArgs;
use crate::exit::Ending;
use crate::output;
use emobox_app::{DownloadHow, Offer, PUBLISHED_METADATA, Release};
use emobox_bench::{BenchError, CallError};
use std::io::{BufRead, IsTerminal};

pub(super) fn run(session: &Session<'_>, args: &DownloadArgs) -> anyhow::Result<Ending> {
    let offer = emobox_app::offer(&args.name)?;
    let release = match &offer {
        Offer::Fetch(release) => release,
        Offer::ByHand { name, how } => {
            if session.json {
                output::json(&offer)?;
            } else {
                output::result(how);
            }
            anyhow::bail!("{name} has to be fetched by hand, as said above");
        }
    };
    output::note(release.to_string().trim_end());
    if !args.yes {
        ask(release)?;
    }
    let how = DownloadHow {
        out: args.out.clone(),
        mirror: args.from.clone(),
        keep_archives: args.keep_archives,
    };
    let done = emobox_app::download(&session.home, release, &how, session.context)?;
    for skipped in &done.skipped {
        output::note(&format!(
            "not unpacked: {}: {}",
            skipped.entry, skipped.reason
        ));
    }
    if !done.unverified.is_empty() && !done.already {
        let names = done.unverified.join(", ");
        output::note(&format!("no checksum is known for {names}"));
    }
    let folder = done.folder.display();
    if done.already {
        output::note(&format!("already there: {folder}"));
    }
    if session.json {
        output::json(&done)?;
    } else {
        output::result(&folder.to_string());
    }
    output::note(&if release.name == PUBLISHED_METADATA {
        format!("next: emobox split NAME --scheme published --metadata {folder}")
    } else {
        format!("next: emobox prepare {} --raw {folder}", release.name)
    });
    Ok(Ending::from_skips(done.skipped.len()))
}

/// Asks on the terminal whether the licence is accepted.
fn ask(release: &Release) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(BenchError::Call(CallError::NotAccepted(format!(
            "there is no terminal to ask whether you accept the licence of {}: read it above and add --yes",
            release.name
        )))
        .into());
    }
    output::note("Type yes to accept the licence and fetch:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(BenchError::Call(CallError::NotAccepted(
        "not accepted; nothing was fetched".to_owned(),
    ))
    .into())
}
