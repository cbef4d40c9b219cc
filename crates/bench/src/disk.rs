//! Disk use of a home, disk use of a plan, and what can be deleted.

use crate::job_stage::JobStage;
use crate::lists::align;
use crate::lists::gigabytes;
use crate::plan::Plan;
use crate::{BenchError, Home};
use emobox_features::Store;
use emobox_files::{FileError, read_json};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Bytes of features that a plan makes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiskForecast {
    /// By corpus and encoder.
    pub cells: Vec<(String, String, f64)>,
    /// The most bytes that are on disk at once.
    pub at_once: f64,
}

impl DiskForecast {
    /// From the sizes that the plan was estimated with.
    pub fn of(plan: &Plan) -> Self {
        Self::of_jobs(plan, |_| true)
    }

    /// For some of the extraction jobs.
    pub(crate) fn of_jobs(plan: &Plan, wanted: impl Fn(usize) -> bool) -> Self {
        let mut cells: BTreeMap<(String, String), f64> = BTreeMap::new();
        let perturbed = plan.stage(JobStage::Perturb);
        let extracted = plan.stage(JobStage::Extract).chain(perturbed);
        for (_, job) in extracted.filter(|(at, _)| wanted(*at)) {
            if let (Some(corpus), Some(encoder)) = (job.work.corpus(), job.work.encoder()) {
                *cells
                    .entry((corpus.to_owned(), encoder.to_owned()))
                    .or_default() += job.bytes;
            }
        }
        let all: f64 = cells.values().sum();
        let largest = cells.values().copied().fold(0.0, f64::max);
        Self {
            at_once: match plan.experiment.discards_cell_by_cell() {
                true => largest,
                false => all,
            },
            cells: cells.into_iter().map(|((c, e), b)| (c, e, b)).collect(),
        }
    }

    /// Bytes of all cells.
    pub fn all(&self) -> f64 {
        self.cells.iter().map(|(_, _, bytes)| bytes).sum()
    }
}

/// Free bytes on the disk where `path` is or will be.
pub(crate) fn free_space(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    fs4::available_space(there).ok()
}

/// The contents of a home.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// Bytes below each folder of the home, and for `features` also of each corpus and encoder: `features`,
    /// `features/emodb/wavlm-base`.
    pub folders: Vec<(String, u64)>,
    /// Bytes of everything.
    pub all: u64,
    /// Bytes that are free on that disk.
    pub free: Option<u64>,
}

impl Usage {
    /// The table for people.
    pub fn text(&self) -> String {
        let mut rows = vec![["folder".to_owned(), "GB".to_owned()]];
        for (name, bytes) in &self.folders {
            rows.push([name.clone(), gigabytes(*bytes as f64)]);
        }
        rows.push(["all".to_owned(), gigabytes(self.all as f64)]);
        if let Some(free) = self.free {
            rows.push(["free on the disk".to_owned(), gigabytes(free as f64)]);
        }
        align(&rows, 1)
    }
}

/// Adds up the disk use of a home.
pub fn disk_usage(home: &Home) -> Usage {
    let mut folders: BTreeMap<String, u64> = BTreeMap::new();
    let mut all = 0;
    for entry in WalkDir::new(home.root()).into_iter().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        all += metadata.len();
        let Ok(path) = entry.path().strip_prefix(home.root()) else {
            continue;
        };
        let parts: Vec<String> = path
            .parent()
            .into_iter()
            .flat_map(Path::components)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let Some(top) = parts.first() else { continue };
        *folders.entry(top.clone()).or_default() += metadata.len();
        let cut = matches!(top.as_str(), "features" | "runs").then_some(3);
        if let Some(cell) = cut.and_then(|n| parts.get(..n)) {
            *folders.entry(cell.join("/")).or_default() += metadata.len();
        }
    }
    Usage {
        folders: folders.into_iter().collect(),
        all,
        free: free_space(home.root()),
    }
}

/// Something that can be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removable {
    /// The file or folder.
    pub path: PathBuf,
    /// Why nothing is lost.
    pub why: &'static str,
    /// Bytes.
    pub bytes: u64,
}

