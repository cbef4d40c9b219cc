//! `predict`: the emotion of recordings.

use super::Session;
use crate::args::PredictArgs;
use crate::exit::Outcome;
use crate::output;
use emobox_bench::Predictor;

pub(super) fn run(session: &Session<'_>, args: &PredictArgs) -> anyhow::Result<Outcome> {
    let predictor = Predictor::open(&args.probe, args.encoder.as_deref(), &args.device)?;
    let mut answers = Vec::new();
    let mut skipped = 0;
    for file in &args.files {
        match predictor.predict(file) {
            Ok(answer) => {
                if !session.json {
                    output::result(&answer.to_string());
                }
                answers.push(answer);
            }
            Err(error) if args.files.len() > 1 => {
                output::note(&format!("skipped {}: {error}", file.display()));
                skipped += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if session.json {
        output::json(&answers)?;
    }
    Ok(Outcome::from_skips(skipped))
}
