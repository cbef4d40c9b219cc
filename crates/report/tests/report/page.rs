//! The page and the terminal table from data as the bench makes them.

use crate::common;

use emobox_report::{Section, figures, html, terminal_table};

#[test]
fn the_terminal_table_says_what_each_column_is() {
    let text = terminal_table(&common::report());
    let heading = text
        .lines()
        .find(|line| line.starts_with("corpus"))
        .unwrap();
    for part in [
        "UA %",
        "WA %",
        "macro F1 %",
        "test-selected, not a result",
        "audit",
    ] {
        assert!(heading.contains(part), "{heading}");
    }
    let row = text.lines().find(|line| line.starts_with("emodb")).unwrap();
    assert!(
        row.contains(" [") && row.contains("speakers on both sides"),
        "{row}"
    );
    assert!(text.contains("95 % intervals"));
}

#[test]
fn what_noise_costs_is_told_in_the_terminal_and_on_the_page() {
    let data = common::report();
    let text = terminal_table(&data);
    let row = text
        .lines()
        .find(|line| line.contains("noise:10dB"))
        .unwrap();
    let ua = data.scores.perturbed[0].comparison.ua;
    for number in [ua.b, ua.a] {
        assert!(row.contains(&format!("{:.2}", 100.0 * number)), "{row}");
    }
    assert!(
        text.contains("noise:10dB: pink noise 10 dB below"),
        "{text}"
    );
    let page = html(&data);
    assert!(page.contains("In noise, in rooms, through codecs"));
    assert!(page.contains(">telephone<"));
}

#[test]
fn the_page_reaches_for_nothing_outside_itself() {
    let page = html(&common::report());
    for link in [
        "src=",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
        "<iframe",
        "<object",
    ] {
        assert!(!page.contains(link), "{link}");
    }
    let hrefs: Vec<&str> = page.split("href=\"").skip(1).collect();
    assert!(
        hrefs
            .iter()
            .all(|rest| rest.starts_with('#') || rest.starts_with("data:"))
    );
    // The SVG namespace is a name, not an address that is fetched.
    let bare = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!bare.contains("http:") && !bare.contains("https:"));
}

#[test]
fn nothing_a_user_names_becomes_markup() {
    let mut data = common::report();
    let bad = "<img src=x onerror=alert(1)>\"'&";
    data.title = bad.to_owned();
    data.notes.push(bad.to_owned());
    for run in &mut data.scores.runs {
        run.corpus = bad.to_owned();
        run.encoder = bad.to_owned();
        run.audit = Some(bad.to_owned());
        run.classes[0] = bad.to_owned();
    }
    data.training[0].points[0].name = bad.to_owned();
    data.audits[0].findings.push(bad.to_owned());
    data.protocol[0].value = bad.to_owned();
    let page = html(&data);
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
}

#[test]
fn every_figure_has_a_name_a_text_and_its_numbers() {
    let data = common::report();
    let figures = figures(&data);
    assert_eq!(figures.len(), 21);
    let page = html(&data);
    for figure in &figures {
        assert!(!figure.title.is_empty() && !figure.description.is_empty());
        assert!(!figure.table.rows.is_empty());
        assert!(
            figure
                .table
                .rows
                .iter()
                .all(|row| row.len() == figure.table.columns.len())
        );
        // Maps are drawn by the page's script.
        let drawn = usize::from(figure.section != Section::Map);
        assert_eq!(
            page.matches(&format!("id=\"{}\"", figure.id)).count(),
            drawn
        );
        assert!(figure.svg_file().starts_with("<?xml"));
    }
}

#[test]
fn an_empty_report_is_still_a_page() {
    let mut data = common::report();
    data.scores.runs.clear();
    data.training.clear();
    assert!(html(&data).ends_with("</html>\n"));
    assert!(terminal_table(&data).contains("corpus"));
}
