//! Names of segments: the job that names them on rows made by hand in the place of what an estimator learned.

use std::fmt::Write;

use crate::support::{Fresh, HEADER};

/// The features in which the segments differ.
const FEATURES: [&str; 3] = ["orders", "recency_days", "tenure_days"];

/// A segment by number, whether it was there before, and its differences in the features.
type Segment = (i64, bool, [f64; 3]);

/// The view that the estimator fills, as a plain view: customers are in the segment of the tens of their number.
fn clusters(segments: &[Segment]) -> String {
    let mut rows = String::new();
    for (id, is_matched, differences) in segments {
        write!(rows, ",\n    ('segment', {id}, {is_matched}, null, null)").unwrap();
        for (feature, difference) in FEATURES.iter().zip(differences) {
            write!(rows, ",\n    ('difference', {id}, null, '{feature}', {difference:?})").unwrap();
        }
    }
    format!(
        "-- Segments made by hand.\n--\n-- writes: nothing\n\
         select\n    'customer' as part,\n    customer_id,\n    customer_id / 10 as segment_id,\n    \
         1.0 as distance,\n    0.5 as silhouette,\n    false as is_outlier,\n    0.5 as outlier_score,\n    \
         0.0 as pc1,\n    0.0 as pc2,\n    cast(null as boolean) as is_matched,\n    \
         cast(null as bigint) as customers,\n    cast(null as text) as feature,\n    \
         cast(null as double) as difference\n\
         from gold.customer_features\n\
         union all\n\
         select\n    part, null, cast(segment_id as bigint), null, null, null, null, null, null,\n    \
         cast(is_matched as boolean), null, cast(feature as text), cast(difference as double)\n\
         from (values{}\n) as made (part, segment_id, is_matched, feature, difference)\n",
        rows.trim_start_matches(',')
    )
}

/// Runs with these segments and gives their names, by number.
async fn names(fresh: &Fresh, segments: &[Segment]) -> Vec<String> {
    fresh.write("sql/gold/customer_clusters.sql", clusters(segments));
    fresh.run().await.unwrap();
    let query = "select distinct concat(cast(segment_id as text), ' ', segment_name) as name \
                 from gold.customer_segments order by name";
    let table = fresh.table(query).await;
    let cells = table.lines().skip(3).filter_map(|line| line.strip_prefix("| "));
    cells.map(|cell| cell.trim_end_matches([' ', '|']).to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_takes_the_first_name_that_fits_and_keeps_it() {
    let fresh = Fresh::new();
    // The differences made by hand are not those of the customers.
    std::fs::remove_file(fresh.path().join("sql/audit/means_of_segment_differences.sql")).unwrap();
    let bought = |id: i64| format!("{id},85123A,X,1,1/{}/2011 9:00,5.00,{id},France\n", 1 + id % 28);
    fresh.land("1.csv", HEADER.to_string() + &(10..60).map(bought).collect::<String>());
    fresh.write(
        "gold/segment_names.csv",
        "priority,segment_name,feature,at_least,at_most\n\
         10,Best,orders,1.0,\n\
         10,Best,recency_days,,-0.5\n\
         20,Gone,recency_days,0.5,\n\
         20,Early,tenure_days,0.5,1.5\n\
         30,Others,,,\n",
    );
    // Limits are met exactly; 2 has one of two conditions; of two rules of one priority, the first by name; 5 is
    // beyond an upper limit.
    let segments = [
        (1, false, [1.0, -0.5, 0.0]),
        (2, false, [2.0, 0.0, 0.0]),
        (3, false, [0.0, 0.5, 1.5]),
        (4, false, [1.0, -1.0, 0.0]),
        (5, false, [0.0, 0.0, 1.6]),
    ];
    assert_eq!(names(&fresh, &segments).await, ["1 Best", "2 Others", "3 Early", "4 Best 2", "5 Others 2"]);

    // 2 and 4 were there before: they keep their names, whatever they are like; numbers go on behind them.
    let segments = [
        (1, false, [1.0, -0.5, 0.0]),
        (2, true, [1.0, -0.5, 0.0]),
        (3, false, [0.0, 0.0, 1.0]),
        (4, true, [0.0, 0.5, 0.0]),
        (5, false, [0.0, 0.5, 0.0]),
    ];
    assert_eq!(names(&fresh, &segments).await, ["1 Best 3", "2 Others", "3 Early 2", "4 Best 2", "5 Gone"]);

    // A name that the mapping knows no more is not kept; without a rule that holds there is none.
    fresh.edit("gold/segment_names.csv", "30,Others,,,\n", "30,Best Of All,orders,5.0,\n");
    let segments = [
        (1, true, [0.0; 3]),
        (2, true, [5.0, 0.0, 0.0]),
        (3, true, [0.0; 3]),
        (4, true, [0.0; 3]),
        (5, false, [0.0; 3]),
    ];
    let found = names(&fresh, &segments).await;
    assert_eq!(found, ["1 Best 3", "2 Best Of All", "3 Early 2", "4 Best 2", "5 Unnamed"]);

    let moves = "select sum(customers) as customers, count(*) as moves from gold.segment_migrations \
                 where from_segment_id = to_segment_id";
    let moved = fresh.table(moves).await;
    assert!(moved.contains("| 50        | 5     |"), "{moved}");
}
