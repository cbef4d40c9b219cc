//! `encoders`: the zoo, and what a local checkpoint holds.

use super::Session;
use crate::args::{EncodersAction, EncodersArgs};
use crate::exit::Ending;
use crate::output;
use emobox_app::SpeedRequest;
use emobox_bench::EncoderChoice;

pub(super) fn run(session: &Session<'_>, args: &EncodersArgs) -> anyhow::Result<Ending> {
    let show = |name: &String| EncodersAction::Show { name: name.clone() };
    let action = args.name.as_ref().map(show);
    match (action.as_ref().or(args.action.as_ref()), session.json) {
        (None, false) => output::result(&emobox_bench::encoders_table()),
        (None, true) => output::json(&emobox_bench::encoders())?,
        (Some(EncodersAction::Show { name }), false) => {
            output::result(&emobox_bench::encoder_card(name)?.to_string());
        }
        (Some(EncodersAction::Show { name }), true) => {
            output::json(&emobox_bench::encoder_card(name)?)?;
        }
        (Some(EncodersAction::Pull { name }), _) => {
            let folder = emobox_bench::pull_encoder(name, session.context)?;
            output::result(&folder.display().to_string());
        }
        (
            Some(EncodersAction::Bench {
                name,
                seconds,
                rounds,
                precision,
                device,
                timings,
            }),
            json,
        ) => {
            let (name, path) = super::name_and_path(name);
            let request = SpeedRequest {
                seconds: *seconds,
                rounds: *rounds,
                precision: precision.unwrap_or_else(|| emobox_bench::usual_precision(*device)),
                device: *device,
            };
            let choice = EncoderChoice { name, path };
            let speed = emobox_app::encoder_speed(&choice, &request, session.context)?;
            if speed.record(&session.home)? {
                let home = session.home.root().display();
                output::note(&format!(
                    "`bench --plan` with the home {home} uses this speed"
                ));
            }
            if json {
                output::json(&speed)?;
            } else {
                output::result(&speed.to_string());
                if *timings {
                    output::result(&speed.operations_table());
                }
            }
        }
        (Some(EncodersAction::Check { path }), json) => {
            let report = emobox_bench::check_encoder(path)?;
            if json {
                output::json(&report)?;
            } else {
                output::result(&report.to_string());
            }
            if let Some(why) = report.why {
                let path = path.display();
                anyhow::bail!("{path} does not open as an encoder: {why}");
            }
        }
    }
    Ok(Ending::Complete)
}
