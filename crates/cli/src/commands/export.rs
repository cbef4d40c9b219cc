//! `emobox export`: a prepared corpus for other programs.

use super::{Session, checked_name};
use crate::args::ExportArgs;
use crate::exit::Ending;
use crate::output;
use emobox_app::{ExportParts, Form};

pub(super) fn run(session: &Session<'_>, args: &ExportArgs) -> anyhow::Result<Ending> {
    let form: Form = args.form.parse()?;
    let corpus = emobox_bench::open_corpus(&session.home, checked_name(&args.name)?)?;
    let parts = args.fold.map(|fold| ExportParts {
        scheme: args.scheme.name(),
        seed: args.seed,
        fold,
    });
    let files = emobox_app::export(&session.home, &corpus, form, parts, &args.out)?;
    if session.json {
        output::json(&files)?;
    } else {
        for file in files {
            output::result(&file.display().to_string());
        }
    }
    Ok(Ending::Complete)
}
