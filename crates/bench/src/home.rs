use std::path::{Path, PathBuf};

/// The working folder: manifests, partitions, features and runs live below it, each in one place.
///
/// ```text
/// HOME/corpora/<corpus>/manifest.jsonl, prepare.json, partitions/<scheme>-seed<n>/
/// HOME/downloads/<corpus>/
/// HOME/encoders/<encoder>.json
/// HOME/features/<corpus>/<encoder>/
/// HOME/runs/<corpus>/<encoder>/<job digest>/fold<k>/
/// HOME/models/<name>/
/// HOME/speeds/<encoder>+<device>+<precision>.json
/// HOME/plans/<plan digest>/plan.json, logs/
/// HOME/receipts/<stage>-<job digest>.json
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// A working folder at `root`; nothing is created until something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// `--home DIR`, else `$EMOBOX_HOME`, else `./emobox-home`.
    pub fn resolve(argument: Option<&Path>) -> Self {
        let root = argument.map(Path::to_owned).or_else(|| {
            std::env::var_os("EMOBOX_HOME")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        });
        Self(root.unwrap_or_else(|| PathBuf::from("emobox-home")))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Everything about one corpus.
    pub fn corpus(&self, corpus: &str) -> PathBuf {
        self.0.join("corpora").join(corpus)
    }

    /// The uniform manifest of a corpus.
    pub fn manifest(&self, corpus: &str) -> PathBuf {
        self.corpus(corpus).join("manifest.jsonl")
    }

    /// The origin of a manifest and the findings of its preparation.
    pub fn prepare_report(&self, corpus: &str) -> PathBuf {
        self.corpus(corpus).join("prepare.json")
    }

    /// One partition of a corpus.
    pub fn partition(&self, corpus: &str, scheme: &str, seed: u64) -> PathBuf {
        self.corpus(corpus)
            .join("partitions")
            .join(format!("{scheme}-seed{seed}"))
    }

    /// What `emobox download` fetched for a corpus.
    pub fn download(&self, name: &str) -> PathBuf {
        self.0.join("downloads").join(name)
    }

    /// The feature store of a corpus with an encoder.
    pub fn features(&self, corpus: &str, encoder: &str) -> PathBuf {
        self.0.join("features").join(corpus).join(encoder)
    }

    /// A model by its name.
    pub fn model(&self, name: &str) -> PathBuf {
        self.0.join("models").join(name)
    }

    /// The properties of an encoder and the digest of its weights when it was last described.
    pub fn encoder(&self, encoder: &str) -> PathBuf {
        self.0.join("encoders").join(format!("{encoder}.json"))
    }

    /// Training results of a corpus with an encoder; a folder for each distinct job.
    pub fn runs(&self, corpus: &str, encoder: &str) -> PathBuf {
        self.0.join("runs").join(corpus).join(encoder)
    }
}

/// Whether `name` can be a folder name and a column of a table: letters, digits, `.`, `_`, `-`, `+`.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['.', '-'])
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_home_are_not_plain() {
        assert!(is_plain_name("whisper-tiny.en") && is_plain_name("emotion2vec+base"));
        for bad in ["", "..", ".", "a/b", "-x", "a b", "a\\b", "é"] {
            assert!(!is_plain_name(bad), "{bad:?}");
        }
    }
}
