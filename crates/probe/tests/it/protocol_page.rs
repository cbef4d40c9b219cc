//! `docs/protocol.md` is made from the code's constants. `EMOBOX_UPDATE=1` writes it instead of comparing.

use emobox_probe::{Origin, Protocol};
use std::path::Path;

#[test]
fn the_page_is_that_of_the_constants() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let page = Protocol::page();
    if std::env::var_os("EMOBOX_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == page,
        "{} differs from the constants: run this test with EMOBOX_UPDATE=1",
        path.display()
    );
}

#[test]
fn every_field_of_a_protocol_has_an_origin() {
    let protocol = Protocol::strict();
    let mut names: Vec<String> = Vec::new();
    let value = serde_json::to_value(&protocol).unwrap();
    for (name, value) in value.as_object().unwrap() {
        match value.as_object() {
            Some(fields) => names.extend(fields.keys().map(|field| format!("{name}.{field}"))),
            None => names.push(name.clone()),
        }
    }
    let constants = protocol.constants();
    let mut found: Vec<&str> = constants.iter().map(|c| c.name).collect();
    // A protocol of classes is written without its target.
    names.push("target".to_owned());
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names);
    assert!(constants.iter().all(|c| !c.reason.is_empty()));
}

#[test]
fn what_is_changed_is_ours() {
    let origin = |protocol: &Protocol, name: &str| {
        let constants = protocol.constants();
        constants.iter().find(|c| c.name == name).unwrap().origin
    };
    let paper = Protocol::paper();
    assert_eq!(origin(&paper, "epochs"), Origin::Paper);
    assert_eq!(origin(&paper, "clip_norm"), Origin::Recipe);
    assert_eq!(origin(&Protocol::strict(), "max_seconds"), Origin::Ours);
    let longer = Protocol {
        epochs: 7,
        ..paper.clone()
    };
    assert_eq!(origin(&longer, "epochs"), Origin::Ours);
    let linear = paper.with_head("mean-linear").unwrap();
    assert_eq!(origin(&linear, "head"), Origin::Ours);
}
