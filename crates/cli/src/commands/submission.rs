//! `submit`, `verify` and `leaderboard`: scores that anybody can recompute.

use super::Session;
use crate::args::{AgainstArgs, LeaderboardArgs, SubmitArgs, VerifyArgs};
use crate::exit::Outcome;
use crate::output;
use emobox_bench::{BenchError, Verifier};

impl AgainstArgs {
    fn verifier<'a>(&'a self, session: &'a Session<'_>) -> Verifier<'a> {
        Verifier {
            home: &session.home,
            seed: self.seed,
            metadata: self.metadata.as_deref(),
        }
    }
}

pub(super) fn submit(session: &Session<'_>, args: &SubmitArgs) -> anyhow::Result<Outcome> {
    let submission = emobox_bench::submission_of(&args.run, &args.system, &args.description)?;
    emobox_bench::write_submission(&submission, &args.out)?;
    if session.json {
        output::json(&serde_json::json!({
            "file": args.out, "system": submission.system, "digest": submission.digest,
            "entries": submission.entries.len(),
        }))?;
    } else {
        output::result(&submission.digest);
    }
    output::note(&format!("wrote {}", args.out.display()));
    Ok(Outcome::Complete)
}

pub(super) fn verify(session: &Session<'_>, args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let verifier = args.against.verifier(session);
    let verified = verifier.check(&args.submission, session.context)?;
    let run = emobox_bench::verified_run(&verified);
    if session.json {
        output::json(run.scores())?;
    } else {
        output::result(&run.table());
    }
    output::note(&format!(
        "{} is {}: every score follows from its predictions, on the test parts of your own partitions; that a model made \
         the predictions is not shown",
        verified.system(),
        verified.verdict()
    ));
    Ok(Outcome::Complete)
}

pub(super) fn leaderboard(
    session: &Session<'_>,
    args: &LeaderboardArgs,
) -> anyhow::Result<Outcome> {
    let verifier = args.against.verifier(session);
    let mut verified = Vec::new();
    let mut refused = 0;
    for file in &args.submissions {
        match verifier.check(file, session.context) {
            Ok(submission) => {
                verified.push(submission);
                if let Some(again) = emobox_bench::repeated(&verified).first() {
                    output::note(&format!("{} is refused:\n  {again}", file.display()));
                    verified.pop();
                    refused += 1;
                }
            }
            Err(error) if error.is_interruption() => return Err(error.into()),
            Err(error @ BenchError::Refused { .. }) => {
                output::note(&error.to_string());
                refused += 1;
            }
            Err(error) => {
                output::note(&format!("{} is refused:\n  {error}", file.display()));
                refused += 1;
            }
        }
    }
    emobox_bench::write_leaderboard(&args.title, &verified, &args.out)?;
    if session.json {
        output::json(&serde_json::json!({
            "page": args.out, "verified": verified.len(), "refused": refused,
        }))?;
    } else {
        output::result(&format!("{} verified, {refused} refused", verified.len()));
    }
    output::note(&format!("wrote {}", args.out.display()));
    Ok(Outcome::from_skips(refused))
}
