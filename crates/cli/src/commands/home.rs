//! `status`, `du` and `clean`: what is in the home; `doctor`: what is in the machine.

use super::Session;
use crate::args::{CleanArgs, StatusArgs};
use crate::exit::Ending;
use crate::output;

pub(super) fn status(session: &Session<'_>, args: &StatusArgs) -> anyhow::Result<Ending> {
    let plans = emobox_app::status(&session.home, args.out.as_deref())?;
    if session.json {
        output::json(&plans)?;
    } else if plans.is_empty() {
        output::note("no experiment was started here");
    } else {
        let texts: Vec<String> = plans.iter().map(emobox_app::PlanStatus::text).collect();
        output::result(&texts.join("\n"));
    }
    Ok(Ending::Complete)
}

pub(super) fn doctor(session: &Session<'_>) -> anyhow::Result<Ending> {
    let found = emobox_app::doctor();
    if session.json {
        output::json(&found)?;
    } else {
        output::result(&found.to_string());
    }
    Ok(Ending::Complete)
}

pub(super) fn usage(session: &Session<'_>) -> anyhow::Result<Ending> {
    let usage = emobox_bench::disk_usage(&session.home);
    if session.json {
        output::json(&usage)?;
    } else {
        output::result(&usage.text());
    }
    Ok(Ending::Complete)
}

pub(super) fn clean(session: &Session<'_>, args: &CleanArgs) -> anyhow::Result<Ending> {
    let items = emobox_bench::removable(&session.home)?;
    if args.yes {
        emobox_bench::remove(&items)?;
    }
    if session.json {
        output::json(&items)?;
    } else {
        output::result(&emobox_bench::removable_text(&items));
    }
    output::note(match (items.is_empty(), args.yes) {
        (true, _) => "nothing to delete",
        (_, true) => "deleted",
        (_, false) => "nothing was deleted; --yes deletes what is listed",
    });
    Ok(Ending::Complete)
}
