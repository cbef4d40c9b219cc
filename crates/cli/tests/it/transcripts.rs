//! Help texts, lists and cards as users see them.

use crate::program::Program;

#[test]
fn help_names_every_command_and_exit_code() {
    let program = Program::new();
    insta::assert_snapshot!("help", program.succeed(&["--help"]).stdout);
    insta::assert_snapshot!("bench_help", program.succeed(&["bench", "--help"]).stdout);
}

#[test]
fn a_card_tells_what_a_corpus_is() {
    let program = Program::new();
    insta::assert_snapshot!(
        "card",
        program.succeed(&["corpora", "show", "emodb"]).stdout
    );
}

#[test]
fn lists_are_json_on_request() {
    let program = Program::new();
    for call in [["corpora", "--json"], ["encoders", "--json"]] {
        let list: serde_json::Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
        assert!(!list.as_array().unwrap().is_empty());
    }
}

#[test]
fn completions_are_scripts() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = program.succeed(&["completions", shell]).stdout;
        assert!(
            script.contains("emobox") && script.contains("predict"),
            "{shell}"
        );
    }
}
