//! `evaluate`: scores of anybody's predictions.

use super::Session;
use crate::args::EvaluateArgs;
use crate::exit::Outcome;
use crate::output;

pub(super) fn run(session: &Session<'_>, args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    let (file, manifest) = (&args.predictions, args.manifest.as_deref());
    let evaluation = match &args.labels {
        Some(labels) => emobox_bench::evaluate_lists(file, labels, manifest, args.seed)?,
        None => emobox_bench::evaluate(file, manifest, args.seed)?,
    };
    if session.json {
        output::json(&evaluation.scores())?;
    } else {
        output::result(&evaluation.table());
    }
    Ok(Outcome::Complete)
}
