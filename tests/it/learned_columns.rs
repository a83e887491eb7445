//! What is learned lands in the columns that promise it: the jobs that write it, on rows made by hand in the
//! place of what an estimator learned. No number but 0 is twice in a row.

use crate::support::{Fresh, HEADER};

/// A view that an estimator fills, as a plain view of these rows.
fn made(rows: &str, condition: &str) -> String {
    format!(
        "-- Rows made by hand.\n--\n-- writes: nothing\n\
         select * from (\n{rows}) as made\nwhere {condition}\n"
    )
}

/// The rows of an answer, cells parted by blanks.
async fn rows(fresh: &Fresh, query: &str) -> Vec<String> {
    let table = fresh.table(query).await;
    let lines = table.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let cell = |cell: &str| match cell.trim() {
        "" => "NULL".to_string(),
        cell => cell.to_string(),
    };
    lines.map(|line| line.trim_end_matches('|').split('|').map(cell).collect::<Vec<_>>().join(" ")).collect()
}

/// 11 bought twice and 13 three times; 15 gave all back.
const PURCHASES: &str = "1,85123A,X,1,1/1/2011 9:00,10.00,11,France\n\
                         2,85123A,X,1,1/7/2011 9:00,30.00,11,France\n\
                         3,85123A,X,1,1/10/2011 9:00,6.00,12,France\n\
                         4,85123A,X,1,1/3/2011 9:00,8.00,13,France\n\
                         5,85123A,X,1,1/4/2011 9:00,8.00,13,France\n\
                         6,85123A,X,1,1/8/2011 9:00,8.00,13,France\n\
                         7,85123A,X,1,1/2/2011 9:00,9.00,14,France\n\
                         8,85123A,X,1,1/8/2011 9:00,4.00,15,France\n\
                         C9,85123A,X,-1,1/9/2011 9:00,4.00,15,France\n\
                         10,85123A,X,1,1/7/2011 9:00,10.00,16,France\n";

