//! Pages generated from the registry. `EMOBOX_UPDATE=1` writes them instead of comparing.

use std::path::Path;

#[test]
fn the_page_of_cards_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/corpora.md");
    let page = emobox_corpus::cards_markdown();
    if std::env::var_os("EMOBOX_UPDATE").is_some() {
        emobox_files::write_atomic(&path, page.as_bytes()).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        file == page,
        "{} differs from the cards: run this test with EMOBOX_UPDATE=1",
        path.display()
    );
}
