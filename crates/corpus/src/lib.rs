//! Raw corpora to manifests, partitions, audits and balanced sets.
