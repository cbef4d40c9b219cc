//! `completions`: a script that knows options and the registered names.

use crate::args::Cli;
use crate::output;
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Prints the script of a shell.
pub(super) fn print(shell: Shell) {
    let mut script = Vec::new();
    let mut command = with_names(Cli::command(), None);
    clap_complete::generate(shell, &mut command, "emobox", &mut script);
    output::result(&String::from_utf8_lossy(&script));
}

/// The command with the names of the registry as the values of whatever takes one. For the script alone: calls also take
/// `NAME=DIR`, names of own corpora, and those of the hub.
fn with_names(command: Command, parent: Option<&str>) -> Command {
    let name = command.get_name().to_owned();
    let corpora = || emobox_bench::corpora().into_iter().map(|card| card.name);
    let encoders = || emobox_bench::encoders().into_iter().map(|row| row.name);
    let command = command.mut_args(|argument| match (argument.get_id().as_str(), &*name) {
        ("corpora" | "corpus", _) => argument.value_parser(PossibleValuesParser::new(corpora())),
        ("encoders" | "encoder", _) => argument.value_parser(PossibleValuesParser::new(encoders())),
        ("name", "prepare" | "split" | "export" | "download") => {
            argument.value_parser(PossibleValuesParser::new(corpora()))
        }
        ("name", "show") if parent == Some("corpora") => {
            argument.value_parser(PossibleValuesParser::new(corpora()))
        }
        ("name", _) if parent == Some("encoders") => {
            argument.value_parser(PossibleValuesParser::new(encoders()))
        }
        _ => argument,
    });
    command.mut_subcommands(|inner| with_names(inner, Some(&name)))
}
