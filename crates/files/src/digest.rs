use crate::FileError;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha256(String);

impl Sha256 {
    /// The 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(12)]
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// The digest of bytes in memory.
pub fn sha256_bytes(bytes: &[u8]) -> Sha256 {
    Sha256(hex(&sha2::Sha256::digest(bytes)))
}

/// The digest of concatenated parts.
pub fn sha256_parts<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Sha256(hex(&hasher.finalize()))
}

/// The digest of a file, read in pieces.
pub fn sha256_file(path: impl AsRef<Path>) -> Result<Sha256, FileError> {
    let path = path.as_ref();
    let mut file = std::fs::File::open(path).map_err(|e| FileError::io("read", path, e))?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file
            .read(&mut buffer)
            .map_err(|e| FileError::io("read", path, e))?;
        if n == 0 {
            return Ok(Sha256(hex(&hasher.finalize())));
        }
        hasher.update(&buffer[..n]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn digests_agree_with_the_standard_vector() {
        // FIPS 180-4, the message "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::sha256_bytes(b"abc").as_str(), expected);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        assert_eq!(super::sha256_file(file.path()).unwrap().as_str(), expected);
    }
}