/// Of 15 nothing is learned. 12 and 13 are worth the same. Nobody is in the bucket `2`.
const CUSTOMERS: &str = "\
select 'customer' as part, *
from (values
    (11, 'bg_nbd', 1, 6, 10, 31.5, 0.91, 1.25, 2.5, 5.75, 33.25, 120.5, 10.25, 300.75),
    (12, 'pareto_nbd', 0, 0, 1, 0.0, 0.52, 0.125, 0.25, 0.5, 7.125, 60.0, 0.75, 99.0),
    (13, 'nbd', 2, 5, 8, 8.25, null, 1.5, 3.0, 4.5, 8.5, 60.0, 1.75, 188.5),
    (14, 'poisson', 0, 0, 9, 0.0, null, 0.375, 0.625, 0.875, 9.5, 5.5, 0.25, 20.25),
    (16, 'mbg_nbd', 0, 0, 4, 0.0, 0.73, 0.1875, 0.3125, 0.4375, 10.5, 7.5, 0.125, 25.5)
) as learned (
    customer_id, model, frequency, recency_days, age_days, monetary_value, p_alive, expected_purchases_30d,
    expected_purchases_90d, expected_purchases_365d, expected_order_value, clv, clv_p05, clv_p95
)
union all by name
select 'bucket' as part, *
from (values
    ('nbd', 'purchases', '0', 3, 1.5, 2.0),
    ('nbd', 'purchases', '1', 2, 4.25, 4.0),
    ('nbd', 'purchases', '2', 0, 0.0, 0.0)
) as judged (method, measure, bucket, customers, expected, actual)
union all by name
select 'accuracy' as part, *
from (values
    ('nbd', 'purchases', 'all', 5, 0.25, 0.5, -12.5, 0.75, 2.5),
    ('nbd', 'spend', 'all', 5, 2.25, 3.5, 20.0, 0.5, 1.75),
    ('clv_simple', 'spend', 'all', 5, 3.25, 4.5, -30.0, -0.25, 0.625),
    ('clv_naive_365', 'spend', 'all', 5, 4.25, 5.5, null, null, null)
) as judged (method, measure, bucket, customers, mae, rmse, total_error_pct, gini, top_decile_lift)
";

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_are_worth_lands_in_its_columns() {
    let fresh = Fresh::new();
    fresh.land("1.csv", format!("{HEADER}{PURCHASES}"));
    fresh.write("sql/gold/customer_purchases.sql", made(CUSTOMERS, "true"));
    fresh.run().await.unwrap();
    // The last two are the rules of thumb: of 13, 3 orders × 24 / 4 days and 24 / 8 days × 365. Of six
    // customers the first fifth has two.
    assert_eq!(
        rows(&fresh, "select * from gold.cltv order by customer_id").await,
        [
            "11 2011-01-11 1 6 10 31.5 0.91 1.25 2.5 5.75 33.25 120.5 10.25 300.75 Top bg_nbd 16.0 1460.0",
            "12 2011-01-11 0 0 1 0.0 0.52 0.125 0.25 0.5 7.125 60.0 0.75 99.0 Top pareto_nbd 3.0 2190.0",
            "13 2011-01-11 2 5 8 8.25 NULL 1.5 3.0 4.5 8.5 60.0 1.75 188.5 High nbd 18.0 1095.0",
            "14 2011-01-11 0 0 9 0.0 NULL 0.375 0.625 0.875 9.5 5.5 0.25 20.25 Low poisson 0.9 365.0",
            "15 2011-01-11 NULL NULL NULL NULL NULL NULL NULL NULL NULL 0.0 0.0 0.0 Minimal NULL 0.0 0.0",
            "16 2011-01-11 0 0 4 0.0 0.73 0.1875 0.3125 0.4375 10.5 7.5 0.125 25.5 Middle mbg_nbd 2.0 912.5",
        ]
    );
    assert_eq!(
        rows(&fresh, "select * from gold.cltv_validation order by method, measure, bucket").await,
        [
            "clv_naive_365 spend all 5 NULL NULL 4.25 5.5 NULL NULL NULL",
            "clv_simple spend all 5 NULL NULL 3.25 4.5 -30.0 -0.25 0.625",
            "nbd purchases 0 3 1.5 2.0 NULL NULL NULL NULL NULL",
            "nbd purchases 1 2 4.25 4.0 NULL NULL NULL NULL NULL",
            "nbd purchases all 5 NULL NULL 0.25 0.5 -12.5 0.75 2.5",
            "nbd spend all 5 NULL NULL 2.25 3.5 20.0 0.5 1.75",
        ]
    );
    let alive = "select customer_id, p_alive from gold.customer_features order by customer_id";
    assert_eq!(rows(&fresh, alive).await, ["11 0.91", "12 0.52", "13 NULL", "14 NULL", "15 NULL", "16 0.73"]);

    // Of nobody anything: what is not known is not nothing. The rules of thumb need no model.
    fresh.write("sql/gold/customer_purchases.sql", made(CUSTOMERS, "coalesce(customer_id, 0) = 0"));
    fresh.run().await.unwrap();
    let values = "select customer_id, clv_12m, clv_p05, clv_p95, clv_segment, clv_simple, clv_naive_365 \
                  from gold.cltv order by customer_id";
    assert_eq!(
        rows(&fresh, values).await,
        [
            "11 NULL NULL NULL NULL 16.0 1460.0",
            "12 NULL NULL NULL NULL 3.0 2190.0",
            "13 NULL NULL NULL NULL 18.0 1095.0",
            "14 NULL NULL NULL NULL 0.9 365.0",
            "15 NULL NULL NULL NULL 0.0 0.0",
            "16 NULL NULL NULL NULL 2.0 912.5",
        ]
    );
}

