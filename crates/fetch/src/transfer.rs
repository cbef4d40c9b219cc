//! A file that arrives in pieces: each request asks for what is still missing.

use crate::client::{Answer, Client, Method, Range};
use crate::{Checksum, FetchError};
use emobox_files::{FileError, write_atomic};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A requested file, and what is known of it beforehand.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its address.
    pub url: String,
    /// Its name in messages.
    pub name: String,
    /// Its size in bytes, if published.
    pub bytes: Option<u64>,
    /// Maximum number of bytes if the size is unknown.
    pub limit: u64,
    /// Its checksum, if published.
    pub checksum: Option<Checksum>,
    /// Whether the place on disk identifies the content, so that any partial file found there can be resumed.
    /// If not, and without a checksum, a partial file is resumed only if the server says that the file is unchanged.
    pub named_by_content: bool,
}

/// Total number of attempts for one file, however little progress each makes.
const ATTEMPTS: u32 = 100;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest validator that is kept; real ones are a few dozen bytes.
const VALIDATOR_BYTES: usize = 256;

/// The progress of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transfer<'a> {
    /// Bytes have arrived.
    Bytes {
        /// Bytes on disk, including those of earlier attempts.
        done: u64,
        /// Total bytes, if known.
        total: Option<u64>,
    },
    /// The connection broke, or the received bytes were wrong; the rest is requested after a pause.
    Retrying {
        /// Bytes on disk.
        done: u64,
        /// What happened.
        reason: &'a str,
    },
}

/// Whether to continue a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continue {
    /// Continue.
    Yes,
    /// Keep what has arrived and stop.
    No,
}

/// Receives progress, and is asked whether to continue.
pub(crate) type Watch<'a> = dyn FnMut(Transfer<'_>) -> Continue + 'a;

impl Client {
    /// Downloads the file at `path` to its full size, from wherever an earlier attempt stopped.
    pub(crate) fn download(
        &self,
        wanted: &Wanted,
        path: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<(), FetchError> {
        let mut partial = Partial::open(wanted, path)?;
        let mut fruitless = 0;
        for _ in 0..ATTEMPTS {
            if wanted.bytes.is_some_and(|size| partial.done > size) {
                // Not a prefix of this file.
                partial.done = 0;
            }
            if wanted.bytes == Some(partial.done) && partial.done > 0 {
                break;
            }
            let before = partial.done;
            let Some(failure) = self.stream(wanted, &mut partial, watch)? else {
                break;
            };
            let done = partial.done;
            fruitless = if done > before { 0 } else { fruitless + 1 };
            if fruitless >= self.settings.attempts {
                return Err(interrupted(wanted, done, failure));
            }
            let event = Transfer::Retrying {
                done,
                reason: &failure,
            };
            if watch(event) == Continue::No {
                return Err(stopped(wanted, done));
            }
            let pause = self.settings.pause.saturating_mul(1 << fruitless.min(10));
            std::thread::sleep(pause.min(LONGEST_PAUSE));
        }
        partial.finish()?;
        if wanted.bytes.is_some_and(|size| size != partial.done) {
            let detail = "too many attempts".to_owned();
            return Err(interrupted(wanted, partial.done, detail));
        }
        Ok(())
    }

    /// One request for the rest of a file. `Ok(Some(_))` is a failure that another attempt may fix.
    fn stream(
        &self,
        wanted: &Wanted,
        partial: &mut Partial<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<String>, FetchError> {
        let range = Range {
            from: partial.done,
            if_unchanged: partial.validator.as_deref(),
        };
        let answer = match self.send_range(Method::Get, &wanted.url, range) {
            Ok(answer) => answer,
            Err(FetchError::Unreachable { detail, .. }) => return Ok(Some(detail)),
            Err(other) => return Err(other),
        };
        let status = answer.status();
        match status {
            206 if range_start(&answer) == Some(partial.done) => {}
            // The server does not support ranges, or the file has changed: start from the beginning.
            200 => partial.begin(&answer)?,
            206 | 416 => {
                partial.done = 0;
                return Ok(Some(format!("status {status} for the wrong range")));
            }
            408 | 429 | 500..=599 => return Ok(Some(format!("status {status}"))),
            _ => {
                return Err(FetchError::Status {
                    url: crate::client::without_query(&wanted.url),
                    status,
                });
            }
        }
        partial.cut_to_done()?;
        let limit = wanted.bytes.unwrap_or(wanted.limit);
        let promised = answer.content_length();
        let promised = promised.map(|length| length.saturating_add(partial.done));
        let mut body = answer.into_reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok(Some(e.to_string())),
            };
            if partial.done + n as u64 > limit {
                // None of this can be trusted.
                partial.done = 0;
                partial.cut_to_done()?;
                return Err(FetchError::Corrupt {
                    file: wanted.name.clone(),
                    what: "bytes",
                    expected: limit.to_string(),
                    found: format!("more than {limit}"),
                });
            }
            partial.write(&buffer[..n])?;
            let event = Transfer::Bytes {
                done: partial.done,
                total: wanted.bytes.or(promised),
            };
            if watch(event) == Continue::No {
                partial.finish()?;
                return Err(stopped(wanted, partial.done));
            }
        }
        let whole = wanted.bytes.or(promised);
        let short = whole.is_some_and(|size| partial.done < size);
        Ok(short.then(|| "the connection was closed early".to_owned()))
    }
}

