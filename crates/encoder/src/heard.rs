//! Which corpora of this benchmark are known to be in the training data of a checkpoint: one row per published fact, with its
//! source. No row means that nothing is known, not that the corpora were not used.

use crate::ZooEntry;
use serde::Serialize;
use std::fmt::Write;

/// Which recordings a training used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heard {
    /// These corpora.
    Corpora(&'static [&'static str]),
    /// Corpora of this benchmark; the source does not say which.
    SomeOfTheBenchmark,
    /// Unpublished recordings: no corpus can be excluded.
    Undisclosed,
}

/// A fact about the training of one checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrainingFact {
    /// The checkpoint, by its name in the zoo.
    pub encoder: &'static str,
    /// The training data.
    pub heard: Heard,
    /// Whether the emotion labels were used.
    pub labels: bool,
    /// How it was used, in words.
    pub how: &'static str,
    /// The source of this fact.
    pub source: &'static str,
}

impl TrainingFact {
    /// Whether a score on this corpus should be marked.
    pub fn concerns(&self, corpus: &str) -> bool {
        match self.heard {
            Heard::Corpora(corpora) => corpora.contains(&corpus),
            Heard::SomeOfTheBenchmark => true,
            Heard::Undisclosed => false,
        }
    }
}

const PRETRAINED: Heard = Heard::Corpora(&["iemocap", "mead", "meld", "msppodcast"]);
const EMOTION2VEC: &str =
    "Ma et al., \"emotion2vec\", Findings of ACL 2024, table 1 and appendix B.1 (and CMU-MOSEI)";
const ISSUE: &str = "github.com/ddlBoJack/emotion2vec, issue 46, the authors on 2024-09-20";
const CARD: &str = "model card of emotion2vec/emotion2vec_plus_seed: \"each derived from the data of its predecessor\"";
const WHISPER: &str = "Radford et al., \"Robust Speech Recognition via Large-Scale Weak Supervision\", ICML 2023, section 2.1";

const FACTS: &[TrainingFact] = &[
    TrainingFact {
        encoder: "emotion2vec-base",
        heard: PRETRAINED,
        labels: false,
        how: "pre-trained on the recordings, without labels",
        source: EMOTION2VEC,
    },
    TrainingFact {
        encoder: "emotion2vec-plus-seed",
        heard: Heard::SomeOfTheBenchmark,
        labels: true,
        how: "fine-tuned on the academic corpora of EmoBox with their labels",
        source: ISSUE,
    },
    TrainingFact {
        encoder: "emotion2vec-plus-base",
        heard: Heard::SomeOfTheBenchmark,
        labels: true,
        how: "fine-tuned on recordings that emotion2vec+ seed labelled, which was trained on EmoBox's labels",
        source: ISSUE,
    },
    TrainingFact {
        encoder: "emotion2vec-plus-large",
        heard: Heard::SomeOfTheBenchmark,
        labels: true,
        how: "fine-tuned on recordings labelled by a line of models that begins with emotion2vec+ seed",
        source: CARD,
    },
    TrainingFact {
        encoder: "audeering-msp-dim",
        heard: Heard::Corpora(&["msppodcast"]),
        labels: true,
        how: "fine-tuned on the recordings with their values of arousal, dominance and valence",
        source: AUDEERING,
    },
    TrainingFact {
        encoder: "superb-er-hubert-large",
        heard: Heard::Corpora(&["iemocap"]),
        labels: true,
        how: "its head (not the encoder) trained on four of five sessions with their labels",
        source: SUPERB,
    },
];

const AUDEERING: &str = "Wagner et al., \"Dawn of the Transformer Era in Speech Emotion Recognition: Closing the Valence Gap\", TPAMI 2023, \
     and the model card: fine-tuned on MSP-Podcast v1.7";
const SUPERB: &str = "Yang et al., \"SUPERB: Speech Processing Universal PERformance Benchmark\", Interspeech 2021, section 2.3: emotion \
     recognition on IEMOCAP";

