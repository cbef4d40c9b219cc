use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

/// Options for reading a raw folder.
#[derive(Debug, Clone, Default)]
pub struct PrepareOptions {
    /// Use the published value where the published metadata are wrong (speakers, labels, rows).
    pub as_published: bool,
    /// Continue if files of the release are missing, and report them.
    pub allow_missing: bool,
    /// Threads that read audio headers; `None` means all cores.
    pub threads: Option<usize>,
    /// The channel to use in every file; `None` means the one that the corpus specifies, otherwise the first.
    pub channel: Option<ChannelChoice>,
    /// The column of a table for each of path, label, speaker and so on, if its name is not recognised.
    pub columns: BTreeMap<String, String>,
    /// Treat it as a user's own corpus, whatever its name and its files look like, with labels and speakers as written.
    pub custom: bool,
    /// Where audio inside Parquet tables or tar shards is unpacked to; existing contents are replaced.
    pub unpack: Option<PathBuf>,
}

/// Which channel of every file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelChoice {
    /// The mean of all.
    Mix,
    /// This one, from 1.
    Number(u16),
}

impl FromStr for ChannelChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("mix", _) => Ok(Self::Mix),
            (_, Ok(number)) if number > 0 => Ok(Self::Number(number)),
            _ => Err(format!(
                "channel {text:?}; known are mix and the numbers from 1"
            )),
        }
    }
}
