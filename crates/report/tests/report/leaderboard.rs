//! The leaderboard of verified submissions.

use crate::common::verified;
use emobox_report::leaderboard;

#[test]
fn systems_stand_side_by_side_with_the_better_one_marked() {
    let submissions = [verified("poor", 0.4), verified("good <i>", 0.9)];
    let page = leaderboard("Leaderboard", &submissions);
    assert!(page.contains("2 verified submissions"));
    assert!(page.contains("good &lt;i&gt;") && !page.contains("<i>") && !page.contains("<b>on"));
    assert!(page.contains("clean: no speaker on both sides"));
    let marked = page.split("top1").count() - 1;
    assert!(marked >= 1);
    assert!(page.contains(submissions[0].digest()));
    assert_eq!(page.matches("<td>consistent</td>").count(), 2);
    assert!(leaderboard("Leaderboard", &[]).contains("No verified submissions yet."));
}
