//! Every kernel on the host backend against double precision, at the tolerances of the design, and faults that must be detected.

mod attention;
mod conformers;
mod convolutions;
mod faults;
mod made;
mod plain;
mod probe;
