//! The published toolkit's two lists, scored as by its own script.

use crate::program::Program;

#[test]
fn the_published_tools_two_lists_are_scored_and_their_mismatches_named() {
    let program = Program::new();
    let labels = "[{\"key\":\"a\",\"label\":\"x\"},{\"key\":\"b\",\"label\":\"y\"}]";
    program.write("labels.json", labels.as_bytes());
    program.write(
        "right.json",
        b"[{\"key\":\"b\",\"pred\":\"y\"},{\"key\":\"a\",\"pred\":\"x\"}]",
    );
    let call = ["evaluate", "right.json", "--labels", "labels.json"];
    assert!(program.succeed(&call).stdout.contains("100.00"));
    program.write(
        "wrong.json",
        b"[{\"key\":\"a\",\"pred\":\"x\"},{\"key\":\"a\",\"pred\":\"x\"},{\"key\":\"c\",\"pred\":\"x\"}]",
    );
    program
        .run(&["evaluate", "wrong.json", "--labels", "labels.json"])
        .fails_with(1, &["missing: b", "extra: c", "doubled: a"]);
}
