use emobox_probe::FoldOutcome;
use emobox_score::{AsPublished, FoldName, Run};

/// Adds to the scores of one configuration what the published recipe would have printed: for each fold, and their mean on
/// the mean and the pooled run. With several training seeds it is the mean over them. Outcomes of protocols without an oracle
/// have none.
pub(crate) fn set_as_published(runs: &mut [Run], outcomes: &[FoldOutcome]) {
    let of_fold = |outcome: &FoldOutcome| {
        let seeds = outcome.as_published.iter();
        let scores: Vec<AsPublished> = seeds.map(|s| AsPublished::of(&s.confusion)).collect();
        AsPublished::mean(&scores)
    };
    let folds: Vec<(u32, AsPublished)> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.fold, of_fold(outcome)?)))
        .collect();
    let all: Vec<AsPublished> = folds.iter().map(|(_, scores)| scores.clone()).collect();
    for run in runs {
        run.as_published = match run.fold {
            FoldName::Fold(fold) => {
                let own = folds.iter().find(|(number, _)| *number == fold);
                own.map(|(_, scores)| scores.clone())
            }
            FoldName::Mean | FoldName::Pooled => AsPublished::mean(&all),
        };
    }
}
