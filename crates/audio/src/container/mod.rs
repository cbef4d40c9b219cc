//! Detects the kind of a file from its first bytes only: names and extensions can be wrong.

pub(crate) mod aiff;
pub(crate) mod avi;
pub(crate) mod matroska;
pub(crate) mod mp4;
pub(crate) mod mpeg;
pub(crate) mod pcm;
pub(crate) mod wave;

use std::fmt;

/// A container, recognised by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Wave,
    Aiff,
    Flac,
    Ogg,
    Mpeg,
    Adts,
    Mp4,
    /// Only ffmpeg reads it; the name is for messages.
    Foreign(&'static str),
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wave => "WAV",
            Self::Aiff => "AIFF",
            Self::Flac => "FLAC",
            Self::Ogg => "OGG",
            Self::Mpeg => "MP3",
            Self::Adts => "AAC (ADTS)",
            Self::Mp4 => "MP4",
            Self::Foreign(name) => name,
        })
    }
}

/// What the header of a container that ffmpeg decodes says about its first audio stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StreamHeader {
    /// ffmpeg's name for it.
    pub(crate) codec: &'static str,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u16,
    pub(crate) seconds: f64,
}

pub(crate) const AVI: &str = "AVI";
pub(crate) const MATROSKA: &str = "Matroska/WebM";

/// Containers that start with a fixed magic number and are left to ffmpeg.
const FOREIGN: [(&[u8], &str); 14] = [
    (b"caff", "CAF"),
    (b"\x1A\x45\xDF\xA3", MATROSKA),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "ASF/WMA"),
    (b"\x00\x00\x01\xBA", "MPEG program stream"),
    (b"\x00\x00\x01\xB3", "MPEG video"),
    (b"FLV\x01", "Flash video"),
    (b".snd", "AU"),
    (b"NIST_1A", "NIST SPHERE"),
    (b"riff\x2E\x91\xCF\x11", "Wave64"),
    (b"#!AMR", "AMR"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio"),
    (b"TTA1", "True Audio"),
    (b"ADIF", "AAC (ADIF)"),
];

/// The container that begins with these bytes (a few hundred are enough), or `None`.
pub(crate) fn sniff(head: &[u8]) -> Option<Container> {
    let form = head.get(8..12);
    match head.get(..4)? {
        b"RIFF" | b"RIFX" | b"RF64" | b"BW64" => {
            return match form? {
                b"WAVE" => Some(Container::Wave),
                b"AVI " => Some(Container::Foreign(AVI)),
                _ => Some(Container::Foreign("RIFF (neither WAVE nor AVI)")),
            };
        }
        b"FORM" if matches!(form, Some(b"AIFF" | b"AIFC")) => return Some(Container::Aiff),
        b"fLaC" => return Some(Container::Flac),
        b"OggS" => return Some(Container::Ogg),
        _ => {}
    }
    if let Some(&(_, name)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Container::Foreign(name));
    }
    if matches!(
        head.get(4..8),
        Some(b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip")
    ) {
        return Some(Container::Mp4);
    }
    if head.starts_with(b"ID3") {
        return Some(Container::Mpeg);
    }
    // A transport stream repeats its sync byte every 188 bytes.
    if head[0] == 0x47 && head.get(188) == Some(&0x47) && head.get(376) == Some(&0x47) {
        return Some(Container::Foreign("MPEG transport stream"));
    }
    if head[0] == 0xFF && head[1] & 0xF6 == 0xF0 {
        return Some(Container::Adts);
    }
    // Sync word, then a version, layer, bit rate and sample rate that exist (ISO 11172-3, 2.4.1.3).
    let exists = head[1] & 0x18 != 0x08
        && head[1] & 0x06 != 0
        && head[2] & 0xF0 != 0xF0
        && head[2] & 0x0C != 0x0C;
    if head[0] == 0xFF && head[1] & 0xE0 == 0xE0 && exists {
        return Some(Container::Mpeg);
    }
    None
}

/// A human-readable description of the first bytes of a file that is not audio.
pub(crate) fn describe(head: &[u8]) -> String {
    let known: [(&[u8], &str); 8] = [
        (
            b"version https://git-lfs",
            "a Git LFS pointer (the audio itself was not fetched)",
        ),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1F\x8B", "a gzip archive"),
        (b"Rar!", "a rar archive"),
        (b"7z\xBC\xAF", "a 7z archive"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xFF\xD8\xFF", "a JPEG picture"),
    ];
    if let Some((_, name)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (*name).to_owned();
    }
    let start = &head[..head.len().min(24)];
    if start.iter().all(|&byte| byte == 0) {
        return format!(
            "{} zero bytes",
            head.iter().take_while(|&&b| b == 0).count()
        );
    }
    // A multi-byte character may be cut at the end of the excerpt.
    let text = match std::str::from_utf8(start) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&start[..e.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text {
        Some(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            format!("the text {text:?}")
        }
        _ => {
            let hex: Vec<String> = start.iter().take(12).map(|b| format!("{b:02x}")).collect();
            format!("the bytes {}", hex.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_content() {
        let cases: [(&[u8], Option<Container>); 9] = [
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Container::Wave)),
            (b"RIFF\0\0\0\0AVI LIST", Some(Container::Foreign("AVI"))),
            (b"FORM\0\0\0\0AIFCFVER", Some(Container::Aiff)),
            (b"\xFF\xFB\x90\x00", Some(Container::Mpeg)),
            (b"\xFF\xF1\x50\x80", Some(Container::Adts)),
            (b"\x00\x00\x00\x20ftypM4A ", Some(Container::Mp4)),
            (
                b"\x1A\x45\xDF\xA3\x01\x00",
                Some(Container::Foreign("Matroska/WebM")),
            ),
            (b"hello world", None),
            (b"\xFF", None),
        ];
        for (head, expected) in cases {
            assert_eq!(sniff(head), expected, "{head:?}");
        }
    }

    #[test]
    fn what_is_no_audio_is_described() {
        assert_eq!(
            describe(b"speaker,emotion\n1"),
            r#"the text "speaker,emotion\n1""#
        );
        assert_eq!(describe(&[0; 100]), "100 zero bytes");
        assert_eq!(describe(b"\x01\x02\xFE"), "the bytes 01 02 fe");
        assert!(describe(b"version https://git-lfs.github.com/spec/v1").contains("LFS"));
    }
}
