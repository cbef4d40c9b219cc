//! Metrics, intervals, tests and tables from predictions.
