//! Reads the bytes of a pickle, one argument of an instruction after another, and the strings in them.

use super::PickleError;
use super::value::Node;
use std::borrow::Cow;

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let taken = rest
            .get(..length)
            .ok_or(PickleError::Truncated { at: self.at })?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Up to the next line feed, which is consumed but not returned.
    pub(super) fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(PickleError::Truncated { at: self.at })?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    pub(super) fn decimal(&self, digits: &[u8]) -> Result<Node<'a>, PickleError> {
        let value = std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        value.map(Node::Int).ok_or_else(|| {
            self.malformed("an integer that is none or has more than 64 bits".to_owned())
        })
    }

    pub(super) fn decimal_line(&mut self) -> Result<u64, PickleError> {
        let line = self.line()?;
        let key = std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        key.ok_or_else(|| self.malformed("a memo key that is no number".to_owned()))
    }

    pub(super) fn malformed(&self, detail: String) -> PickleError {
        PickleError::Malformed {
            detail,
            at: self.at,
        }
    }
}

/// Little-endian two's complement of any length.
pub(super) fn long(bytes: &[u8]) -> Node<'_> {
    if bytes.len() > 8 {
        return Node::Long(Cow::Borrowed(bytes));
    }
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}

/// UTF-8, or Latin-1 if it is not valid UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// The string literals of protocol 0. Escapes are kept unchanged: no name has one.
pub(super) fn unquote(line: &[u8]) -> Option<Cow<'_, str>> {
    let line = line.trim_ascii();
    let (&first, rest) = line.split_first()?;
    let (&last, inner) = rest.split_last()?;
    (first == last && matches!(first, b'\'' | b'"')).then(|| decode(inner))
}

/// The raw-unicode-escape of protocol 0: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn unescape(line: &[u8]) -> Cow<'_, str> {
    if !line.contains(&b'\\') {
        return match std::str::from_utf8(line) {
            Ok(text) if text.is_ascii() => Cow::Borrowed(text),
            _ => Cow::Owned(line.iter().map(|&byte| char::from(byte)).collect()),
        };
    }
    let mut text = String::new();
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        let escaped = (digits > 0)
            .then(|| after.get(1..=digits))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        match escaped {
            Some(character) => {
                text.push(character);
                rest = &after[1 + digits..];
            }
            None => {
                text.push(char::from(byte));
                rest = after;
            }
        }
    }
    Cow::Owned(text)
}
