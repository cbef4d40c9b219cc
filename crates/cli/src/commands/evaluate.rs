//! `evaluate`: scores of anybody's predictions.

use super::Session;
use crate::args::EvaluateArgs;
use crate::exit::Outcome;
use crate::output;

pub(super) fn run(session: &Session<'_>, args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    let evaluation =
        emobox_bench::evaluate(&args.predictions, args.manifest.as_deref(), args.seed)?;
    if session.json {
        output::json(&evaluation.scores())?;
    } else {
        output::result(&evaluation.table());
    }
    Ok(Outcome::Complete)
}
