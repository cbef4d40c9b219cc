//! `listen`: a page that hears clips.

use super::{Session, predict};
use crate::args::ListenArgs;
use crate::exit::Ending;
use crate::output;
use emobox_app::ListenPage;
use emobox_bench::{MODEL_CARD, Predictor};
use std::path::Path;

pub(super) fn run(session: &Session<'_>, args: &ListenArgs) -> anyhow::Result<Ending> {
    let encoder = args.encoder.as_deref();
    let (predictor, name, card) = match &args.model {
        Some(words) => {
            let folder = predict::probe(session, words);
            let predictor = Predictor::open(&folder, encoder, args.device)?;
            // Without a card the page says that there is none.
            let card = std::fs::read_to_string(folder.join(MODEL_CARD)).ok();
            (predictor, words.display().to_string(), card)
        }
        None => {
            let encoder = encoder.unwrap_or(Path::new(""));
            let choice = predict::with_head(encoder);
            let predictor = Predictor::with_its_head(&choice, args.device)?;
            (predictor, choice.name, None)
        }
    };
    let hop = args.hop.unwrap_or((args.window / 4.0).max(0.05));
    let page = ListenPage::new(predictor, &name, card.as_deref(), args.window, hop)?;
    let (listener, address) = ListenPage::bind(args.port)?;
    if session.json {
        output::json(&serde_json::json!({"address": address}))?;
    } else {
        output::result(&address);
    }
    output::note("open it in a browser on this machine; Ctrl-C ends it");
    page.serve(&listener, session.context)?;
    Ok(Ending::Complete)
}
