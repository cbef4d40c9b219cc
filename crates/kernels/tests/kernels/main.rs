//! Every kernel on every path of the machine against double precision.

mod attention;
mod elementwise;
mod functions;
mod gate;
mod invariance;
mod paths;
mod products;
mod support;
