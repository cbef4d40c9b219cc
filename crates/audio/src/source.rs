use crate::AudioError;
use emobox_files::FileError;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Large enough for the header of every ordinary file, so that probing costs one read.
const HEADER_BYTES: usize = 1024;

/// Where the bytes of an audio file come from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The file on disk, or the name that messages show.
    pub(crate) path: PathBuf,
    /// The bytes when they are not on disk.
    pub(crate) bytes: Option<Arc<[u8]>>,
}

/// The bytes of one audio file, opened.
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) length: u64,
    bytes: Bytes,
}

enum Bytes {
    Disk(BufReader<File>),
    Memory(Cursor<Arc<[u8]>>),
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, AudioError> {
        let fail = |e| FileError::io("read", path, e);
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(fail(std::io::ErrorKind::IsADirectory.into()).into());
        }
        if metadata.len() == 0 && metadata.is_file() {
            return Err(AudioError::EmptyFile {
                path: path.to_owned(),
            });
        }
        if !metadata.is_file() {
            // A pipe or a device has no length and cannot seek.
            let mut bytes = Vec::new();
            BufReader::new(file).read_to_end(&mut bytes).map_err(fail)?;
            return Self::memory(bytes, path);
        }
        Ok(Self {
            origin: Origin {
                path: path.to_owned(),
                bytes: None,
            },
            length: metadata.len(),
            bytes: Bytes::Disk(BufReader::with_capacity(HEADER_BYTES, file)),
        })
    }

    pub(crate) fn memory(bytes: Vec<u8>, name: &Path) -> Result<Self, AudioError> {
        if bytes.is_empty() {
            return Err(AudioError::EmptyFile {
                path: name.to_owned(),
            });
        }
        let bytes: Arc<[u8]> = bytes.into();
        Ok(Self {
            length: bytes.len() as u64,
            origin: Origin {
                path: name.to_owned(),
                bytes: Some(Arc::clone(&bytes)),
            },
            bytes: Bytes::Memory(Cursor::new(bytes)),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.origin.path
    }

    /// The first bytes, without moving.
    pub(crate) fn peek(&mut self) -> Result<&[u8], AudioError> {
        match self.bytes.fill_buf() {
            Ok(bytes) => Ok(&bytes[..bytes.len().min(HEADER_BYTES)]),
            Err(e) => Err(FileError::io("read", &self.origin.path, e).into()),
        }
    }

    /// Moves forward by `bytes`, staying in the buffer where that is possible.
    pub(crate) fn skip(&mut self, bytes: u64) -> std::io::Result<()> {
        let Ok(bytes) = i64::try_from(bytes) else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        match &mut self.bytes {
            Bytes::Disk(file) => file.seek_relative(bytes),
            Bytes::Memory(memory) => memory.seek(SeekFrom::Current(bytes)).map(|_| ()),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Moves to a position and takes a buffer suited to sequential reading from there.
    pub(crate) fn into_bulk(self, position: u64) -> std::io::Result<Self> {
        let bytes = match self.bytes {
            Bytes::Disk(file) => {
                let mut file = file.into_inner();
                file.seek(SeekFrom::Start(position))?;
                Bytes::Disk(BufReader::with_capacity(1 << 16, file))
            }
            Bytes::Memory(mut memory) => {
                memory.set_position(position);
                Bytes::Memory(memory)
            }
        };
        Ok(Self { bytes, ..self })
    }
}

impl Bytes {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        match self {
            Self::Disk(file) => file.fill_buf(),
            Self::Memory(memory) => memory.fill_buf(),
        }
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.bytes {
            Bytes::Disk(file) => file.read(out),
            Bytes::Memory(memory) => memory.read(out),
        }
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.bytes {
            Bytes::Disk(file) => file.consume(amount),
            Bytes::Memory(memory) => memory.consume(amount),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match &mut self.bytes {
            // Seeking within the buffer keeps it, whereas a plain seek would read it again.
            Bytes::Disk(file) => match to {
                SeekFrom::Start(to) => {
                    let from = file.stream_position()?;
                    match i64::try_from(i128::from(to) - i128::from(from)) {
                        Ok(distance) => file.seek_relative(distance).map(|()| to),
                        Err(_) => Err(std::io::ErrorKind::InvalidInput.into()),
                    }
                }
                to => file.seek(to),
            },
            Bytes::Memory(memory) => memory.seek(to),
        }
    }
}
