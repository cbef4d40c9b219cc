//! Experiment to plan to jobs to results.
