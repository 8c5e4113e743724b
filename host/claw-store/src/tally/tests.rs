#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::audit::{Intent, Outcome};
use claw_core::budget::{Payers, Period, Window};
use claw_core::model::Usage;

use super::*;
use crate::Journal;
use crate::testing::{Home, answer, call, intent};

async fn spend(journal: &Journal, nanousd: u64) {
    let intent = Intent {
        model_use: Some("general".into()),
        ..intent("billing")
    };
    let outcome = Outcome {
        usage: Some(Usage {
            cost_nanousd: Some(nanousd),
            ..Usage::default()
        }),
        ..answer("")
    };
    call(journal, intent, outcome).await;
}

fn spent(tally: &Tally) -> u64 {
    let window = Window::of(Period::Total, 0);
    tally.spending().of(&Payers::default(), Period::Total, &window).nanousd
}

#[tokio::test]
async fn a_tally_goes_on_from_where_it_was_written() {
    let home = Home::new();
    let file = home.file("spending.json");
    let journal = home.open();
    spend(&journal, 5).await;
    let mut tally = Tally::read(&file, &home.reader()).unwrap();
    assert_eq!((spent(&tally), tally.seq()), (5, 2));
    tally.save().unwrap();
    spend(&journal, 6).await;
    // The rows before are not read again: were they, their sum would show.
    home.tamper("UPDATE journal SET body = replace(body, ':5,', ':500,') WHERE seq = 2");
    let mut again = Tally::read(&file, &home.reader()).unwrap();
    assert_eq!((spent(&again), again.seq()), (11, 4));
    spend(&journal, 7).await;
    again.advance(&home.reader()).unwrap();
    again.advance(&home.reader()).unwrap();
    assert_eq!((spent(&again), again.seq()), (18, 6));
}

#[tokio::test]
async fn a_tally_that_does_not_fit_is_thrown_away() {
    let home = Home::new();
    let file = home.file("spending.json");
    let journal = home.open();
    spend(&journal, 5).await;
    let mut tally = Tally::read(&file, &home.reader()).unwrap();
    tally.save().unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    let later = good.replace("\"format\":1", "\"format\":2").replace(":5,", ":9,");
    let ahead = good.replace("\"seq\":2", "\"seq\":99");
    let other = good.replace("\"hash\":\"", "\"hash\":\"00");
    for text in ["", "[]", "{\"format\":1}", &good[..good.len() / 2], &later, &ahead, &other] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(spent(&Tally::read(&file, &home.reader()).unwrap()), 5, "{text}");
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let mut tally = Tally::read(&file, &home.reader()).unwrap();
    assert_eq!(spent(&tally), 5);
    assert!(tally.save().is_err());
}
