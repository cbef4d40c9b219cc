//! `predict`: the emotion of recordings.

use super::Session;
use crate::args::PredictArgs;
use crate::exit::Outcome;
use crate::output;
use emobox_bench::{Answer, Listening, Predictor, RawSamples, SampleRate, Windows};

pub(super) fn run(session: &Session<'_>, args: &PredictArgs) -> anyhow::Result<Outcome> {
    let windows = args
        .window
        .map(|length| Windows::new(length, args.hop.unwrap_or(length / 2.0)));
    let how = Listening {
        raw: args.raw.map(|format| RawSamples {
            format,
            rate: SampleRate(args.rate),
        }),
        windows: windows.transpose()?,
    };
    let windowed = how.windows.is_some();
    let predictor = Predictor::open(&args.probe, args.encoder.as_deref(), args.device)?;
    let mut answers = Vec::new();
    let mut tell = |answer: &Answer| {
        if !session.json {
            output::result(&answer.to_string());
        } else if windowed {
            let line = serde_json::to_string(answer);
            output::result(&line.expect("an answer is plain data"));
        } else {
            answers.push(answer.clone());
        }
    };
    let mut skipped = 0;
    for file in &args.files {
        match predictor.listen(file, &how, session.context, &mut tell) {
            Ok(()) => {}
            Err(error) if args.files.len() > 1 && !error.is_interruption() => {
                output::note(&format!("skipped {}: {error}", file.display()));
                skipped += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if session.json && !windowed {
        output::json(&answers)?;
    }
    Ok(Outcome::from_skips(skipped))
}
