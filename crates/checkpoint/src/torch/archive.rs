//! The zip container, as far as PyTorch uses it: stored entries found through the central directory.
//! Layout from APPNOTE 6.3 (sections 4.3.6 to 4.5.3), with the 64-bit extensions.

use super::{Storages, check_pickle_size};
use crate::{CheckpointError, limits};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

const FORMAT: &str = "zip";
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
/// The end record with the longest comment.
const END_REACH: usize = 22 + 0xffff;
/// Entries of an archive: one storage per tensor and a few more.
const ENTRIES: u64 = 2 * limits::TENSORS as u64;

pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL_HEADER)
}

/// The pickle and the storages of an archive.
pub(super) fn open<'a>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(&'a [u8], Storages), CheckpointError> {
    let entries = Zip { path, bytes }.entries()?;
    let Some(pickle) = entries
        .iter()
        .find(|entry| entry.name == "data.pkl" || entry.name.ends_with("/data.pkl"))
    else {
        return Err(CheckpointError::UnknownFormat {
            path: path.to_owned(),
            found: "a zip archive without data.pkl".to_owned(),
        });
    };
    let root = &pickle.name[..pickle.name.len() - "data.pkl".len()];
    let find = |name: &str| {
        let mut inside = entries
            .iter()
            .filter_map(|entry| Some((entry.name.strip_prefix(root)?, entry)));
        inside
            .find(|(inner, _)| *inner == name)
            .map(|(_, entry)| entry)
    };
    if find("constants.pkl").is_some() {
        return Err(CheckpointError::UnknownFormat {
            path: path.to_owned(),
            found: "a TorchScript program (it has constants.pkl)".to_owned(),
        });
    }
    let pickle_bytes = &bytes[pickle.stored(path)?];
    check_pickle_size(path, pickle_bytes.len())?;
    let big_endian = match find("byteorder") {
        Some(entry) => match &bytes[entry.stored(path)?] {
            b"little" => false,
            b"big" => true,
            _ => {
                return Err(malformed(
                    path,
                    "byteorder is neither little nor big".to_owned(),
                ));
            }
        },
        None => false,
    };
    let mut ranges = HashMap::new();
    for entry in &entries {
        let key = entry
            .name
            .strip_prefix(root)
            .and_then(|name| name.strip_prefix("data/"));
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            let range = entry.stored(path)?;
            if ranges.insert(key.to_owned(), range).is_some() {
                return Err(malformed(
                    path,
                    format!("entry {:?} stands twice", entry.name),
                ));
            }
        }
    }
    Ok((pickle_bytes, Storages { ranges, big_endian }))
}

struct Entry<'a> {
    name: &'a str,
    data: Range<usize>,
    claimed: u64,
    method: u16,
}

impl Entry<'_> {
    /// The bytes of a stored (uncompressed) entry.
    fn stored(&self, path: &Path) -> Result<Range<usize>, CheckpointError> {
        if self.method != 0 || self.claimed != self.data.len() as u64 {
            return Err(CheckpointError::Compressed {
                path: path.to_owned(),
                entry: self.name.to_owned(),
                stored: self.data.len() as u64,
                claimed: self.claimed,
            });
        }
        Ok(self.data.clone())
    }
}

#[derive(Clone, Copy)]
struct Zip<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl<'a> Zip<'a> {
    /// All files of the archive in the order of the directory, checked to be disjoint and inside the file.
    fn entries<'b>(self) -> Result<Vec<Entry<'b>>, CheckpointError>
    where
        'a: 'b,
    {
        let (count, mut at) = self.directory()?;
        if count > ENTRIES {
            return Err(CheckpointError::Limit {
                path: self.path.to_owned(),
                what: "the number of entries of the archive".to_owned(),
                limit: ENTRIES,
                found: count,
            });
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            let (entry, next) = self.entry(at)?;
            entries.push(entry);
            at = next;
        }
        let mut order: Vec<_> = entries
            .iter()
            .filter(|entry| !entry.data.is_empty())
            .collect();
        order.sort_by_key(|entry| (entry.data.start, entry.data.end));
        for pair in order.windows(2) {
            if pair[0].data.end > pair[1].data.start {
                return Err(CheckpointError::Overlap {
                    path: self.path.to_owned(),
                    first: pair[0].name.to_owned(),
                    second: pair[1].name.to_owned(),
                });
            }
        }
        Ok(entries)
    }

