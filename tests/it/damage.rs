//! Damage: a table whose log has lost something is named with what to do, the others stay readable, and what
//! jobs make is made again.

use lake::run::Request;

use crate::faults::{FIRST, SECOND, copy_of, shown};
use crate::support::{Fresh, HEADER, said};

const THIRD: &str = "536399,71053,LANTERN,1,12/3/2010 8:26,3.39,17851,France\n";

/// A lake that has taken these deliveries in, a run each.
async fn published(deliveries: &[&str]) -> Fresh {
    let fresh = Fresh::new();
    for (number, lines) in deliveries.iter().enumerate() {
        fresh.land(&format!("{number}.csv"), format!("{HEADER}{lines}"));
        fresh.run().await.unwrap();
    }
    fresh
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_table_is_named_and_made_again_once_it_is_out_of_the_way() {
    let sound = published(&[FIRST, SECOND, THIRD]).await;
    let before = shown(&sound).await;
    for (commit, text, what) in [
        (0, None, "commit 0 is missing"),
        (1, None, "commit 1 is missing"),
        (2, Some("garbage\n"), "commit 2 cannot be read"),
    ] {
        let fresh = copy_of(&sound);
        let path = fresh.path().join(format!("lakehouse/gold/rfm/_delta_log/{commit:020}.json"));
        match text {
            Some(text) => std::fs::write(path, text).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let message = format!("`gold.rfm` cannot be opened: {what}");
        let lake = fresh.lake(2).unwrap();
        let damaged = lake.status().await.unwrap().damaged;
        let told: Vec<_> =
            damaged.iter().map(|(name, e)| (name.to_string(), e.message().to_string())).collect();
        assert_eq!(told, [("gold.rfm".to_string(), message.clone())]);
        let days = lake.ask("select count(*) from gold.daily_sales", None).await.unwrap();
        days.collect().await.unwrap();
        assert_eq!(lake.ask("select * from gold.rfm", None).await.unwrap_err().message(), message);
        assert_eq!(lake.test(None).await.unwrap_err().message(), message);
        assert_eq!(lake.run(&Request::default()).await.unwrap_err().message(), message);
        let (_, err) = said(&fresh.command(&["status"]));
        assert!(err.contains(&message) && !err.contains("panicked"), "{err}");
        std::fs::remove_dir_all(fresh.path().join("lakehouse/gold/rfm")).unwrap();
        assert!(fresh.run().await.unwrap().judgement.published, "{what}");
        assert!(shown(&fresh).await == before, "{what}");
    }
}

/// What is made again may get the number of the version that is published.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_again_under_its_old_number_is_judged_and_what_is_made_from_it_follows() {
    let fresh = published(&[FIRST]).await;
    let after = shown(&published(&[FIRST, SECOND]).await).await;
    std::fs::remove_dir_all(fresh.path().join("lakehouse/gold/rfm")).unwrap();
    let summary = fresh.run().await.unwrap();
    assert!(summary.judgement.published);
    assert!(summary.judgement.verdicts.iter().any(|verdict| verdict.table == "gold.rfm"));
    for table in ["gold/rfm", "silver/transactions_rejected"] {
        std::fs::remove_dir_all(fresh.path().join("lakehouse").join(table)).unwrap();
    }
    fresh.land("1.csv", format!("{HEADER}{SECOND}"));
    assert!(fresh.run().await.unwrap().judgement.published);
    assert!(shown(&fresh).await == after);
    for compared in fresh.lake(2).unwrap().verify(None).await.unwrap() {
        assert_eq!(compared.differences, 0, "{}", compared.table);
    }
    assert!(!fresh.run().await.unwrap().judgement.published);
}
