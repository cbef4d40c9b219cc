use emobox_files::{FileError, Sha256, sha256_file};
use md5::{Digest, Md5};
use std::fmt;
use std::io::Read;
use std::path::Path;

/// A published checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// 32 hexadecimal digits. It protects against damage, not against an attacker.
    Md5(String),
    /// 64 hexadecimal digits.
    Sha256(String),
}

impl Checksum {
    /// Reads `md5:…` or `sha256:…`; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = text.split_once(':')?;
        let digits = digits.to_ascii_lowercase();
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (kind, digits.len(), hexadecimal) {
            ("md5", 32, true) => Some(Self::Md5(digits)),
            ("sha256", 64, true) => Some(Self::Sha256(digits)),
            _ => None,
        }
    }

    /// `md5` or `sha256`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha256(_) => "sha256",
        }
    }

    /// The hexadecimal digits, in lower case.
    pub fn digits(&self) -> &str {
        match self {
            Self::Md5(digits) | Self::Sha256(digits) => digits,
        }
    }

    /// The digits of a file under the same algorithm.
    pub fn of_file(&self, path: &Path) -> Result<String, FileError> {
        match self {
            Self::Md5(_) => md5_file(path),
            Self::Sha256(_) => sha256_file(path).map(|digest: Sha256| digest.as_str().to_owned()),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.digits())
    }
}

fn md5_file(path: &Path) -> Result<String, FileError> {
    let failed = |e| FileError::io("read", path, e);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_agree_with_the_standard_vectors() {
        // RFC 1321 and FIPS 180-4, the message "abc".
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        for text in [
            "md5:900150983cd24fb0d6963f7d28e17f72",
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ] {
            let checksum = Checksum::parse(text).unwrap();
            assert_eq!(checksum.of_file(file.path()).unwrap(), checksum.digits());
            assert_eq!(checksum.to_string(), text);
        }
        for bad in [
            "",
            "md5:12",
            "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "900150983cd24fb0d6963f7d28e17f72",
        ] {
            assert_eq!(Checksum::parse(bad), None, "{bad}");
        }
    }
}
