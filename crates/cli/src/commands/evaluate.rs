//! `evaluate`: scores of anybody's predictions.

use super::{Session, check_files, name_and_path};
use crate::args::EvaluateArgs;
use crate::exit::Ending;
use crate::output;
use emobox_app::ZeroShot;
use emobox_bench::{BenchError, CallError, CorpusChoice, EncoderChoice};

pub(super) fn run(session: &Session<'_>, args: &EvaluateArgs) -> anyhow::Result<Ending> {
    let named = [&args.predictions, &args.labels, &args.manifest];
    check_files(named.into_iter().flatten())?;
    let manifest = args.manifest.as_deref();
    let evaluation = match (&args.predictions, &args.labels) {
        (None, _) => emobox_app::zero_shot(&session.home, &asked(args)?, session.context)?,
        (Some(file), Some(labels)) => {
            emobox_bench::evaluate_lists(file, labels, manifest, args.seed)?
        }
        (Some(file), None) => emobox_bench::evaluate(file, manifest, args.seed)?,
    };
    if session.json {
        output::json(&evaluation.scores())?;
    } else {
        output::result(&evaluation.table());
    }
    Ok(Ending::Complete)
}

/// What a checkpoint's own head is asked.
fn asked(args: &EvaluateArgs) -> Result<ZeroShot, BenchError> {
    let encoder = EncoderChoice::named(args.encoder.as_deref().unwrap_or_default());
    let (name, raw) = name_and_path(args.corpus.as_deref().unwrap_or_default());
    let corpus = CorpusChoice {
        name,
        raw,
        channel: None,
        columns: std::collections::BTreeMap::new(),
        custom: false,
    };
    let pair = |text: &String| {
        let pair = text.split_once('=');
        let pair = pair.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()));
        pair.ok_or_else(|| BenchError::Call(CallError::value("--class", text, "HEAD=CORPUS")))
    };
    Ok(ZeroShot {
        encoder,
        corpus,
        classes: args.classes.iter().map(pair).collect::<Result<_, _>>()?,
        device: args.device,
        predictions: args.out.clone(),
    })
}
