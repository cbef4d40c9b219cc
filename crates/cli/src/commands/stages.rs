//! The stages one by one: prepare, split, extract, train.

use super::{Session, checked_name, experiment};
use crate::args::{ExperimentHow, ExtractArgs, PrepareArgs, SplitArgs};
use crate::exit::Ending;
use crate::output;
use emobox_bench::{BenchError, CallError, PrepareHow, Share, SplitRequest, Target, parse_memory};

pub(super) fn prepare(session: &Session<'_>, args: &PrepareArgs) -> anyhow::Result<Ending> {
    let how = PrepareHow {
        allow_missing: args.how.allow_missing,
        as_published: args.how.as_published,
    };
    let name = checked_name(&args.name)?;
    let reading = args.reading.reading()?;
    if !args.raw.exists() {
        let problem = "does not exist: name the folder of the raw release";
        return Err(BenchError::Call(CallError::other(&args.raw, problem)).into());
    }
    let (home, context) = (&session.home, session.context);
    let record = emobox_bench::prepare_as(home, name, &args.raw, how, &reading, context)?;
    if session.json {
        output::json(&record)?;
    } else {
        output::result(&record.summary);
        output::result(&home.manifest(&record.corpus).display().to_string());
    }
    Ok(Ending::from_skips(record.skipped))
}

pub(super) fn split(session: &Session<'_>, args: &SplitArgs) -> anyhow::Result<Ending> {
    let corpus = emobox_bench::open_corpus(&session.home, checked_name(&args.name)?)?;
    let mut skipped = 0;
    for scheme in args.how.scheme.clone().unwrap_or_default().iter() {
        let request = SplitRequest {
            scheme,
            seed: args.how.partition_seed.unwrap_or_default(),
            metadata: args.how.metadata.as_deref(),
            target: Target::Classes,
            listen: args.audio,
        };
        let split = emobox_bench::split(&session.home, &corpus, &request, session.context)?;
        if session.json {
            output::json(&split.partition.info)?;
        } else {
            output::result(&split.text());
        }
        skipped += split.skipped();
    }
    Ok(Ending::from_skips(skipped))
}

pub(super) fn extract(session: &Session<'_>, args: &ExtractArgs) -> anyhow::Result<Ending> {
    let mut experiment = experiment(args.experiment.as_deref())?;
    args.grid.add_to(&mut experiment)?;
    experiment.fetch_encoders(session.context)?;
    experiment.check()?;
    let share: Option<Share> = args.shard.as_deref().map(str::parse).transpose()?;
    let memory = args.memory.as_deref().map(parse_memory).transpose()?;
    let done =
        emobox_bench::extract_all(&session.home, &experiment, share, memory, session.context)?;
    if session.json {
        output::json(&done)?;
    } else {
        for extracted in &done {
            output::result(&extracted.line());
        }
    }
    Ok(Ending::from_skips(
        done.iter()
            .map(|extracted| extracted.failed.len() + extracted.unreadable.len())
            .sum(),
    ))
}

pub(super) fn train(session: &Session<'_>, args: &ExperimentHow) -> anyhow::Result<Ending> {
    let mut experiment = args.experiment()?;
    experiment.fetch_encoders(session.context)?;
    experiment.check()?;
    let run = emobox_bench::train_all(&session.home, &experiment, session.context)?;
    if session.json {
        output::json(&run.scores())?;
    } else {
        output::result(&run.table());
        for folder in run.folders() {
            output::note(&format!("probes and predictions: {}", folder.display()));
        }
    }
    Ok(Ending::from_skips(run.skipped()))
}