/// A partially downloaded file.
struct Partial<'p> {
    path: &'p Path,
    file: File,
    /// Bytes that are valid; anything after them is truncated before the next write.
    done: u64,
    /// The server's validator for the content of the bytes, if it is needed to resume.
    validator: Option<String>,
    /// Whether only the validator distinguishes one content from another.
    unnamed: bool,
}

impl<'p> Partial<'p> {
    fn open(wanted: &Wanted, path: &'p Path) -> Result<Self, FetchError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|e| FileError::io("open", path, e))?;
        let metadata = file
            .metadata()
            .map_err(|e| FileError::io("read", path, e))?;
        let unnamed = wanted.checksum.is_none() && !wanted.named_by_content;
        let validator = unnamed
            .then(|| std::fs::read_to_string(validator_path(path)).ok())
            .flatten()
            .filter(|text| is_validator(text));
        // Without a checksum or a validator nothing would show that the rest is from another version.
        let usable = !unnamed || validator.is_some();
        Ok(Self {
            path,
            file,
            done: if usable { metadata.len() } else { 0 },
            validator,
            unnamed,
        })
    }

    /// The content starts at its first byte; records the server's validator.
    fn begin(&mut self, answer: &Answer) -> Result<(), FetchError> {
        self.done = 0;
        if !self.unnamed {
            return Ok(());
        }
        // A weak etag does not guarantee the same bytes.
        let etag = answer.header("etag").filter(|etag| !etag.starts_with("W/"));
        let validator = etag.or_else(|| answer.header("last-modified"));
        self.validator = validator.filter(|text| is_validator(text));
        // The bytes of earlier content are deleted first: a crash must not leave them beside the new name.
        self.cut_to_done()?;
        write_atomic(
            validator_path(self.path),
            self.validator.as_deref().unwrap_or_default().as_bytes(),
        )?;
        Ok(())
    }

    fn cut_to_done(&mut self) -> Result<(), FetchError> {
        let cut = self.file.set_len(self.done);
        cut.and_then(|()| self.file.seek(SeekFrom::Start(self.done)))
            .map_err(|e| FileError::io("write", self.path, e))?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file
            .write_all(bytes)
            .map_err(|e| FileError::io("write", self.path, e))?;
        self.done += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), FetchError> {
        self.cut_to_done()?;
        self.file
            .sync_all()
            .map_err(|e| FileError::io("flush", self.path, e))?;
        Ok(())
    }
}

/// The path of a partial file's validator.
pub(crate) fn validator_path(partial: &Path) -> PathBuf {
    let mut name = partial.file_name().unwrap_or_default().to_owned();
    name.push(".validator");
    partial.with_file_name(name)
}

fn is_validator(text: &str) -> bool {
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    !text.is_empty() && text.len() <= VALIDATOR_BYTES && text.bytes().all(visible)
}

fn interrupted(wanted: &Wanted, done: u64, detail: String) -> FetchError {
    FetchError::Interrupted {
        file: wanted.name.clone(),
        done,
        total: wanted.bytes,
        detail,
    }
}

fn stopped(wanted: &Wanted, done: u64) -> FetchError {
    FetchError::Stopped {
        file: wanted.name.clone(),
        done,
    }
}

/// The first byte of `Content-Range: bytes 5-9/10`.
fn range_start(answer: &Answer) -> Option<u64> {
    first_of_range(&answer.header("content-range")?)
}

fn first_of_range(range: &str) -> Option<u64> {
    let (start, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    start.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_begins_where_its_header_says() {
        assert_eq!(first_of_range("bytes 5-9/10"), Some(5));
        assert_eq!(first_of_range("bytes */10"), None);
        assert_eq!(first_of_range(""), None);
    }
}
