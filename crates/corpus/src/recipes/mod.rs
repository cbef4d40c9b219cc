//! One file per corpus, each with a constant `ENTRY`, and one line per corpus below.

use crate::Entry;

macro_rules! registered {
    ($(mod $name:ident;)*) => {
        $(mod $name;)*

        /// Every registered corpus, by name.
        pub fn registry() -> &'static [Entry] {
            const ENTRIES: &[Entry] = &[$($name::ENTRY),*];
            ENTRIES
        }
    };
}

// rustfmt does not format inside a macro: `.ci/run` checks the files of this folder by name.
registered! {
    mod aesdd;
    mod ased;
    mod asvpesd;
    mod cafe;
    mod casia;
    mod cremad;
    mod demo;
    mod emns;
    mod emodb;
    mod emovdb;
    mod emovo;
    mod emozionalmente;
    mod enterface;
    mod esd;
    mod iemocap;
    mod jlcorpus;
    mod m3ed;
    mod mead;
    mod meld;
    mod mer2023;
    mod mesd;
    mod msppodcast;
    mod oreau;
    mod pavoque;
    mod polish;
    mod ravdess;
    mod resd;
    mod savee;
    mod shemo;
    mod subesco;
    mod tess;
    mod turevdb;
    mod urdu;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_sorted_and_grammars_compile() {
        let names: Vec<&str> = registry().iter().map(|entry| entry.card.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        for entry in registry() {
            assert!(!entry.grammar.is_empty(), "{}", entry.card.name);
            for pattern in entry.grammar {
                if let Err(error) = regex::Regex::new(pattern) {
                    panic!("{}: {error}", entry.card.name);
                }
            }
        }
    }

    #[test]
    fn cards_are_filled_in() {
        for card in registry().iter().map(|entry| &entry.card) {
            for (what, text) in [
                ("title", card.title),
                ("recording", card.recording),
                ("layout", card.layout),
                ("audio", card.audio),
                ("licence", card.licence),
            ] {
                assert!(!text.is_empty(), "{}: {what}", card.name);
            }
            assert!(!card.labels.is_empty(), "{}", card.name);
            let mut raw: Vec<_> = card.labels.iter().map(|(raw, _)| raw).collect();
            raw.sort_unstable();
            raw.dedup();
            assert_eq!(
                raw.len(),
                card.labels.len(),
                "{}: a raw label occurs twice",
                card.name
            );
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = crate::entry("emo-db").unwrap_err().to_string();
        assert!(
            message.contains("emodb, ") && message.contains("a name of your own"),
            "{message}"
        );
    }
}
