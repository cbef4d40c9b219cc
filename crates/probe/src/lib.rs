//! Probes on frozen features: heads, protocols, training, prediction.
