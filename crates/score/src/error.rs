/// Errors in predictions, score files and comparisons.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A line of a text file has the wrong contents.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// The file as the caller named it.
        file: String,
        /// Line number from 1.
        line: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// The file could not be read to its end.
    #[error("read {file}: {source}")]
    Read {
        /// The file as the caller named it.
        file: String,
        /// The system's own error.
        source: std::io::Error,
    },
    /// A label or a prediction is not one of the classes.
    #[error("{key}: {what} {class:?} is none of the classes: {}", known.join(", "))]
    UnknownClass {
        /// Key of the utterance.
        key: String,
        /// `label` or `prediction`.
        what: &'static str,
        /// The unknown class.
        class: String,
        /// The valid classes.
        known: Vec<String>,
    },
    /// A prediction that differs from a class only in spelling.
    #[error(
        "{key}: prediction {prediction:?} and class {class:?} differ only in case, space or leading zeros; write them in one way"
    )]
    Spelling {
        /// Key of the utterance.
        key: String,
        /// The prediction.
        prediction: String,
        /// The class that is most likely meant.
        class: String,
    },
    /// There are no predictions.
    #[error("{subject}: no predictions to score")]
    Empty {
        /// What was to be scored.
        subject: String,
    },
    /// Predictions and references are not of the same utterances.
    #[error("predictions do not match the expected keys one to one: {0}")]
    Mismatch(Box<crate::Mismatch>),
    /// An option or an input is out of range.
    #[error("{subject}: expected {expected}, got {got}")]
    Invalid {
        /// The option, key or table.
        subject: String,
        /// What is valid.
        expected: String,
        /// What was given.
        got: String,
    },
}

impl crate::Mismatch {
    /// `Ok` where everything matches.
    ///
    /// # Errors
    /// [`ScoreError::Mismatch`] with this value.
    pub fn into_result(self) -> Result<(), ScoreError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(ScoreError::Mismatch(Box::new(self)))
        }
    }
}