/// The table of what would be deleted.
pub fn removable_text(items: &[Removable]) -> String {
    let mut rows = vec![["GB", "what", "why nothing is lost"].map(str::to_owned)];
    for item in items {
        rows.push([
            gigabytes(item.bytes as f64),
            item.path.display().to_string(),
            item.why.to_owned(),
        ]);
    }
    let all: u64 = items.iter().map(|item| item.bytes).sum();
    rows.push([gigabytes(all as f64), "all".to_owned(), String::new()]);
    align(&rows, 3)
}

/// What can be deleted from a home: features whose folds are all trained, stores in older formats, partial files of killed
/// runs. Manifests, probes, predictions and scores stay.
pub fn removable(home: &Home) -> Result<Vec<Removable>, BenchError> {
    let mut items = Vec::new();
    for store in folders_below(&home.root().join("features"), 2)? {
        let frames = store.join("frames");
        if !frames.exists() {
            continue;
        }
        let why = match Store::read_header(&store) {
            Err(_) => "no store can be read there",
            Ok(_) if !store.join("audio").exists() => {
                "a store of an older format, which is not read any more"
            }
            Ok(header) => {
                let identity = crate::train::features_identity(&header);
                let runs = home.runs(&header.corpus, &header.encoder);
                match &header.perturbation {
                    Some(perturbation) if is_perturbed(&runs, perturbation)? => {
                        "its perturbed scores are there; it can be made again"
                    }
                    None if is_trained(&runs, &identity)? => {
                        "its folds are trained; it can be made again"
                    }
                    _ => continue,
                }
            }
        };
        for folder in [frames, store.join("pooled")] {
            if folder.exists() {
                items.push(Removable {
                    bytes: bytes_below(&folder),
                    path: folder,
                    why,
                });
            }
        }
    }
    for entry in WalkDir::new(home.root()).into_iter().flatten() {
        let name = entry.file_name().to_string_lossy();
        let finished =
            name == "state.safetensors" && entry.path().with_file_name("outcome.json").exists();
        let why = match () {
            () if emobox_files::is_temporary(&name) => {
                "left by a run that was killed while it wrote"
            }
            () if finished => "the state of a training that is finished",
            () => continue,
        };
        items.push(Removable {
            bytes: entry.metadata().map_or(0, |metadata| metadata.len()),
            path: entry.into_path(),
            why,
        });
    }
    Ok(items)
}

/// Deletes what [`removable`] has listed.
pub fn remove(items: &[Removable]) -> Result<(), BenchError> {
    for item in items {
        let removed = if item.path.is_dir() {
            std::fs::remove_dir_all(&item.path)
        } else {
            std::fs::remove_file(&item.path)
        };
        removed.map_err(|e| FileError::io("remove", &item.path, e))?;
    }
    Ok(())
}

/// Whether some training on these features has all of its folds, and none is unfinished.
fn is_trained(runs: &Path, identity: &serde_json::Value) -> Result<bool, BenchError> {
    let mut trained = false;
    for folder in folders_below(runs, 1)? {
        let job: Option<serde_json::Value> = read_json(folder.join("job.json")).ok();
        if job.is_none_or(|job| job["features"] != *identity) {
            continue;
        }
        let folds = folders_below(&folder, 1)?;
        let finished = |fold: &PathBuf| fold.join("outcome.json").exists();
        let all = !folds.is_empty() && folds.iter().all(finished);
        // The record of the cell is written when every fold is trained.
        let scored = std::fs::read_dir(&folder).is_ok_and(|mut entries| {
            entries.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().starts_with("cell-")))
        });
        if !all || !scored {
            return Ok(false);
        }
        trained = true;
    }
    Ok(trained)
}

/// Whether some probes have been tested under a perturbation.
fn is_perturbed(runs: &Path, identity: &str) -> Result<bool, BenchError> {
    for folder in folders_below(runs, 1)? {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut records = entries.filter_map(|entry| {
            let record: serde_json::Value = read_json(entry.path()).ok()?;
            Some(record["identity"] == identity)
        });
        if records.any(|same| same) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn folders_below(root: &Path, depth: usize) -> Result<Vec<PathBuf>, BenchError> {
    if !root.exists() {
        return Ok(Vec::new());
    }
    let walk = WalkDir::new(root)
        .min_depth(depth)
        .max_depth(depth)
        .sort_by_file_name();
    let mut folders = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|e| FileError::io("list", root, e.into()))?;
        if entry.file_type().is_dir() {
            folders.push(entry.into_path());
        }
    }
    Ok(folders)
}

fn bytes_below(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten();
    files
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
