//! `corpora`: the list and the cards.

use super::Session;
use crate::args::{ListArgs, ShowAction};
use crate::exit::Ending;
use crate::output;

pub(super) fn run(session: &Session<'_>, args: &ListArgs) -> anyhow::Result<Ending> {
    let show = |name: &String| ShowAction::Show { name: name.clone() };
    let action = args.name.as_ref().map(show);
    match (action.as_ref().or(args.action.as_ref()), session.json) {
        (None, false) => output::result(&emobox_bench::corpora_table()),
        (None, true) => output::json(&emobox_bench::corpora())?,
        (Some(ShowAction::Show { name }), false) => {
            output::result(&emobox_bench::corpus_card(name)?.to_string());
        }
        (Some(ShowAction::Show { name }), true) => {
            output::json(emobox_bench::corpus_card(name)?)?;
        }
    }
    Ok(Ending::Complete)
}
