//! Searches for the driver and cuBLASLt. PyTorch's pip packages contain the library; the driver comes with the card.

use libloading::Library;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders of libraries, separated as in `PATH`; searched before anything else.
pub(crate) const FOLDERS: &str = "EMOBOX_CUDA_LIBS";

/// An opened library and its location.
pub(crate) struct Found {
    pub(crate) library: Library,
    pub(crate) place: String,
}

/// What was tried, in order, with the loader's messages.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<String>);

impl Tried {
    fn open(&mut self, path: &Path) -> Option<Found> {
        // SAFETY: a library of the vendor's under the vendor's name; its initialisers are those of every program that uses it.
        match unsafe { Library::new(path) } {
            Ok(library) => Some(Found {
                library,
                place: path.display().to_string(),
            }),
            Err(error) => {
                self.0.push(format!(
                    "{} ({})",
                    path.display(),
                    short(&said(&error), path)
                ));
                None
            }
        }
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        self.0.join(", ")
    }
}

/// The loader's message; the error itself only says that there was one.
fn said(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The loader's message without the path at its start.
fn short(error: &str, path: &Path) -> String {
    let path = format!("{}: ", path.display());
    match error.strip_prefix(&path).unwrap_or(error) {
        "cannot open shared object file: No such file or directory" => "not there".to_owned(),
        text => text.to_owned(),
    }
}

/// NVIDIA's driver.
pub(crate) fn driver() -> Result<Found, Tried> {
    let mut tried = Tried::default();
    let names: &[&str] = match cfg!(windows) {
        true => &["nvcuda.dll"],
        false => &["libcuda.so.1"],
    };
    let mut places: Vec<PathBuf> = Vec::new();
    for folder in named_folders() {
        places.extend(names.iter().map(|name| folder.join(name)));
    }
    places.extend(names.iter().map(PathBuf::from));
    // The location in the Windows Subsystem for Linux, which is not on the loader's path.
    places.extend(
        names
            .iter()
            .map(|name| Path::new("/usr/lib/wsl/lib").join(name)),
    );
    places
        .iter()
        .find_map(|place| tried.open(place))
        .ok_or(tried)
}

/// cuBLASLt of CUDA 13 or 12.
pub(crate) fn cublaslt() -> Result<Found, Tried> {
    let names: &[&str] = match cfg!(windows) {
        true => &["cublasLt64_13.dll", "cublasLt64_12.dll"],
        false => &["libcublasLt.so.13", "libcublasLt.so.12"],
    };
    let mut tried = Tried::default();
    let open = |folders: Vec<PathBuf>, tried: &mut Tried| {
        let mut unknown = Vec::new();
        for folder in folders {
            let there: Vec<PathBuf> = names
                .iter()
                .map(|name| folder.join(name))
                .filter(|path| path.exists())
                .collect();
            match there.iter().find_map(|path| tried.open(path)) {
                Some(found) => return Some(found),
                None if there.is_empty() => unknown.push(folder.display().to_string()),
                None => {}
            }
        }
        tried.0.extend(unknown);
        None
    };
    if let Some(found) = open(named_folders(), &mut tried) {
        return Ok(found);
    }
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(std::env::var_os);
    let folders = environments.flat_map(|root| of_environment(Path::new(&root)));
    if let Some(found) = open(folders.collect(), &mut tried) {
        return Ok(found);
    }
    let folders = python_path()
        .iter()
        .flat_map(|folder| of_packages(folder))
        .collect();
    if let Some(found) = open(folders, &mut tried) {
        return Ok(found);
    }
    let system = names.iter().map(PathBuf::from);
    if let Some(found) = system.clone().find_map(|name| tried.open(&name)) {
        return Ok(found);
    }
    let toolkit = std::env::var_os("CUDA_HOME")
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("/usr/local/cuda")]);
    open(toolkit.map(|root| root.join("lib64")).collect(), &mut tried).ok_or(tried)
}

fn named_folders() -> Vec<PathBuf> {
    std::env::var_os(FOLDERS).map_or_else(Vec::new, |list| {
        std::env::split_paths(&list)
            .filter(|p| !p.as_os_str().is_empty())
            .collect()
    })
}

/// The library folders of a virtual or conda environment.
fn of_environment(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("lib")];
    let pythons = std::fs::read_dir(root.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    let mut pythons: Vec<PathBuf> = pythons
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("site-packages"))
        .collect();
    pythons.sort();
    folders.extend(pythons.iter().flat_map(|packages| of_packages(packages)));
    folders
}

/// The folders where NVIDIA's pip packages put libraries, searched as PyTorch does; only existing ones.
fn of_packages(packages: &Path) -> Vec<PathBuf> {
    ["nvidia/cu13/lib", "nvidia/cublas/lib", "cublas/lib"]
        .map(|below| packages.join(below))
        .into_iter()
        .filter(|folder| folder.is_dir())
        .collect()
}

/// The module folders of the `python3` on the path.
fn python_path() -> Vec<PathBuf> {
    let python = if cfg!(windows) { "python" } else { "python3" };
    let run = Command::new(python)
        .args(["-c", "import sys; print('\\n'.join(sys.path))"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = run.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| !line.is_empty())
        .map(PathBuf::from)
        .collect()
}
