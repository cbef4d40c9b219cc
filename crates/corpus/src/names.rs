//! Names of corpora as users and papers write them.

use crate::{CorpusError, Entry, registry};

/// The registered corpus with this name in any case and punctuation: `RAVDESS`, `CREMA-D`, `MSP Podcast`.
pub(crate) fn registered(name: &str) -> Option<&'static Entry> {
    let wanted = letters(name);
    let is_it =
        |entry: &&Entry| letters(entry.card.name) == wanted || letters(entry.card.title) == wanted;
    registry().iter().find(is_it)
}

/// The entry of a corpus.
pub fn entry(name: &str) -> Result<&'static Entry, CorpusError> {
    registry()
        .iter()
        .find(|entry| entry.card.name == name)
        .ok_or_else(|| unknown(name))
}

/// The entry of a name in any case and punctuation.
pub fn entry_meant(name: &str) -> Result<&'static Entry, CorpusError> {
    registered(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> CorpusError {
    let known: Vec<&str> = registry().iter().map(|entry| entry.card.name).collect();
    CorpusError::UnknownCorpus {
        name: name.to_owned(),
        near: meant(name),
        known: known.join(", "),
    }
}

/// The canonical name of a corpus: the registered one, however it was written, otherwise the name itself.
///
/// A name close to a registered one is most likely a misspelling and is rejected; with `custom` every name that is not exactly
/// a registered one is a user's own corpus.
pub fn corpus_name(name: &str, custom: bool) -> Result<String, CorpusError> {
    let exact = registry().iter().any(|entry| entry.card.name == name);
    if custom && exact {
        return Err(CorpusError::Unclear {
            corpus: name.to_owned(),
            problem: "it is said to be a corpus of your own, and a registered one has this name"
                .to_owned(),
            cure: "give yours another name".to_owned(),
        });
    }
    if custom {
        return Ok(name.to_owned());
    }
    if let Some(entry) = registered(name) {
        return Ok(entry.card.name.to_owned());
    }
    match close(name) {
        None => Ok(name.to_owned()),
        Some(entry) => Err(CorpusError::NearName {
            name: name.to_owned(),
            near: entry.card.name,
        }),
    }
}

/// ` (did you mean emodb?)` for an unknown name, or an empty string.
pub(crate) fn meant(name: &str) -> String {
    let near = registered(name).or_else(|| close(name));
    near.map_or_else(String::new, |entry| {
        format!(" (did you mean {}?)", entry.card.name)
    })
}

/// The registered corpus whose name differs from this one by a single typing error.
fn close(name: &str) -> Option<&'static Entry> {
    // Shorter names are too close to ordinary words: `test` is one letter from `tess`.
    const SHORTEST: usize = 5;
    let wanted = letters(name);
    let is_close = |entry: &&Entry| {
        let known = letters(entry.card.name);
        known.len() >= SHORTEST && differs_in_one(&wanted, &known)
    };
    registry().iter().find(is_close)
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// Whether one letter is replaced, added or missing, or two adjacent ones are swapped.
fn differs_in_one(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let front = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[front..], &b[front..]);
    let back = a.iter().rev().zip(b.iter().rev());
    let back = back.take_while(|(a, b)| a == b).count();
    match (&a[..a.len() - back], &b[..b.len() - back]) {
        ([_], [_] | []) | ([], [_]) => true,
        ([first, second], [third, fourth]) => (first, second) == (fourth, third),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_papers_are_known_and_slips_are_asked_about() {
        for (written, name) in [
            ("RAVDESS", "ravdess"),
            ("Crema-D", "cremad"),
            ("MSP-Podcast", "msppodcast"),
            ("EMO-DB", "emodb"),
            ("emodb", "emodb"),
            ("mine", "mine"),
            ("test", "test"),
        ] {
            assert_eq!(corpus_name(written, false).unwrap(), name);
        }
        for slip in ["ravdes", "raavdess", "ravdses", "ravdezs"] {
            let message = corpus_name(slip, false).unwrap_err().to_string();
            assert!(message.contains("did you mean ravdess?"));
            assert_eq!(corpus_name(slip, true).unwrap(), slip);
        }
        assert_eq!(corpus_name("RAVDESS", true).unwrap(), "RAVDESS");
        assert!(corpus_name("ravdess", true).is_err());
    }
}
