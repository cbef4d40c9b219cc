//! `submit`, `verify` and `leaderboard`: scores that anybody can recompute; `seal`: test sets whose labels are kept.

use super::{Session, check_files, checked_name};
use crate::args::{AgainstArgs, LeaderboardArgs, SealArgs, SubmitArgs, VerifyArgs};
use crate::exit::Ending;
use crate::output;
use emobox_app::{SealRequest, Verifier};
use emobox_bench::{BenchError, EncoderChoice, SplitRequest, Target, Verdict, Verified};
use std::path::Path;

impl AgainstArgs {
    fn verifier<'a>(&'a self, session: &'a Session<'_>) -> Verifier<'a> {
        Verifier {
            home: &session.home,
            partition_seed: self.partition_seed,
            training_seeds: self.training_seeds,
            metadata: self.metadata.as_deref(),
        }
    }

    /// Recomputes the scores, and with `--rerun` makes them again.
    fn follow(&self, file: &Path, session: &Session<'_>) -> Result<Verified, BenchError> {
        let verifier = self.verifier(session);
        if !self.rerun {
            return verifier.check(file, session.context);
        }
        let encoders = self.encoders.iter().map(|text| EncoderChoice::named(text));
        let encoders: Vec<EncoderChoice> = encoders.collect();
        verifier.rerun(file, &encoders, session.context)
    }
}

pub(super) fn seal(session: &Session<'_>, args: &SealArgs) -> anyhow::Result<Ending> {
    let corpus = emobox_bench::open_corpus(&session.home, checked_name(&args.name)?)?;
    let part = args.scheme.map(|scheme| {
        let how = SplitRequest {
            scheme,
            seed: args.partition_seed,
            metadata: args.metadata.as_deref(),
            target: Target::Classes,
            listen: false,
        };
        (how, args.fold)
    });
    let request = SealRequest {
        name: args.title.as_deref().unwrap_or(&corpus.name),
        part,
        out: &args.out,
        key: &args.key,
    };
    let set = emobox_app::seal_corpus(&session.home, &corpus, &request, session.context)?;
    if session.json {
        output::json(&serde_json::json!({
            "set": args.out, "key": args.key, "recordings": set.ids.len(),
            "classes": set.classes, "commitment": set.commitment,
        }))?;
    } else {
        output::result(&set.commitment);
    }
    output::note(&format!(
        "{}, without labels, in {}, which can be given out; keep {}",
        emobox_bench::counted(set.ids.len(), "recording"),
        args.out.display(),
        args.key.display()
    ));
    Ok(Ending::Complete)
}

pub(super) fn submit(session: &Session<'_>, args: &SubmitArgs) -> anyhow::Result<Ending> {
    let submission = emobox_app::submission_of(&args.run, &args.system, &args.description)?;
    emobox_app::write_submission(&submission, &args.out)?;
    if session.json {
        output::json(&serde_json::json!({
            "file": args.out, "system": submission.system, "digest": submission.digest,
            "entries": submission.entries.len(),
        }))?;
    } else {
        output::result(&submission.digest);
    }
    output::note(&format!("wrote {}", args.out.display()));
    Ok(Ending::Complete)
}

pub(super) fn verify(session: &Session<'_>, args: &VerifyArgs) -> anyhow::Result<Ending> {
    check_files([&args.submission].into_iter().chain(&args.key))?;
    if let (Some(key), Some(set)) = (&args.key, &args.set) {
        let run = emobox_app::open_sealed(&args.submission, set, key)?;
        if session.json {
            output::json(run.scores())?;
        } else {
            output::result(&run.table());
        }
        return Ok(Ending::Complete);
    }
    let verified = args.against.follow(&args.submission, session)?;
    let run = emobox_app::verified_run(&verified);
    if session.json {
        output::json(run.scores())?;
    } else {
        output::result(&run.table());
    }
    output::note(&format!(
        "{} is {}: every score follows from its predictions, on the test parts of your own partitions; {}",
        verified.system(),
        verified.verdict(),
        match verified.verdict() {
            Verdict::Consistent =>
                "that a model made the predictions is not shown (--rerun shows it)",
            Verdict::Reproduced => "extracted and trained again, the predictions are the same",
        }
    ));
    Ok(Ending::Complete)
}

pub(super) fn leaderboard(session: &Session<'_>, args: &LeaderboardArgs) -> anyhow::Result<Ending> {
    check_files(&args.submissions)?;
    let mut verified = Vec::new();
    let mut refused = 0;
    for file in &args.submissions {
        match args.against.follow(file, session) {
            Ok(submission) => {
                verified.push(submission);
                if let Some(again) = emobox_bench::repeated(&verified).first() {
                    output::note(&format!("{} is refused:\n  {again}", file.display()));
                    verified.pop();
                    refused += 1;
                }
            }
            Err(error) if error.is_interruption() => return Err(error.into()),
            Err(error @ (BenchError::Refused { .. } | BenchError::NotReproduced { .. })) => {
                output::note(&error.to_string());
                refused += 1;
            }
            Err(error) => {
                output::note(&format!("{} is refused:\n  {error}", file.display()));
                refused += 1;
            }
        }
    }
    if verified.is_empty() {
        anyhow::bail!(
            "no submission stands; {} is left as it was",
            args.out.display()
        );
    }
    emobox_app::write_leaderboard(&args.title, &verified, &args.out)?;
    if session.json {
        output::json(&serde_json::json!({
            "page": args.out, "verified": verified.len(), "refused": refused,
        }))?;
    } else {
        output::result(&format!("{} verified, {refused} refused", verified.len()));
    }
    output::note(&format!("wrote {}", args.out.display()));
    Ok(Ending::from_skips(refused))
}
