//! `lake customer` and `lake recommend`: all that is known of one customer, and what to offer them.

use clap::Args;
use lake::error::{Error, Result};
use lake::run::Lake;

use super::answer::cells;
use super::names::publication;
use super::print;

/// Orders that a page lists.
const LAST_ORDERS: usize = 5;

/// What a page says, and how it is asked for; what is NULL is left out.
const PAGE: [(&str, &str); 16] = [
    ("country", "known.country"),
    ("first seen", "known.first_seen"),
    ("last seen", "known.last_seen"),
    ("orders", "known.orders"),
    ("net revenue", "round(rfm.monetary, 2)"),
    ("average order", "round(features.avg_order_value, 2)"),
    ("days since the last purchase", "rfm.recency_days"),
    ("days between purchases", "round(features.avg_days_between_purchases, 1)"),
    ("products bought", "features.distinct_products"),
    ("share of returns", "round(features.return_rate, 3)"),
    ("RFM segment", "rfm.segment || ' (' || rfm.rfm_score || ')'"),
    ("segment", "segments.segment_name || case when is_outlier then ', an outlier' else '' end"),
    (
        "value in 12 months",
        "round(value.clv_12m, 2) || ' (' || round(clv_p05, 2) || ' to ' || round(clv_p95, 2) || ')'",
    ),
    ("fifth by value", "value.clv_segment"),
    ("purchases in 90 days", "round(value.expected_purchases_90d, 2)"),
    ("probability to buy again", "round(value.p_alive, 3)"),
];

/// Show one customer: profile, segment, value, last orders, what to offer.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lake customer 17850")]
pub struct CustomerArgs {
    #[command(flatten)]
    of: Of,
}

/// Show what to offer one customer, and because of what.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lake recommend 17850
  lake sql 'select * from gold.recommendation_quality'      how good such offers are")]
pub struct RecommendArgs {
    #[command(flatten)]
    of: Of,
}

#[derive(Args, Debug)]
struct Of {
    /// The customer's number
    #[arg(value_name = "CUSTOMER")]
    customer: i64,
    /// Show the lake as readers saw it then: a run's id, a day, an instant, or as-of-DATE
    #[arg(long, value_name = "RUN|DATE", value_parser = publication)]
    as_of: Option<String>,
}

/// Prints the page of a customer.
pub async fn customer(lake: Lake, args: CustomerArgs) -> Result<()> {
    let Of { customer, as_of } = &args.of;
    let columns: Vec<&str> = PAGE.iter().map(|(_, sql)| *sql).collect();
    let query = format!(
        "select {} from silver.customers as known \
         left join gold.rfm as rfm on rfm.customer_id = known.customer_id \
         left join gold.customer_features as features on features.customer_id = known.customer_id \
         left join gold.cltv as value on value.customer_id = known.customer_id \
         left join gold.customer_segments as segments on segments.customer_id = known.customer_id \
         where known.customer_id = {customer}",
        columns.join(", ")
    );
    let Some(values) = cells(&lake, &query, as_of.as_deref()).await?.into_iter().next() else {
        return Err(unknown(*customer));
    };
    let known = PAGE.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let rows = known.map(|((name, _), value)| vec![(*name).to_string(), value]);
    print::line(print::table(&["customer", &customer.to_string()], &[], rows))?;
    let orders = format!(
        "select invoice_date, invoice_no, product_lines, units, round(gross_revenue, 2) from silver.invoices \
         where customer_id = {customer} and product_lines > 0 \
         order by invoice_date desc, invoice_no desc limit {LAST_ORDERS}"
    );
    let header = ["last orders", "invoice", "lines", "units", "revenue"];
    let orders = cells(&lake, &orders, as_of.as_deref()).await?;
    print::line(format!("\n{}", print::table(&header, &[2, 3, 4], orders)))?;
    offers(&lake, *customer, as_of.as_deref()).await
}

/// Prints what to offer a customer.
pub async fn recommend(lake: Lake, args: RecommendArgs) -> Result<()> {
    let Of { customer, as_of } = &args.of;
    let query = format!("select count(*) from silver.customers where customer_id = {customer}");
    if cells(&lake, &query, as_of.as_deref()).await? == [["0"]] {
        return Err(unknown(*customer));
    }
    offers(&lake, *customer, as_of.as_deref()).await
}

async fn offers(lake: &Lake, customer: i64, as_of: Option<&str>) -> Result<()> {
    let query = format!(
        "select offered.rank, offered.stock_code, offered.description, round(offered.score, 4), offered.algorithm, \
         reason.description from gold.recommendations as offered \
         left join silver.products as reason on offered.because_of = reason.stock_code \
         where offered.customer_id = {customer} order by offered.rank"
    );
    let rows = cells(lake, &query, as_of).await?;
    if rows.is_empty() {
        return print::line(format!(
            "\nthere is nothing to offer customer {customer}; `lake models` says why"
        ));
    }
    let header = ["offer", "code", "description", "score", "by", "because of"];
    print::line(format!("\n{}", print::table(&header, &[0, 3], rows)))
}

fn unknown(customer: i64) -> Error {
    Error::invalid(format!("there is no customer {customer}"))
        .hint("`lake sql 'select customer_id from silver.customers order by 1'` lists them")
}
