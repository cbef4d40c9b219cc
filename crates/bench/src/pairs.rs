//! Every two encoders of a benchmark against each other, corpus by corpus and partition by partition.

use crate::{BenchError, BenchRun};
use emobox_score::{
    Comparison, InferenceOptions, Prediction, SeededSystem, compare_seeds, correct,
};
use rayon::prelude::*;

/// The comparisons of all pairs, corrected over all of them, and sentences about pairs that cannot be compared.
pub(crate) fn compare_pairs(
    run: &BenchRun,
    seed: u64,
) -> Result<(Vec<Comparison>, Vec<String>), BenchError> {
    let options = InferenceOptions {
        seed,
        ..InferenceOptions::default()
    };
    let (mut comparisons, mut notes) = (Vec::new(), Vec::new());
    for runs in groups(run) {
        if runs.len() < 2 {
            continue;
        }
        let systems: Vec<(&str, Vec<Vec<Prediction>>)> = runs
            .par_iter()
            .map(|of| Ok((of.encoder.as_str(), seeds(run, of)?)))
            .collect::<Result<_, BenchError>>()?;
        let mut pairs = Vec::new();
        for (i, a) in systems.iter().enumerate() {
            pairs.extend(systems[i + 1..].iter().map(|b| (a, b)));
        }
        let compared = pairs.par_iter().map(|((a, ones), (b, others))| {
            let views =
                [ones, others].map(|seeds| seeds.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let system = |name, at: usize| SeededSystem {
                name,
                seeds: &views[at],
            };
            let (corpus, classes) = (&runs[0].corpus, &runs[0].classes);
            let compared = compare_seeds(corpus, system(*a, 0), system(*b, 1), classes, &options);
            (*a, *b, compared)
        });
        // Of one corpus at a time: predictions of all encoders are in memory.
        for (a, b, compared) in compared.collect::<Vec<_>>() {
            match compared {
                Ok(comparison) => comparisons.push(Comparison {
                    partition: runs[0].partition.clone(),
                    ..comparison
                }),
                Err(error) => notes.push(format!(
                    "{}: {a} and {b} are not compared: {error}.",
                    runs[0].corpus
                )),
            }
        }
    }
    correct(&mut comparisons);
    Ok((comparisons, notes))
}

/// The headline runs of every corpus and partition, in their order.
fn groups(run: &BenchRun) -> Vec<Vec<&emobox_score::Run>> {
    let mut groups: Vec<Vec<&emobox_score::Run>> = Vec::new();
    for headline in run.data().headline() {
        let same = |group: &&mut Vec<&emobox_score::Run>| {
            (&group[0].corpus, &group[0].partition) == (&headline.corpus, &headline.partition)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(headline),
            None => groups.push(vec![headline]),
        }
    }
    groups
}

/// The predictions of every training seed, without their probabilities, which nothing here reads.
fn seeds(run: &BenchRun, of: &emobox_score::Run) -> Result<Vec<Vec<Prediction>>, BenchError> {
    let sets = run.predictions().iter().filter(|set| {
        (&set.corpus, &set.encoder, &set.partition) == (&of.corpus, &of.encoder, &of.partition)
    });
    sets.map(|set| {
        let mut predictions = set.read()?;
        for prediction in &mut predictions {
            prediction.scores.clear();
        }
        Ok(predictions)
    })
    .collect()
}
