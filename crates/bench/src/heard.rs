//! Which cells are marked because the encoder is known to have been trained on the corpus.

use emobox_corpus::entry;
use emobox_encoder::{TrainingFact, training_facts};

/// What is known of an encoder's training that concerns this corpus. Custom corpora and the demo are not part of the
/// benchmark, so "some of the benchmark" does not apply to them.
pub(crate) fn facts(encoder: &str, corpus: &str) -> Vec<TrainingFact> {
    let of_the_benchmark = corpus != "demo" && entry(corpus).is_ok();
    let mut facts = training_facts(encoder);
    facts.retain(|fact| of_the_benchmark && fact.concerns(corpus));
    facts
}

/// The same in words, for the mark of a score.
pub fn heard(encoder: &str, corpus: &str) -> Option<String> {
    let known = facts(encoder, corpus).into_iter();
    let known: Vec<String> = known
        .map(|fact| format!("{} ({})", fact.how, fact.source))
        .collect();
    (!known.is_empty()).then(|| known.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_of_ones_own_is_not_of_the_benchmark() {
        assert!(heard("emotion2vec-plus-seed", "emodb").is_some());
        for own in ["mine", "demo"] {
            assert_eq!(heard("emotion2vec-plus-seed", own), None);
        }
        assert_eq!(heard("fbank", "emodb"), None);
        assert!(heard("emotion2vec-base", "iemocap").is_some());
        assert_eq!(heard("emotion2vec-base", "emodb"), None);
    }
}
