use super::labels::PseudoLabels;
use crate::split::Split;
use crate::workshop::Workshop;
use crate::{BenchError, CallError, Corpus};
use emobox_corpus::{
    BalanceOptions, BalancedItem, BalancedSet, Manifest, PublishedSet, SpeakerChoice, audit,
    balanced_set, largest_balance, whole_corpus,
};
use emobox_report::AuditFindings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A corpus under the shared classes, all of it for training.
pub(super) struct Pool {
    /// The utterances of the shared classes, with the shared class as their label.
    pub(super) corpus: Corpus,
    /// Everything for training.
    pub(super) split: Split,
}

impl Pool {
    pub(super) fn new(
        shop: &Workshop<'_>,
        corpus: &str,
        classes: &BTreeMap<String, String>,
    ) -> Result<Self, BenchError> {
        let corpus = shop.corpus(corpus)?;
        let mut manifest = Manifest {
            corpus: corpus.manifest.corpus.clone(),
            utterances: Vec::new(),
        };
        for utterance in &corpus.manifest.utterances {
            if let Some(class) = classes.get(&utterance.label) {
                let mut utterance = utterance.clone();
                utterance.label.clone_from(class);
                manifest.utterances.push(utterance);
            }
        }
        let pool = corpus.with_manifest(manifest);
        let partition = whole_corpus(&pool.manifest);
        let audit = audit(&pool.manifest, &partition, None);
        Ok(Self {
            split: Split { partition, audit },
            corpus: pool,
        })
    }
}

/// A balanced set and its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Drawn {
    /// The test set for the probes of other corpora.
    pub(super) set: BalancedSet,
    /// The labels that it was drawn by.
    pub(super) labels: Option<PseudoLabels>,
    /// Whether the set already existed.
    pub(super) is_given: bool,
    /// The same for the report.
    pub(super) findings: AuditFindings,
}

impl Drawn {
    pub(super) fn new(
        shop: &Workshop<'_>,
        corpus: &Corpus,
        labels: Option<PseudoLabels>,
        classes: &BTreeMap<String, String>,
    ) -> Result<Self, BenchError> {
        let is_given = shop.experiment.has_set(&corpus.name);
        let (set, origin) = set(shop, corpus, labels.as_ref(), classes)?;
        let trained = corpus.manifest.utterances.iter();
        let trained = trained.filter(|u| classes.contains_key(&u.label)).count();
        Ok(Self {
            findings: findings(&set, origin, trained),
            set,
            labels,
            is_given,
        })
    }

    /// A set with unknown keys, or with labels that differ from the annotation, tests nothing.
    pub(super) fn check(&self, pool: &Pool) -> Result<(), BenchError> {
        check_set(&self.set, &pool.corpus)
    }
}

fn findings(set: &BalancedSet, origin: String, trained: usize) -> AuditFindings {
    let items = &set.items;
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for item in items {
        *cells.entry((&item.speaker, &item.label)).or_default() += 1;
    }
    let speakers: BTreeSet<&str> = cells.keys().map(|(speaker, _)| *speaker).collect();
    let classes: BTreeSet<&str> = cells.keys().map(|(_, class)| *class).collect();
    let full = speakers.len() * classes.len();
    let size = cells.values().next().copied().unwrap_or(0);
    let even = cells.len() == full && cells.values().all(|n| *n == size);
    let verdict = format!(
        "{} test utterances: {} speakers × {} classes{}",
        items.len(),
        speakers.len(),
        classes.len(),
        if even {
            format!(" × {size}, balanced")
        } else {
            ", not balanced over speakers".to_owned()
        }
    );
    let mut findings = vec![origin];
    for (class, (all, agreed)) in &set.agreement {
        findings.push(format!(
            "{class}: of {all} utterances the labeller agrees on {agreed}"
        ));
    }
    if set.unlabelled > 0 {
        findings.push(format!("without a pseudo-label: {}", set.unlabelled));
    }
    findings.push(format!(
        "to train on: {trained} utterances of the shared classes"
    ));
    AuditFindings {
        warning: None,
        corpus: set.corpus.clone(),
        partition: "balanced set".to_owned(),
        verdict,
        clean: even,
        findings,
    }
}

