//! Paths as text that can represent every file name, whatever its bytes.
//!
//! Zip files made on old systems contain names such as `Col\x8are` that are not UTF-8, yet a manifest is JSON. A byte that does
//! not decode becomes one character U+EF80…U+EFFF (its low byte is the byte), the scheme that MirBSD calls OPTU-8; every other
//! name is kept as it is.

use std::borrow::Cow;
use std::path::Path;

const ESCAPES: std::ops::RangeInclusive<u32> = 0xEF80..=0xEFFF;

/// A relative path with `/` between its parts and undecodable bytes escaped.
pub fn encode(path: &Path) -> String {
    if let (true, Some(text)) = (cfg!(unix), path.to_str())
        && text.is_ascii()
        && !text.split('/').any(|part| part.is_empty() || part == ".")
    {
        return text.to_owned();
    }
    let mut text = String::new();
    for part in path.components() {
        if !text.is_empty() {
            text.push('/');
        }
        encode_part(part.as_os_str(), &mut text);
    }
    text
}

/// The inverse of [`encode`].
pub fn decode(text: &str) -> Cow<'_, Path> {
    if text.is_ascii() {
        return Cow::Borrowed(Path::new(text));
    }
    Cow::Owned(text.split('/').map(decode_part).collect())
}

#[cfg(unix)]
fn encode_part(part: &std::ffi::OsStr, text: &mut String) {
    use std::os::unix::ffi::OsStrExt;
    for chunk in part.as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            if ESCAPES.contains(&u32::from(letter)) {
                let mut buffer = [0; 4];
                letter
                    .encode_utf8(&mut buffer)
                    .bytes()
                    .for_each(|byte| text.push(escape(byte)));
            } else {
                text.push(letter);
            }
        }
        chunk
            .invalid()
            .iter()
            .for_each(|&byte| text.push(escape(byte)));
    }
}

#[cfg(unix)]
fn escape(byte: u8) -> char {
    char::from_u32(0xEF00 + u32::from(byte)).unwrap_or('\u{FFFD}')
}

#[cfg(unix)]
fn decode_part(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let code = u32::from(letter);
        if ESCAPES.contains(&code) {
            bytes.push((code & 0xFF) as u8);
        } else {
            let mut buffer = [0; 4];
            bytes.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
        }
    }
    std::ffi::OsString::from_vec(bytes)
}

#[cfg(not(unix))]
fn encode_part(part: &std::ffi::OsStr, text: &mut String) {
    text.push_str(&part.to_string_lossy());
}

#[cfg(not(unix))]
fn decode_part(text: &str) -> std::ffi::OsString {
    text.into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn every_name_survives() {
        for name in [
            &b"a/b.wav"[..],
            b"Col\x8are/01.wav",
            "Ole\u{301}/é".as_bytes(),
            b"\xEE\xBE\x8A/\xFF",
            b"\xE4",
        ] {
            let path = Path::new(OsStr::from_bytes(name));
            assert_eq!(decode(&encode(path)), path, "{name:?}");
        }
        assert_eq!(
            encode(Path::new(OsStr::from_bytes(b"Col\x8are"))),
            "Col\u{EF8A}re"
        );
    }
}
