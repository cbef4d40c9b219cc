//! A file that arrives in pieces: each request asks for what is still missing.

use super::client::{Client, Method, Remote, text};
use super::{HubError, Progress};
use emobox_files::FileError;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::HeaderMap;

/// Attempts in all for one file, however little each of them brings.
const ATTEMPTS: u32 = 100;
/// Bytes of a file whose size the hub does not tell; all large files have one.
const UNKNOWN_BYTES: u64 = 64 << 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Client<'_> {
    /// Brings the file at `path` to its full size, from wherever an earlier attempt stopped.
    pub(super) fn download(
        &self,
        remote: &Remote,
        name: &str,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), HubError> {
        let mut partial = Partial::open(path)?;
        let mut fruitless = 0;
        for _ in 0..ATTEMPTS {
            if remote.size.is_some_and(|size| partial.done > size) {
                // Not a beginning of this file.
                partial.done = 0;
            }
            if remote.size == Some(partial.done) && partial.done > 0 {
                break;
            }
            let before = partial.done;
            let Some(failure) = self.stream(remote, name, &mut partial, progress)? else {
                break;
            };
            let done = partial.done;
            fruitless = if done > before { 0 } else { fruitless + 1 };
            if fruitless >= self.settings.attempts {
                return Err(interrupted(remote, name, done, failure));
            }
            progress(Progress::Retrying {
                file: name,
                done,
                reason: &failure,
            });
            let pause = self.settings.pause.saturating_mul(1 << fruitless.min(10));
            std::thread::sleep(pause.min(LONGEST_PAUSE));
        }
        partial.finish()?;
        if remote.size.is_some_and(|size| size != partial.done) {
            let detail = "too many attempts".to_owned();
            return Err(interrupted(remote, name, partial.done, detail));
        }
        Ok(())
    }

    /// One request for the rest of a file. `Ok(Some(_))` is a failure that another attempt may mend.
    fn stream(
        &self,
        remote: &Remote,
        name: &str,
        partial: &mut Partial<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<String>, HubError> {
        let response = match self.send(Method::Get, &remote.url, Some(partial.done)) {
            Ok((response, _)) => response,
            Err(HubError::Unreachable { detail, .. }) => return Ok(Some(detail)),
            Err(other) => return Err(other),
        };
        let status = response.status().as_u16();
        match status {
            206 if range_start(response.headers()) == Some(partial.done) => {}
            // The server does not do ranges: from the beginning.
            200 => partial.done = 0,
            206 | 416 => {
                partial.done = 0;
                return Ok(Some(format!("status {status} for the wrong range")));
            }
            408 | 429 | 500..=599 => return Ok(Some(format!("status {status}"))),
            _ => self.check_status(&response, &remote.url, "", name)?,
        }
        partial.cut_to_done()?;
        let limit = remote.size.unwrap_or(UNKNOWN_BYTES);
        let promised = response.body().content_length();
        let promised = promised.map(|length| length.saturating_add(partial.done));
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok(Some(e.to_string())),
            };
            if partial.done + n as u64 > limit {
                // Nothing of this can be trusted.
                partial.done = 0;
                partial.cut_to_done()?;
                return Err(HubError::Corrupt {
                    file: name.to_owned(),
                    what: "bytes",
                    expected: limit.to_string(),
                    found: format!("more than {limit}"),
                });
            }
            partial.write(&buffer[..n])?;
            progress(Progress::Bytes {
                file: name,
                done: partial.done,
                total: remote.size,
            });
        }
        let short = remote
            .size
            .or(promised)
            .is_some_and(|size| partial.done < size);
        Ok(short.then(|| "the connection was closed early".to_owned()))
    }
}

/// A file on its way to its full size.
struct Partial<'p> {
    path: &'p Path,
    file: File,
    /// Bytes that count; what lies behind them is cut off before the next write.
    done: u64,
}

impl<'p> Partial<'p> {
    fn open(path: &'p Path) -> Result<Self, HubError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|e| FileError::io("open", path, e))?;
        let metadata = file
            .metadata()
            .map_err(|e| FileError::io("read", path, e))?;
        Ok(Self {
            path,
            file,
            done: metadata.len(),
        })
    }

    fn cut_to_done(&mut self) -> Result<(), HubError> {
        let cut = self.file.set_len(self.done);
        cut.and_then(|()| self.file.seek(SeekFrom::Start(self.done)))
            .map_err(|e| FileError::io("write", self.path, e))?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file
            .write_all(bytes)
            .map_err(|e| FileError::io("write", self.path, e))?;
        self.done += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), HubError> {
        self.cut_to_done()?;
        self.file
            .sync_all()
            .map_err(|e| FileError::io("flush", self.path, e))?;
        Ok(())
    }
}

fn interrupted(remote: &Remote, name: &str, done: u64, detail: String) -> HubError {
    HubError::Interrupted {
        file: name.to_owned(),
        done,
        total: remote.size,
        detail,
    }
}

/// The first byte of `Content-Range: bytes 5-9/10`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, "content-range")?;
    let (start, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    start.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_begins_where_its_header_says() {
        let mut headers = HeaderMap::new();
        assert_eq!(range_start(&headers), None);
        headers.insert("content-range", "bytes 5-9/10".parse().unwrap());
        assert_eq!(range_start(&headers), Some(5));
        headers.insert("content-range", "bytes */10".parse().unwrap());
        assert_eq!(range_start(&headers), None);
    }
}