fn set(
    shop: &Workshop<'_>,
    corpus: &Corpus,
    labels: Option<&PseudoLabels>,
    classes: &BTreeMap<String, String>,
) -> Result<(BalancedSet, String), BenchError> {
    let cross = super::options(shop)?;
    if let Some(path) = cross.balanced_sets.get(&corpus.name) {
        let set = BalancedSet::read(path, &corpus.name)?;
        return Ok((set, format!("the set is read from {}", path.display())));
    }
    let metadata = shop.experiment.metadata.as_deref();
    if let Some(metadata) = metadata.filter(|_| shop.experiment.has_set(&corpus.name)) {
        let published = PublishedSet::read(metadata, &corpus.name)?;
        return published_set(&published, corpus, classes);
    }
    let labels_by_key = labels.map(|labels| &labels.by_key);
    let shape = cross.shape(&corpus.name);
    let (per_cell, speakers) = (shape.per_cell, shape.speakers);
    let size = largest_balance(&corpus.manifest, labels_by_key, classes, per_cell, speakers);
    let seed = shop.experiment.partition_seed;
    if size.is_none() && per_cell.is_none() && speakers.is_none() {
        return over_classes(seed, corpus, labels, classes);
    }
    let options = BalanceOptions {
        classes: classes.clone(),
        // Where nothing fits, the smallest request gives the error that says what is missing.
        per_cell: size.map_or(per_cell.unwrap_or(1), |(per_cell, _)| per_cell),
        speakers: SpeakerChoice::Any(size.map_or(speakers.unwrap_or(1), |(_, speakers)| speakers)),
        seed,
    };
    let set = balanced_set(&corpus.manifest, labels_by_key, &options)?;
    let origin = match labels {
        Some(labels) => format!(
            "drawn with seed {seed} from the utterances on which {} agrees with the annotation",
            labels.maker
        ),
        None => format!("drawn with seed {seed} from all utterances"),
    };
    Ok((set, origin))
}

/// If no speaker has every class: as many utterances of each class as the rarest class has, whoever speaks.
fn over_classes(
    seed: u64,
    corpus: &Corpus,
    labels: Option<&PseudoLabels>,
    classes: &BTreeMap<String, String>,
) -> Result<(BalancedSet, String), BenchError> {
    let mut manifest = corpus.manifest.clone();
    for utterance in &mut manifest.utterances {
        utterance.speaker = None;
    }
    let labels = labels.map(|labels| &labels.by_key);
    let size = largest_balance(&manifest, labels, classes, None, Some(1));
    let options = BalanceOptions {
        classes: classes.clone(),
        per_cell: size.map_or(1, |(per_cell, _)| per_cell),
        speakers: SpeakerChoice::Any(1),
        seed,
    };
    let mut set = balanced_set(&manifest, labels, &options)?;
    for item in &mut set.items {
        let speaker = corpus.utterance(&item.key).and_then(|u| u.speaker.clone());
        item.speaker = speaker.unwrap_or_default();
    }
    let origin = format!(
        "no speaker has utterances of every class, so {} of each class are drawn with seed {}, whoever speaks",
        options.per_cell, options.seed
    );
    Ok((set, origin))
}

fn published_set(
    published: &PublishedSet,
    corpus: &Corpus,
    classes: &BTreeMap<String, String>,
) -> Result<(BalancedSet, String), BenchError> {
    let joined = published.join(&corpus.manifest);
    let shared: BTreeSet<&String> = classes.values().collect();
    let items = joined
        .items
        .iter()
        .filter(|(_, label)| shared.contains(label));
    let mut items: Vec<BalancedItem> = items
        .map(|(key, label)| BalancedItem {
            key: key.clone(),
            label: label.clone(),
            speaker: corpus
                .utterance(key)
                .and_then(|u| u.speaker.clone())
                .unwrap_or_default(),
        })
        .collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let origin = format!(
        "the published set: {} items found, {} may be several utterances and {} are not in the manifest",
        joined.items.len(),
        joined.ambiguous.len(),
        joined.absent.len()
    );
    let set = BalancedSet {
        corpus: corpus.name.clone(),
        items,
        agreement: BTreeMap::new(),
        unlabelled: 0,
    };
    Ok((set, origin))
}

/// A set with unknown keys, or with labels that differ from the annotation, tests nothing.
fn check_set(set: &BalancedSet, pool: &Corpus) -> Result<(), BenchError> {
    let wrong = set
        .items
        .iter()
        .find_map(|item| match pool.utterance(&item.key) {
            None => Some(format!(
                "{} is no utterance of {} under the shared classes",
                item.key, pool.name
            )),
            Some(utterance) if utterance.label != item.label => Some(format!(
                "{} of {} is {:?} in the set and {:?} in the manifest",
                item.key, pool.name, item.label, utterance.label
            )),
            Some(_) => None,
        });
    match wrong {
        Some(problem) => Err(BenchError::Call(CallError::BalancedSet(problem))),
        None if set.items.is_empty() => Err(BenchError::Call(CallError::BalancedSet(format!(
            "it has no item of {}",
            pool.name
        )))),
        None => Ok(()),
    }
}