/// The facts on the training of a checkpoint, by its name in the zoo.
pub fn training_facts(encoder: &str) -> Vec<TrainingFact> {
    let known = FACTS.iter().filter(|fact| fact.encoder == encoder);
    let mut facts: Vec<TrainingFact> = known.copied().collect();
    let undisclosed = crate::zoo_entry(encoder).and_then(|entry| {
        let (_, how, source) = UNDISCLOSED
            .iter()
            .find(|(family, _, _)| *family == entry.family)?;
        Some(TrainingFact {
            encoder: entry.name,
            heard: Heard::Undisclosed,
            labels: false,
            how,
            source,
        })
    });
    facts.extend(undisclosed);
    facts
}

/// Families with undisclosed training data, for all their checkpoints: how they were trained, and the source.
const UNDISCLOSED: [(&str, &str, &str); 5] = [
    (
        "Whisper",
        "trained on recordings collected from the internet, which are not listed",
        WHISPER,
    ),
    (
        "Qwen2-Audio",
        "Whisper, trained further inside a language model for tasks that include emotions, on recordings that are not listed",
        "Chu et al., \"Qwen2-Audio Technical Report\", 2024 (arXiv 2407.10759)",
    ),
    (
        "Qwen2.5-Omni",
        "Qwen2-Audio's encoder, trained further inside a language model on recordings that are not listed",
        "Xu et al., \"Qwen2.5-Omni Technical Report\", 2025 (arXiv 2503.20215)",
    ),
    (
        "Voxtral",
        "Whisper, trained further inside a language model on recordings that are not listed",
        "Liu et al., \"Voxtral\", 2025 (arXiv 2507.13264)",
    ),
    (
        "SenseVoice",
        "trained to recognise speech, events and emotions, on recordings that are not listed",
        "Tongyi SpeechTeam, \"FunAudioLLM: Voice Understanding and Generation Foundation Models\", 2024 (arXiv 2407.04051)",
    ),
];

impl ZooEntry {
    /// The facts on its training.
    pub fn training_facts(&self) -> Vec<TrainingFact> {
        training_facts(self.name)
    }
}

/// The facts as shown in `docs/encoders.md`.
pub(crate) fn markdown() -> String {
    let mut out = String::from(
        "\n## What their training has heard\n\n\
         Scores on a corpus that a checkpoint was trained on say little about others. What is published of it; no row means\n\
         that nothing is known, not that nothing was heard.\n\n\
         | name | corpora | with labels | how | source |\n|---|---|---|---|---|\n",
    );
    let mut told = Vec::new();
    for entry in crate::zoo() {
        for fact in entry.training_facts() {
            let corpora = match fact.heard {
                Heard::Corpora(corpora) => corpora.join(", "),
                Heard::SomeOfTheBenchmark => "of this benchmark; which is not said".to_owned(),
                Heard::Undisclosed => "not published".to_owned(),
            };
            let mut name = format!("`{}`", fact.encoder);
            if fact.heard == Heard::Undisclosed {
                if told.contains(&entry.family) {
                    continue;
                }
                told.push(entry.family);
                name = format!("{}, all", entry.family);
            }
            let labels = if fact.labels { "yes" } else { "no" };
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "| {name} | {corpora} | {labels} | {} | {} |",
                fact.how, fact.source
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_about_checkpoints_of_the_zoo_and_have_a_source() {
        for fact in FACTS {
            assert!(crate::zoo_entry(fact.encoder).is_some(), "{}", fact.encoder);
            assert!(fact.source.len() > 20 && !fact.how.is_empty());
        }
    }

    #[test]
    fn cells_are_marked_by_what_was_heard() {
        let marked = |encoder: &str, corpus: &str| {
            let facts = training_facts(encoder);
            facts.iter().any(|fact| fact.concerns(corpus))
        };
        assert!(marked("emotion2vec-base", "iemocap") && !marked("emotion2vec-base", "emodb"));
        assert!(marked("emotion2vec-plus-large", "emodb"));
        assert!(!marked("wavlm-base", "iemocap") && !marked("whisper-tiny", "meld"));
        assert_eq!(training_facts("whisper-tiny")[0].heard, Heard::Undisclosed);
        assert!(training_facts("fbank").is_empty());
    }
}
