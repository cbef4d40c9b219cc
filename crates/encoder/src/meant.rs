//! Finds the zoo checkpoint for a name that is not quite right.

use crate::zoo::{Published, ZooEntry, zoo, zoo_entry};

/// The checkpoint with this name or repository, ignoring case and hyphens.
pub fn zoo_meant(words: &str) -> Option<&'static ZooEntry> {
    let wanted = letters(words);
    let is_meant = |entry: &&ZooEntry| {
        let is_repository = match entry.published {
            Published::Hub { repository, .. } => words.eq_ignore_ascii_case(repository),
            Published::Address { .. } => false,
        };
        wanted == letters(entry.name) || is_repository
    };
    zoo_entry(words).or_else(|| zoo().iter().find(is_meant))
}

/// The known name nearest to an unknown one, if one is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = letters(name);
    let known = zoo().iter().map(|entry| entry.name).chain(crate::BUILT_IN);
    let apart = known.map(|known| (strsim::damerau_levenshtein(&wanted, &letters(known)), known));
    let (apart, known) = apart.min_by_key(|(apart, _)| *apart)?;
    (apart <= 2 && wanted.len() > 3).then_some(known)
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// A suggestion to append to the message about an unknown name.
pub(crate) fn in_a_message(name: &str) -> String {
    let near = nearest(name);
    near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_known_by_its_repository_and_whatever_its_case() {
        for (words, name) in [
            ("wavlm-base", "wavlm-base"),
            ("WavLM_Base", "wavlm-base"),
            ("microsoft/wavlm-base", "wavlm-base"),
            ("Facebook/HuBERT-base-ls960", "hubert-base"),
        ] {
            assert_eq!(zoo_meant(words).unwrap().name, name);
        }
        for unknown in ["microsoft/wavlm-bass", "mine", "", "-"] {
            assert!(zoo_meant(unknown).is_none(), "{unknown:?}");
        }
        assert_eq!(nearest("wavlm-bsae"), Some("wavlm-base"));
        assert_eq!(
            (nearest("fbnak"), nearest("mine"), nearest("abc")),
            (Some("fbank"), None, None)
        );
    }
}
