//! The classes that votes of a table are for.

use super::Gathered;
use crate::class_of;
use std::collections::{BTreeMap, BTreeSet};

/// The class that each word of votes stands for.
pub(super) struct Classes {
    by_word: BTreeMap<String, Meaning>,
    classes: BTreeSet<String>,
}

enum Meaning {
    /// As the label map or the table says.
    Class(String),
    /// Another spelling of the class, or another word for it.
    Spelled(String),
    Nothing,
}

impl Classes {
    /// A word may be a class, a raw label, either in another case, or another word for a class (`anger` for `angry`).
    pub(super) fn of(gathered: &Gathered<'_>, map: Option<&BTreeMap<String, String>>) -> Self {
        let class_of_label = |raw: &String| -> String {
            let class = map.map_or_else(|| gathered.classes.get(raw), |map| map.get(raw));
            class.unwrap_or(raw).clone()
        };
        let raw: BTreeMap<&String, String> = gathered
            .labels
            .keys()
            .map(|raw| (raw, class_of_label(raw)))
            .collect();
        let classes: BTreeSet<String> = raw.values().cloned().collect();
        let meaning = |word: &String| {
            let mapped = map.and_then(|map| map.get(word));
            if let Some(class) = mapped.filter(|class| classes.contains(*class)) {
                return Meaning::Class(class.clone());
            }
            if mapped.is_some() {
                return Meaning::Nothing;
            }
            if classes.contains(word) {
                return Meaning::Class(word.clone());
            }
            if let Some(class) = raw.get(word) {
                return Meaning::Class(class.clone());
            }
            let named = classes.iter().map(|class| (class, class));
            let alike: BTreeSet<&String> = raw
                .iter()
                .map(|(raw, class)| (*raw, class))
                .chain(named)
                .filter(|(name, _)| plain(name) == plain(word))
                .map(|(_, class)| class)
                .collect();
            match alike.first() {
                Some(one) if alike.len() == 1 => Meaning::Spelled((*one).clone()),
                Some(_) => Meaning::Nothing,
                None => class_of(word, &classes)
                    .map_or(Meaning::Nothing, |class| Meaning::Spelled(class.clone())),
            }
        };
        Self {
            by_word: gathered
                .voted
                .iter()
                .map(|word| (word.clone(), meaning(word)))
                .collect(),
            classes,
        }
    }

    /// The class of a word, or the word itself where it is none.
    pub(super) fn class_of(&self, word: &str) -> String {
        match self.by_word.get(word) {
            Some(Meaning::Class(class) | Meaning::Spelled(class)) => class.clone(),
            Some(Meaning::Nothing) | None => word.to_owned(),
        }
    }

    /// What was made of words that are no class as written.
    pub(super) fn notes(&self) -> Vec<String> {
        let (mut spelled, mut nothing) = (Vec::new(), Vec::new());
        for (word, meaning) in &self.by_word {
            match meaning {
                Meaning::Class(_) => {}
                Meaning::Spelled(class) => spelled.push(format!("{word} for {class}")),
                Meaning::Nothing => nothing.push(word.as_str()),
            }
        }
        let mut notes = Vec::new();
        if !spelled.is_empty() {
            notes.push(format!("votes are counted: {}", spelled.join(", ")));
        }
        if !nothing.is_empty() {
            let classes: Vec<&str> = self.classes.iter().map(String::as_str).collect();
            notes.push(format!(
                "votes that count for nothing, since no label has their class: {}; the classes are {} (label_map.json says \
                 which class another word stands for)",
                nothing.join(", "),
                classes.join(", ")
            ));
        }
        notes
    }
}

/// Without case; spaces, hyphens and underscores are alike.
fn plain(name: &str) -> String {
    super::columns::plain(name).to_lowercase()
}