    /// The number of entries and the offset of the central directory.
    fn directory(&self) -> Result<(u64, usize), CheckpointError> {
        let tail = self.bytes.len().saturating_sub(END_REACH);
        let end = (tail..self.bytes.len().saturating_sub(21))
            .rev()
            .find(|&at| self.bytes[at..].starts_with(END))
            .ok_or_else(|| CheckpointError::Truncated {
                path: self.path.to_owned(),
                what: "the directory of the archive, which stands at its end,".to_owned(),
                expected: 22,
                found: 0,
            })?;
        let locator = end
            .checked_sub(20)
            .filter(|&at| self.bytes[at..].starts_with(END_64_LOCATOR));
        let (count, offset) = match locator {
            Some(locator) => {
                let at = self.offset(self.u64(locator + 8)?)?;
                self.expect(at, END_64, "the 64-bit end record")?;
                (self.u64(at + 32)?, self.u64(at + 48)?)
            }
            None => (self.u16(end + 10)?.into(), self.u32(end + 16)?.into()),
        };
        Ok((count, self.offset(offset)?))
    }

    /// The entry whose directory record is at `at`, and the offset of the next record.
    fn entry(&self, at: usize) -> Result<(Entry<'a>, usize), CheckpointError> {
        self.expect(at, CENTRAL_HEADER, "a directory record")?;
        let flags = self.u16(at + 8)?;
        let name_length = usize::from(self.u16(at + 28)?);
        let extra_length = usize::from(self.u16(at + 30)?);
        let comment_length = usize::from(self.u16(at + 32)?);
        let name = self.take(at + 46, name_length)?;
        let name = std::str::from_utf8(name)
            .map_err(|_| malformed(self.path, "an entry's name is no text".to_owned()))?;
        if flags & 1 != 0 {
            return Err(malformed(self.path, format!("entry {name:?} is encrypted")));
        }
        let extra = self.take(at + 46 + name_length, extra_length)?;
        let (mut stored, mut claimed) = (self.u32(at + 20)?.into(), self.u32(at + 24)?.into());
        let mut header = self.u32(at + 42)?.into();
        let mut wide = wide_fields(extra);
        for field in [&mut claimed, &mut stored, &mut header] {
            if *field == u64::from(u32::MAX) {
                *field = wide.next().ok_or_else(|| {
                    malformed(self.path, format!("entry {name:?} lacks its 64-bit size"))
                })?;
            }
        }
        let header = self.offset(header)?;
        self.expect(header, LOCAL_HEADER, "an entry")?;
        let skipped = usize::from(self.u16(header + 26)?) + usize::from(self.u16(header + 28)?);
        let start = self.offset((header + 30 + skipped) as u64)?;
        let available = (self.bytes.len() - start) as u64;
        if stored > available {
            return Err(CheckpointError::Truncated {
                path: self.path.to_owned(),
                what: format!("entry {name:?}"),
                expected: stored,
                found: available,
            });
        }
        let entry = Entry {
            name,
            data: start..start + stored as usize,
            claimed,
            method: self.u16(at + 10)?,
        };
        Ok((entry, at + 46 + name_length + extra_length + comment_length))
    }

    fn offset(&self, offset: u64) -> Result<usize, CheckpointError> {
        usize::try_from(offset)
            .ok()
            .filter(|&offset| offset < self.bytes.len())
            .ok_or_else(|| {
                malformed(
                    self.path,
                    format!("offset {offset} lies beyond the end of the file"),
                )
            })
    }

    fn expect(&self, at: usize, signature: &[u8], what: &str) -> Result<(), CheckpointError> {
        if self.take(at, signature.len())? == signature {
            return Ok(());
        }
        Err(malformed(
            self.path,
            format!("no signature of {what} at byte {at}"),
        ))
    }

    fn take(&self, at: usize, length: usize) -> Result<&'a [u8], CheckpointError> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.get(..length))
            .ok_or_else(|| malformed(self.path, format!("a record at byte {at} is cut off")))
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], CheckpointError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(at, N)?);
        Ok(array)
    }

    fn u16(&self, at: usize) -> Result<u16, CheckpointError> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, CheckpointError> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, CheckpointError> {
        self.array(at).map(u64::from_le_bytes)
    }
}

/// The values of the 64-bit extra field (header 1), in their order.
fn wide_fields(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut fields: &[u8] = &[];
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let id = u16::from_le_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let Some(body) = rest.get(..length) else {
            break;
        };
        if id == 1 {
            fields = body;
            break;
        }
        extra = &rest[length..];
    }
    let (fields, _) = fields.as_chunks::<8>();
    fields.iter().map(|field| u64::from_le_bytes(*field))
}

fn malformed(path: &Path, detail: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        detail,
    }
}
