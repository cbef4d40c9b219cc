//! CPU arithmetic for inference and probe training, and the only room with unsafe code.
