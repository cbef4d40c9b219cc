use super::{Job, JobStage, Plan};
use crate::BenchError;
use emobox_files::{Stamp, read_json, remove_file, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Incremented whenever jobs name more of their inputs.
const SCHEMA: u32 = 3;

/// The files that a job has read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The files that determine the job's output.
    pub(crate) inputs: Vec<PathBuf>,
    /// The files that it wrote, or found already written.
    pub(crate) outputs: Vec<PathBuf>,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Format version, 3: receipts of another one do not count.
    pub schema: u32,
    /// The job.
    pub job: Job,
    /// The files that determine the job's output.
    pub inputs: Vec<FileStamp>,
    /// The files that it wrote, or found already written.
    pub outputs: Vec<FileStamp>,
    /// Why it made nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<JobFailure>,
}

/// Why a job failed. Every start of the experiment tries it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// The error, for people.
    pub reason: String,
    /// Whether the call was wrong, rather than the work: the call must change.
    #[serde(default)]
    pub wrong_call: bool,
    /// Whether it was left out on request.
    #[serde(default)]
    pub left_out: bool,
    /// Whether another node, or the same one a moment later, may succeed.
    #[serde(default)]
    pub may_pass: bool,
}

impl JobFailure {
    pub(crate) fn of(error: &BenchError) -> Self {
        Self {
            reason: error.to_string(),
            wrong_call: error.is_wrong_call(),
            left_out: matches!(error, BenchError::RawAbsent { skipped: true, .. }),
            may_pass: error.may_pass(),
        }
    }
}

/// A file and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// The file.
    pub path: PathBuf,
    /// Its state when it was recorded.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl FileStamp {
    /// Whether the file exists with the same content.
    pub fn holds(&self) -> bool {
        self.stamp.holds(&self.path)
    }
}

impl Receipt {
    /// Stamps the files of a job that is done, and writes the receipt. The last act of every job.
    pub(crate) fn done(plan: &Plan, job: &Job, done: &Done) -> Result<Self, BenchError> {
        let receipt = Self {
            schema: SCHEMA,
            job: job.clone(),
            inputs: stamps(&done.inputs)?,
            outputs: stamps(&done.outputs)?,
            failure: None,
        };
        write_json(path(plan, job), &receipt)?;
        Ok(receipt)
    }

    /// Records that a job failed. The report, which may show a cell that is empty now, is open again.
    pub fn failed(plan: &Plan, job: &Job, failure: JobFailure) -> Result<(), BenchError> {
        let receipt = Self {
            schema: SCHEMA,
            job: job.clone(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            failure: Some(failure),
        };
        for (_, report) in plan.stage(JobStage::Report) {
            Self::drop(plan, report)?;
        }
        Ok(write_json(path(plan, job), &receipt)?)
    }

    /// The receipt of a job, if it has one.
    pub fn read(plan: &Plan, job: &Job) -> Option<Self> {
        let receipt: Option<Self> = read_json(path(plan, job)).ok();
        receipt.filter(|receipt| receipt.schema == SCHEMA)
    }

    /// Deletes the receipt: the job is open again.
    pub fn drop(plan: &Plan, job: &Job) -> Result<(), BenchError> {
        Ok(remove_file(path(plan, job))?)
    }

    /// Whether every file is unchanged.
    pub fn holds(&self) -> bool {
        let mut files = self.inputs.iter().chain(&self.outputs);
        files.all(FileStamp::holds)
    }
}

fn stamps(paths: &[PathBuf]) -> Result<Vec<FileStamp>, BenchError> {
    let stamp = |path: &PathBuf| -> Result<FileStamp, BenchError> {
        let path = emobox_files::absolute(path)?;
        Ok(FileStamp {
            stamp: Stamp::of(&path)?,
            path,
        })
    };
    paths.iter().map(stamp).collect()
}

fn path(plan: &Plan, job: &Job) -> PathBuf {
    let folder: &Path = &plan.home;
    let name = format!("{}-{}.json", job.stage, job.key);
    folder.join("receipts").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallError;
    use crate::tiny::Tiny;
    use std::io::ErrorKind;

    #[test]
    fn a_receipt_holds_while_no_file_that_it_names_changes() {
        let tiny = Tiny::new(&["a"]);
        let plan = tiny.plan();
        let [job, other] = [&plan.jobs[0], &plan.jobs[1]];
        let [input, output] = ["input", "output"].map(|name| tiny.path(name));
        tiny.write("input", "as read");
        tiny.write("output", "as written");
        assert_eq!(Receipt::read(&plan, job), None);
        let done = Done {
            inputs: vec![input.clone()],
            outputs: vec![output.clone()],
        };
        let written = Receipt::done(&plan, job, &done).unwrap();
        let read = Receipt::read(&plan, job).unwrap();
        assert_eq!(read, written);
        assert_eq!((&read.job, &read.failure), (job, &None));
        assert_eq!(Receipt::read(&plan, other), None);
        assert!(read.holds());
        for (name, text) in [("input", "as read"), ("output", "as written")] {
            tiny.write(name, "something else");
            assert!(!read.holds());
            // The same bytes, written again.
            tiny.write(name, text);
            assert!(read.holds());
        }
        std::fs::remove_file(&output).unwrap();
        assert!(!read.holds());
        assert!(Receipt::done(&plan, job, &done).is_err());
        Receipt::drop(&plan, job).unwrap();
        assert_eq!(Receipt::read(&plan, job), None);
        Receipt::drop(&plan, job).unwrap();
    }

    #[test]
    fn a_failure_says_who_can_act_on_it() {
        let failure = |reason: BenchError| {
            let JobFailure {
                wrong_call,
                left_out,
                may_pass,
                ..
            } = JobFailure::of(&reason);
            (wrong_call, left_out, may_pass)
        };
        let absent = |skipped| BenchError::RawAbsent {
            corpus: "a".to_owned(),
            raw: PathBuf::from("gone"),
            skipped,
        };
        assert_eq!(failure(absent(false)), (true, false, true));
        assert_eq!(failure(absent(true)), (true, true, true));
        let call = BenchError::Call(CallError::value("epochs", "x", "a number"));
        assert_eq!(failure(call), (true, false, false));
        let file = |kind: ErrorKind| emobox_files::FileError::io("read", "gone", kind.into());
        let found = failure(file(ErrorKind::PermissionDenied).into());
        assert_eq!(found, (false, false, true));
        let found = failure(file(ErrorKind::UnexpectedEof).into());
        assert_eq!(found, (false, false, false));
        let reason = JobFailure::of(&absent(true)).reason;
        assert_eq!(reason, absent(true).to_string());
    }

    #[test]
    fn a_failed_job_has_a_receipt_with_the_reason_alone_and_the_report_has_none() {
        let tiny = Tiny::new(&["a"]);
        let plan = tiny.plan();
        let report = plan.jobs.last().unwrap();
        Receipt::done(&plan, report, &Done::default()).unwrap();
        let failure = JobFailure::of(&BenchError::Internal("for a test"));
        Receipt::failed(&plan, &plan.jobs[0], failure.clone()).unwrap();
        let read = Receipt::read(&plan, &plan.jobs[0]).unwrap();
        assert_eq!(read.failure, Some(failure.clone()));
        assert!(read.inputs.is_empty() && read.outputs.is_empty());
        assert_eq!(Receipt::read(&plan, report), None);
        Receipt::failed(&plan, report, failure).unwrap();
        assert!(Receipt::read(&plan, report).is_some());
    }
}
