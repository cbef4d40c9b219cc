//! Versioned, memory-mapped stores of hidden states.
