//! Compares every two encoders of a benchmark, corpus by corpus and partition by partition.

use crate::{BenchError, BenchRun};
use emobox_score::{
    Comparison, InferenceOptions, Prediction, ScoreError, SeededSystem, compare_seeds, correct,
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
        let systems: Vec<(String, Vec<Vec<Prediction>>)> = runs
            .par_iter()
            .map(|of| Ok((of.encoder.clone(), seeds(run, of)?)))
            .collect::<Result<_, BenchError>>()?;
        // One corpus at a time: the predictions of all encoders are in memory.
        let (corpus, classes) = (&runs[0].corpus, &runs[0].classes);
        for ([a, b], compared) in each_pair(corpus, &systems, classes, &options) {
            match compared {
                Ok(comparison) => comparisons.push(Comparison {
                    partition: runs[0].partition.clone(),
                    ..comparison
                }),
                Err(error) => notes.push(format!(
                    "{corpus}: {} and {} are not compared: {error}.",
                    systems[a].0, systems[b].0
                )),
            }
        }
    }
    correct(&mut comparisons);
    Ok((comparisons, notes))
}

/// Compares every two systems, each given by a name and predictions of the same items from each training seed. In the
/// order of the systems, with their positions; not corrected.
pub fn each_pair(
    corpus: &str,
    systems: &[(String, Vec<Vec<Prediction>>)],
    classes: &[String],
    options: &InferenceOptions,
) -> Vec<([usize; 2], Result<Comparison, ScoreError>)> {
    let count = systems.len();
    let pairs: Vec<[usize; 2]> = (0..count)
        .flat_map(|a| (a + 1..count).map(move |b| [a, b]))
        .collect();
    let compare = |pair: &[usize; 2]| {
        let views = pair
            .map(|at| -> Vec<&[Prediction]> { systems[at].1.iter().map(Vec::as_slice).collect() });
        let [a, b] = [0, 1].map(|side| SeededSystem {
            name: &systems[pair[side]].0,
            seeds: &views[side],
        });
        (*pair, compare_seeds(corpus, a, b, classes, options))
    };
    pairs.par_iter().map(compare).collect()
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
