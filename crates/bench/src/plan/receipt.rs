use super::{Job, Plan};
use crate::BenchError;
use emobox_files::{FileError, Sha256, read_json, sha256_file, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a finished job has read and written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Format version, 1.
    pub schema: u32,
    /// The job.
    pub job: Job,
    /// The files that decide what the job makes.
    pub inputs: Vec<FileStamp>,
    /// The files that it made, or found made.
    pub outputs: Vec<FileStamp>,
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its time of change in nanoseconds since 1970: while it stays, the file is not read again.
    pub changed: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Receipt {
    /// Stamps the files of a job that is done, and writes the receipt. The last act of every job.
    pub(super) fn write(
        plan: &Plan,
        job: &Job,
        inputs: &[PathBuf],
        outputs: &[PathBuf],
    ) -> Result<(), BenchError> {
        let receipt = Self {
            schema: 1,
            job: job.clone(),
            inputs: stamps(inputs)?,
            outputs: stamps(outputs)?,
        };
        Ok(write_json(path(plan, job), &receipt)?)
    }

    /// The receipt of a job, if it has one.
    pub fn read(plan: &Plan, job: &Job) -> Option<Self> {
        let receipt: Self = read_json(path(plan, job)).ok()?;
        (receipt.job.work == job.work).then_some(receipt)
    }

    /// Whether every file is as it was.
    pub fn holds(&self) -> bool {
        self.inputs
            .iter()
            .chain(&self.outputs)
            .all(FileStamp::holds)
    }
}

fn stamps(paths: &[PathBuf]) -> Result<Vec<FileStamp>, BenchError> {
    paths
        .iter()
        .map(|path| FileStamp::of(&super::absolute(path)?))
        .collect()
}

fn path(plan: &Plan, job: &Job) -> PathBuf {
    let name = format!("{}.json", job.name);
    plan.folder().join("receipts").join(name)
}

impl FileStamp {
    /// Reads a file.
    pub fn of(path: &Path) -> Result<Self, BenchError> {
        let (bytes, changed) = size_and_time(path).map_err(|e| FileError::io("read", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            changed,
            sha256: sha256_file(path)?,
        })
    }

    /// Whether the file is there with the same content. A file of the same size and time of change is
    /// believed; one that was written again is read.
    pub fn holds(&self) -> bool {
        match size_and_time(&self.path) {
            Ok((bytes, changed)) if bytes == self.bytes => {
                changed == self.changed
                    || sha256_file(&self.path).is_ok_and(|digest| digest == self.sha256)
            }
            _ => false,
        }
    }
}

fn size_and_time(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |time| time.as_nanos());
    Ok((
        metadata.len(),
        u64::try_from(nanoseconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_for_the_same_bytes_and_for_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "one").unwrap();
        let stamp = FileStamp::of(&path).unwrap();
        assert!(stamp.holds());
        std::fs::remove_file(&path).unwrap();
        assert!(!stamp.holds());
        // Written again: another time, the same bytes.
        std::fs::write(&path, "one").unwrap();
        assert!(stamp.holds());
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "two").unwrap();
        assert!(!stamp.holds(), "same size, other bytes");
    }
}