/// A day that was and one that is forecast: of `orders` with both intervals, of the others with the narrow
/// one. `theta` was tried on two days, `ets` on one.
const SERIES: &str = "\
select 'forecast' as part, *
from (values
    ('net_revenue', 'theta', date '2011-01-04', 'history', 20.5, null, null, null, null, null),
    ('net_revenue', 'theta', date '2011-01-05', 'forecast', null, 9.25, 8.5, 10.75, null, null),
    ('net_revenue: France', 'ets', date '2011-01-04', 'history', 20.5, null, null, null, null, null),
    ('net_revenue: France', 'ets', date '2011-01-05', 'forecast', null, 9.25, 7.75, 11.5, null, null),
    ('orders', 'mstl_ets', date '2011-01-04', 'history', 2.0, null, null, null, null, null),
    ('orders', 'mstl_ets', date '2011-01-05', 'forecast', null, 3.5, 2.75, 4.25, 1.5, 6.125)
) as foretold (series, model, date, kind, actual, forecast, lo80, hi80, lo95, hi95)
cross join (values (date '2011-01-04')) as training (trained_through)
union all by name
select 'backtest' as part, *
from (values
    ('orders', 'theta', date '2010-12-28', 1, date '2010-12-29', 5.5, 6.75),
    ('orders', 'theta', date '2010-12-28', 3, date '2010-12-31', 7.5, 8.25),
    ('orders', 'ets', date '2010-12-27', 2, date '2010-12-29', 5.5, 4.75)
) as tried (series, model, origin, horizon, date, actual, forecast)
union all by name
select 'accuracy' as part, *
from (values
    ('orders', 'theta', 0.5, 20.25, 0.625, 1.125, 0.8125, 0.9375, true),
    ('orders', 'ets', null, 30.75, null, -0.75, null, null, false)
) as measured (series, model, mase, smape, rmsse, bias, coverage80, coverage95, chosen)
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forecast_lands_in_its_columns() {
    let fresh = Fresh::new();
    let lines = "1,85123A,X,1,1/4/2011 9:00,15.00,11,France\n2,85123A,X,1,1/4/2011 10:00,5.50,12,France\n\
                 3,85123A,X,1,1/5/2011 9:00,1.00,12,France\n";
    fresh.land("1.csv", format!("{HEADER}{lines}"));
    fresh.write("sql/gold/forecast_series.sql", made(SERIES, "true"));
    fresh.run().await.unwrap();
    assert_eq!(
        rows(&fresh, "select * from gold.forecast order by series, date").await,
        [
            "net_revenue 2011-01-04 history 20.5 NULL NULL NULL NULL NULL theta 2011-01-04",
            "net_revenue 2011-01-05 forecast NULL 9.25 8.5 10.75 NULL NULL theta 2011-01-04",
            "net_revenue: France 2011-01-04 history 20.5 NULL NULL NULL NULL NULL ets 2011-01-04",
            "net_revenue: France 2011-01-05 forecast NULL 9.25 7.75 11.5 NULL NULL ets 2011-01-04",
            "orders 2011-01-04 history 2.0 NULL NULL NULL NULL NULL mstl_ets 2011-01-04",
            "orders 2011-01-05 forecast NULL 3.5 2.75 4.25 1.5 6.125 mstl_ets 2011-01-04",
        ]
    );
    assert_eq!(
        rows(&fresh, "select * from gold.forecast_backtest order by model, horizon").await,
        [
            "orders ets 2010-12-27 2 2010-12-29 5.5 4.75",
            "orders theta 2010-12-28 1 2010-12-29 5.5 6.75",
            "orders theta 2010-12-28 3 2010-12-31 7.5 8.25",
        ]
    );
    assert_eq!(
        rows(&fresh, "select * from gold.forecast_accuracy order by model").await,
        [
            "orders ets NULL 30.75 NULL -0.75 NULL NULL false 1",
            "orders theta 0.5 20.25 0.625 1.125 0.8125 0.9375 true 2",
        ]
    );
}
