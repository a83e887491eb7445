//! Writes down what is true of the generated data, beside it, in `truth/`: the parameters behind it and the
//! counts and sums that must be found (`parameters.json`), the customers and the catalogue.
//! Money is written as decimal strings. The faults are written by the writer, as they land.

use crate::calendar::{MONTH_SEASON, WEEKDAY_PACE};
use crate::catalogue::tier_of;
use crate::countries::COUNTRIES;
use crate::error::Error;
use crate::faults::{ADDED, ADJUSTMENTS, Fault, LATE, LOOKS, LOWER_CASE_INVOICE, POSITIVE_RETURN, RULES};
use crate::job::FIRST_CUSTOMER_ID;
use crate::parameters::Parameters;
use crate::population::{A, ALPHA, B, P, Progress, Q, R, Style, WHALE_EVERY, WHALE_LINES, WHALE_SPEND};
use crate::tally::Tally;
use crate::text::pounds;
use crate::world::World;
use crate::writer::Log;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes everything but the faults.
pub(crate) fn write(
    out: &Path,
    parameters: &Parameters,
    world: &World,
    log: &Log,
    customers: &[Progress],
) -> Result<(), Error> {
    let folder = out.join("truth");
    save(&folder.join("parameters.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, &document(parameters, world, log))?;
        file.write_all(b"\n")
    })?;
    save(&folder.join("customers.csv"), |file| write_customers(file, world, customers))?;
    save(&folder.join("catalogue.csv"), |file| write_catalogue(file, world))
}

fn save(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    let create = || {
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    create().map_err(Error::at(path))
}

fn document(parameters: &Parameters, world: &World, log: &Log) -> Value {
    json!({
        "request": {
            "seed": parameters.seed,
            "customers": parameters.customers,
            "lines": parameters.lines,
            "from": parameters.from.to_string(),
            "to": parameters.to.to_string(),
            "split": parameters.split.to_string(),
            "dirt": parameters.dirt.to_string(),
        },
        "bg_nbd": {
            "r": R, "alpha": ALPHA, "a": A, "b": B, "unit": "weeks",
            "purchases": world.scale.purchases,
        },
        "gamma_gamma": {
            "p": P, "q": Q, "v": world.scale.v / 100.0, "unit": "pounds per purchase day, net of returns",
        },
        "process": process(world),
        "rates": rates(world),
        "expected": expected(&log.total),
        "faults": log.faults,
        "files": files(log),
        "copies": log.copies.iter().map(|copy| json!({"file": copy.name, "of": copy.of})).collect::<Vec<_>>(),
    })
}

fn process(world: &World) -> Value {
    let scale = &world.scale;
    json!({
        "clock": "operational time: stands still on closed days, runs at the weekday's pace, \
                  as many weeks in all as the calendar's; repeat purchases have no yearly season",
        "weekday_pace_monday_first": WEEKDAY_PACE,
        "month_season_of_new_customers_and_guests": MONTH_SEASON,
        "trading_days": world.calendar.days(),
        "guest_orders": scale.guests,
        "lines_at_mean_spend": scale.basket,
        "return_probability": scale.returns,
        "whale_every": WHALE_EVERY,
        "whale_spend_times": WHALE_SPEND,
        "whale_lines_times": WHALE_LINES,
        "customer_groups": Style::ALL.iter().zip(Style::SHARES)
            .map(|(style, share)| (style.name().to_owned(), json!(share))).collect::<Map<_, _>>(),
    })
}

/// Fault rates per sale line (of returns: per return line or invoice), the dirt level applied.
fn rates(world: &World) -> Value {
    let extra = [
        (Fault::DuplicateLate, LATE),
        (Fault::PositiveReturn, POSITIVE_RETURN),
        (Fault::LowerCaseInvoice, LOWER_CASE_INVOICE),
        (Fault::Adjustment, ADJUSTMENTS),
    ];
    let rates = ADDED.iter().chain(&LOOKS).chain(&extra);
    let rate = |&(fault, rate): &(Fault, f64)| (fault.name().to_owned(), json!(rate * world.dirt));
    Value::Object(rates.map(rate).collect())
}

fn expected(tally: &Tally) -> Value {
    let rules = RULES.iter().zip(tally.rejected);
    json!({
        "bronze": tally.records(),
        "transactions": tally.transactions,
        "duplicates": tally.duplicates,
        "rejected": tally.rejected(),
        "rejected_by_first_rule": rules.map(|(rule, count)| ((*rule).to_owned(), json!(count)))
            .collect::<Map<_, _>>(),
        "invoices": tally.invoices,
        "quantity": tally.quantity,
        "line_amount": pounds(tally.amount()),
        "gross_revenue": pounds(tally.gross_revenue),
        "returns_amount": pounds(tally.returns_amount),
        "other_charges": pounds(tally.other_charges),
        "adjustments": pounds(tally.adjustments),
    })
}

fn files(log: &Log) -> Vec<Value> {
    let file = |file: &crate::writer::Written| {
        json!({
            "file": file.name,
            "dialect": file.dialect,
            "bytes": file.bytes,
            "records": file.tally.records(),
            "transactions": file.tally.transactions,
            "duplicates": file.tally.duplicates,
            "rejected": file.tally.rejected(),
        })
    };
    log.files.iter().map(file).collect()
}

fn write_customers(file: &mut impl Write, world: &World, customers: &[Progress]) -> io::Result<()> {
    writeln!(
        file,
        "customer_id,group,is_whale,country,lambda,p,mean_spend,purchase_days,first_purchase,last_purchase,\
         alive_at_end"
    )?;
    let pairs = world.population.customers.iter().zip(customers);
    for (id, (customer, progress)) in (FIRST_CUSTOMER_ID..).zip(pairs) {
        let times = if customer.whale { WHALE_SPEND } else { 1.0 };
        writeln!(
            file,
            "{id},{},{},{},{},{},{},{},{},{},{}",
            customer.style.name(),
            customer.whale,
            COUNTRIES[usize::from(customer.country)].0,
            customer.rate,
            customer.dropout,
            pounds((world.scale.mean_spend() * customer.spend * times).round() as i64),
            progress.visits,
            world.calendar.date(progress.first_day),
            world.calendar.date(progress.last_day),
            !progress.dropped,
        )?;
    }
    Ok(())
}

fn write_catalogue(file: &mut impl Write, world: &World) -> io::Result<()> {
    writeln!(
        file,
        "stock_code,description,price,group,tier,price_changed_on,price_after,bulk_from,bulk_price,bulk_price_after"
    )?;
    for product in &world.catalogue.products {
        let mut row = product.csv.clone();
        let [price, after] = product.prices.map(|pence| pounds(i64::from(pence)));
        let [bulk, bulk_after] = product.bulk_prices.map(|pence| pounds(i64::from(pence)));
        let changed = (product.repriced_on != u32::MAX).then(|| world.calendar.date(product.repriced_on));
        let changed = changed.map(|date| date.to_string()).unwrap_or_default();
        let (group, tier) = (product.group, tier_of(product.group));
        let rest =
            format!("{price},{group},{tier},{changed},{after},{},{bulk},{bulk_after}", product.bulk_from);
        row.extend_from_slice(rest.as_bytes());
        row.push(b'\n');
        file.write_all(&row)?;
    }
    Ok(())
}
