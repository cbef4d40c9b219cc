use super::opened::{Card, Opened, cublaslt_version, open_cublaslt};

/// What this machine has for `--device cuda`, one line each; for missing parts, where they were searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The driver and the newest CUDA version that it supports.
    pub driver: Result<String, String>,
    /// Each card: name, memory, compute capability.
    pub cards: Vec<String>,
    /// cuBLASLt, its version and location.
    pub cublaslt: Result<String, String>,
}

impl Report {
    /// Whether `--device cuda` would find what it needs.
    pub fn usable(&self) -> bool {
        self.driver.is_ok() && !self.cards.is_empty() && self.cublaslt.is_ok()
    }
}

/// Searches for driver, cards and libraries without using a card.
pub fn inspect() -> Report {
    let (driver, cards) = match Opened::new() {
        Err(error) => (Err(error.to_string()), Vec::new()),
        Ok(opened) => match (opened.version(), opened.cards()) {
            (Ok(version), Ok(cards)) => {
                let line = |(index, card): (usize, &Card)| {
                    let (major, minor) = card.capability;
                    format!(
                        "cuda:{index}: {}, {} MiB, compute capability {major}.{minor}",
                        card.name,
                        card.total >> 20
                    )
                };
                let driver = format!("serves CUDA {version} ({})", opened.place);
                (Ok(driver), cards.iter().enumerate().map(line).collect())
            }
            (Err(error), _) | (_, Err(error)) => (
                Err(format!("the NVIDIA driver {}: {error}", opened.place)),
                Vec::new(),
            ),
        },
    };
    let cublaslt = open_cublaslt()
        .map_err(|error| error.to_string())
        .map(|(lt, place)| {
            // SAFETY: takes nothing.
            let version = unsafe { (lt.cublasLtGetVersion)() };
            format!("{} ({place})", cublaslt_version(version))
        });
    Report {
        driver,
        cards,
        cublaslt,
    }
}
