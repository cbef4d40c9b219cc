use emobox_score::Run;
use std::collections::BTreeMap;

/// How the configurations of a report are distinguished: what all runs share is said once, what belongs to an encoder
/// (its layer) or to a corpus (its partition) is said in a note, and only the remaining differences are part of a name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    partition: Place,
    protocol: Place,
    layer: Place,
    /// Clauses of `config` that every run has.
    shared: Vec<String>,
    /// The first run's value of the three, for use if it is shared.
    first: [String; 3],
    notes: Vec<String>,
}

/// Where a part of a configuration is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Once, for the whole report.
    #[default]
    Shared,
    /// In a note: it differs between encoders or corpora, but never within one.
    Noted,
    /// In each name.
    Named,
}

impl Naming {
    pub(crate) fn of(runs: &[&Run]) -> Self {
        let Some(first) = runs.first() else {
            return Self::default();
        };
        let place = |value: fn(&Run) -> &str, owner: Option<fn(&Run) -> &str>| {
            if runs.iter().all(|run| value(run) == value(first)) {
                return (Place::Shared, Vec::new());
            }
            let Some(owner) = owner else {
                return (Place::Named, Vec::new());
            };
            let mut owned = BTreeMap::<&str, &str>::new();
            let one_each = runs
                .iter()
                .all(|run| *owned.entry(owner(run)).or_insert(value(run)) == value(run));
            if one_each {
                (Place::Noted, by_value(runs, value, owner))
            } else {
                (Place::Named, Vec::new())
            }
        };
        let (partition, partitions) = place(|run| &run.partition, Some(|run| &run.corpus));
        let (protocol, _) = place(|run| &run.protocol, None);
        let (layer, layers) = place(layer_of, Some(|run| &run.encoder));
        let mut notes = Vec::new();
        if layer == Place::Noted {
            notes.push(format!("Layer of each encoder: {}.", layers.join("; ")));
        }
        if partition == Place::Noted {
            let of_each = partitions.join("; ");
            notes.push(format!("Partition of each corpus: {of_each}."));
        }
        let everywhere = |clause: &&str| runs.iter().all(|run| clauses(run).any(|c| c == *clause));
        Self {
            partition,
            protocol,
            layer,
            shared: clauses(first)
                .filter(everywhere)
                .map(str::to_owned)
                .collect(),
            first: [&first.partition, &first.protocol, layer_of(first)].map(str::to_owned),
            notes,
        }
    }

    /// Whether names include the partition, because some configuration was run on several.
    pub(crate) fn names_partitions(&self) -> bool {
        self.partition == Place::Named
    }

    /// What distinguishes `run` from others of its encoder and corpus, in words; empty if nothing does.
    pub(crate) fn words(&self, run: &Run) -> String {
        let parts = [
            (self.partition, run.partition.as_str()),
            (self.protocol, run.protocol.as_str()),
            (self.layer, layer_of(run)),
        ];
        let mut words: Vec<&str> = parts
            .into_iter()
            .filter(|(place, word)| *place == Place::Named && !word.is_empty())
            .map(|(_, word)| word)
            .collect();
        words.extend(clauses(run).filter(|clause| !self.shared.iter().any(|s| s == clause)));
        words.join(", ")
    }

    /// What every run has in common, for a caption: `partition paper, protocol strict, utterance norm`.
    pub(crate) fn shared(&self) -> String {
        let [partition, protocol, layer] = &self.first;
        let mut parts = Vec::new();
        let parted = [
            (self.partition, "partition ", partition),
            (self.protocol, "protocol ", protocol),
            (self.layer, "", layer),
        ];
        for (place, what, word) in parted {
            if place == Place::Shared && !word.is_empty() {
                parts.push(format!("{what}{word}"));
            }
        }
        if self.layer == Place::Noted {
            parts.push("one layer of each encoder".to_owned());
        }
        parts.extend(self.shared.iter().cloned());
        parts.join(", ")
    }

    /// Sentences on what belongs to single encoders and corpora.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// The clause of a configuration that names one layer; empty if none does.
fn layer_of(run: &Run) -> &str {
    let found = run.config.split(", ").find(|clause| is_layer(clause));
    found.unwrap_or_default()
}

fn is_layer(clause: &str) -> bool {
    clause
        .strip_prefix("layer ")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The clauses of a configuration other than its layer.
fn clauses(run: &Run) -> impl Iterator<Item = &str> {
    let clauses = run.config.split(", ");
    clauses.filter(|clause| !clause.is_empty() && !is_layer(clause))
}

/// `layer 4 (a, b)` for each value, in order of appearance.
fn by_value(runs: &[&Run], value: fn(&Run) -> &str, owner: fn(&Run) -> &str) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for run in runs {
        let (value, owner) = (value(run), owner(run));
        let value = value.strip_prefix("layer ").unwrap_or(value);
        let value = if value.is_empty() { "none" } else { value };
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, owners)) if owners.contains(&owner) => {}
            Some((_, owners)) => owners.push(owner),
            None => groups.push((value, vec![owner])),
        }
    }
    groups
        .into_iter()
        .map(|(value, owners)| format!("{value} ({})", owners.join(", ")))
        .collect()
}
