//! The files hold what the truth says they hold.

use super::reader::{self, Row, Value, day, read};
use crate::calendar::trades;
use crate::{Dirt, Error, Parameters, Split, Summary, generate, generate_with};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn parameters(seed: u64, split: Split, dirt: Dirt) -> Parameters {
    Parameters {
        seed,
        customers: 150,
        lines: 9_000,
        from: day("2010-12-01"),
        to: day("2011-12-09"),
        split,
        dirt,
    }
}

fn generated(parameters: &Parameters) -> (TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(parameters, folder.path(), &|_| ()).unwrap();
    (folder, summary)
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = [folder.to_owned(), folder.join("truth")].map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths
        .map(|path| (path.display().to_string().split_off(folder.as_os_str().len()), path))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

fn valid(rows: &[Row]) -> impl Iterator<Item = &Value> {
    rows.iter().filter_map(|row| row.value.as_ref())
}

fn count(rows: &[Row], fate: &str) -> u64 {
    rows.iter().filter(|row| row.fate == fate).count() as u64
}

fn decimal(hundredths_of_pence: i64) -> String {
    assert_eq!(hundredths_of_pence % 100, 0);
    crate::text::pounds(hundredths_of_pence / 100)
}

/// Holds every record, every fault and every expected count against the independent reader.
fn check_truth(folder: &Path, summary: &Summary) {
    let (rows, mut faults, truth) = (read(folder), reader::faults(folder), reader::truth(folder));
    assert_eq!(faults.len() as u64, summary.faults);
    for row in &rows {
        let planted = faults.remove(&(row.file.clone(), row.line));
        let expected = planted.as_ref().map_or("transactions", |(_, fate)| fate);
        assert_eq!(row.fate, expected, "{}:{} {planted:?} {row:?}", row.file, row.line);
    }
    assert!(faults.is_empty(), "faults without a record: {faults:?}");

    let expected = &truth["expected"];
    assert_eq!(expected["bronze"], rows.len());
    assert_eq!(summary.lines, rows.len() as u64);
    assert_eq!(expected["transactions"], count(&rows, "transactions"));
    assert_eq!(expected["duplicates"], count(&rows, "duplicate"));
    for (rule, number) in expected["rejected_by_first_rule"].as_object().unwrap() {
        assert_eq!(*number, count(&rows, rule), "{rule}");
    }
    assert_eq!(expected["quantity"], valid(&rows).map(|v| v.quantity).sum::<i64>());
    assert_eq!(expected["line_amount"], decimal(valid(&rows).map(|v| v.quantity * v.price).sum()));
    let invoices: HashSet<_> = valid(&rows).map(|value| &value.invoice).collect();
    assert_eq!(expected["invoices"], invoices.len());
    check_sums(expected, &rows);
    check_files(&truth, &rows);
    let customers: HashSet<_> = valid(&rows).filter_map(|value| value.customer).collect();
    assert_eq!(customers.len() as u64, summary.customers);
}

fn check_sums(expected: &serde_json::Value, rows: &[Row]) {
    let product = |v: &&Value| v.code.len() >= 5 && v.code.bytes().take(5).all(|b| b.is_ascii_digit());
    let sum = |keep: &dyn Fn(&Value) -> bool, products: bool| {
        valid(rows).filter(|v| product(v) == products && keep(v)).map(|v| v.quantity * v.price).sum::<i64>()
    };
    let letter = |v: &Value, letter| v.invoice.starts_with(letter);
    assert_eq!(expected["gross_revenue"], decimal(sum(&|v| !letter(v, 'C'), true)));
    assert_eq!(expected["returns_amount"], decimal(-sum(&|v| letter(v, 'C'), true)));
    assert_eq!(expected["other_charges"], decimal(sum(&|v| !letter(v, 'A'), false)));
    assert_eq!(expected["adjustments"], decimal(sum(&|v| letter(v, 'A'), false)));
}

fn check_files(truth: &serde_json::Value, rows: &[Row]) {
    let mut lines: HashMap<&str, u64> = HashMap::new();
    rows.iter().for_each(|row| *lines.entry(&row.file).or_default() += 1);
    let files = truth["files"].as_array().unwrap();
    assert_eq!(files.len(), lines.len());
    for file in files {
        assert_eq!(file["records"], lines[file["file"].as_str().unwrap()]);
    }
}

#[test]
fn every_fault_ends_where_the_truth_says() {
    for (seed, split) in [(1, Split::None), (2, Split::Month), (3, Split::Day), (4, Split::Month)] {
        for dirt in [Dirt::None, Dirt::Low, Dirt::Normal, Dirt::High] {
            let (folder, summary) = generated(&parameters(seed, split, dirt));
            check_truth(folder.path(), &summary);
        }
    }
}

#[test]
fn high_dirt_plants_every_kind_of_fault() {
    let wanted = Parameters { lines: 60_000, customers: 400, ..parameters(5, Split::Month, Dirt::High) };
    let (folder, summary) = generated(&wanted);
    check_truth(folder.path(), &summary);
    let kinds: HashSet<_> = reader::faults(folder.path()).into_values().map(|(fault, _)| fault).collect();
    let rates = reader::truth(folder.path())["rates"].clone();
    for fault in rates.as_object().unwrap().keys() {
        assert!(kinds.contains(fault), "no {fault}");
    }
    assert!(kinds.contains("late_line"));
}

#[test]
fn a_file_comes_twice_when_there_is_dirt() {
    for split in [Split::None, Split::Month, Split::Day] {
        let (folder, summary) = generated(&parameters(6, split, Dirt::Low));
        let truth = reader::truth(folder.path());
        let copy = &truth["copies"][0];
        let content =
            |name: &serde_json::Value| fs::read(folder.path().join(name.as_str().unwrap())).unwrap();
        assert_eq!(content(&copy["file"]), content(&copy["of"]));
        assert_eq!(summary.files as usize, truth["files"].as_array().unwrap().len() + 1);
    }
    let (folder, summary) = generated(&parameters(6, Split::None, Dirt::None));
    assert_eq!((summary.files, summary.faults), (1, 0));
    assert_eq!(fs::metadata(folder.path().join("online_retail.csv")).unwrap().len(), summary.bytes);
}

#[test]
fn equal_parameters_give_equal_bytes_at_any_thread_count() {
    let wanted = Parameters { lines: 40_000, ..parameters(7, Split::Month, Dirt::High) };
    let folders = [1, 2, 5].map(|threads| {
        let folder = tempfile::tempdir().unwrap();
        generate_with(&wanted, folder.path(), &|_| (), threads).unwrap();
        folder
    });
    let one = bytes(folders[0].path());
    assert!(one.len() > 10);
    assert!(folders.iter().all(|folder| bytes(folder.path()) == one));
    let (other, _) = generated(&Parameters { seed: 8, ..wanted });
    assert_ne!(bytes(other.path()), one);
}

#[test]
fn dirt_changes_nobodys_purchases() {
    let registered = |dirt| {
        let (folder, _) = generated(&parameters(9, Split::None, dirt));
        fs::read_to_string(folder.path().join("truth/customers.csv")).unwrap()
    };
    // All columns but the mean spend, which depends on how many of the lines are sales.
    let purchases = |line: &str| {
        line.split(',')
            .enumerate()
            .filter(|&(column, _)| column != 6)
            .map(|(_, text)| text.to_owned())
            .collect()
    };
    let who = |text: String| text.lines().map(purchases).collect::<Vec<Vec<String>>>();
    assert_eq!(who(registered(Dirt::None)), who(registered(Dirt::High)));
}

#[test]
fn the_shop_is_closed_on_saturdays_and_holidays() {
    let (folder, _) = generated(&parameters(10, Split::Month, Dirt::Normal));
    let rows = read(folder.path());
    assert!(valid(&rows).all(|value| trades(value.when.date())));
    for closed in ["2010-12-24", "2011-01-03", "2011-12-03", "2011-04-22", "2011-04-25", "2011-08-29"] {
        assert!(!trades(day(closed)), "{closed}");
    }
    assert!(trades(day("2010-12-23")) && trades(day("2011-01-04")));
}

#[test]
fn returns_refer_to_earlier_sales() {
    let (folder, _) = generated(&Parameters { lines: 30_000, ..parameters(11, Split::Month, Dirt::High) });
    let rows = read(folder.path());
    let mut values: Vec<_> = valid(&rows).filter(|v| v.code.as_bytes()[0].is_ascii_digit()).collect();
    values.sort_by_key(|value| value.when);
    let (mut left, mut returns) = (HashMap::new(), 0);
    for value in values {
        let held = left.entry((value.customer, &value.code, value.price)).or_insert(0);
        *held += value.quantity;
        assert!(*held >= 0, "returned more than was sold before: {value:?}");
        returns += u32::from(value.quantity < 0);
    }
    assert!(returns > 200, "{returns}");
}

#[test]
fn the_lines_asked_for_are_met() {
    for (seed, lines, customers, dirt) in
        [(1, 20_000, 500, Dirt::Normal), (2, 40_000, 100, Dirt::High), (3, 50_000, 2_000, Dirt::None)]
    {
        let wanted = Parameters { lines, customers, ..parameters(seed, Split::Month, dirt) };
        let (_folder, summary) = generated(&wanted);
        let off = summary.lines as f64 / lines as f64 - 1.0;
        assert!(off.abs() < 0.02, "{lines} wanted, {} made", summary.lines);
    }
}

#[test]
fn the_shop_looks_like_the_real_one() {
    let wanted = Parameters { lines: 60_000, customers: 700, ..parameters(12, Split::None, Dirt::None) };
    let (folder, _) = generated(&wanted);
    let rows = read(folder.path());
    let text = fs::read(folder.path().join("online_retail.csv")).unwrap();
    let text = String::from_utf8_lossy(&text);
    let home = text.matches(",United Kingdom\r\n").count() as f64 / rows.len() as f64;
    assert!((0.8..0.97).contains(&home), "{home}");
    let guests = valid(&rows).filter(|v| v.customer.is_none()).count() as f64 / rows.len() as f64;
    assert!((0.18..0.32).contains(&guests), "{guests}");
    let returned = valid(&rows).filter(|v| v.quantity < 0).count() as f64 / rows.len() as f64;
    assert!((0.003..0.04).contains(&returned), "{returned}");
}

#[test]
fn customer_groups_differ_in_the_price_of_a_piece() {
    let wanted = Parameters { lines: 60_000, customers: 400, ..parameters(13, Split::None, Dirt::None) };
    let (folder, _) = generated(&wanted);
    let (mut spent, mut pieces): (HashMap<i64, i64>, HashMap<i64, i64>) = Default::default();
    let rows = read(folder.path());
    for value in valid(&rows).filter(|v| v.quantity > 0 && v.code.as_bytes()[0].is_ascii_digit()) {
        let Some(customer) = value.customer else { continue };
        *spent.entry(customer).or_default() += value.quantity * value.price;
        *pieces.entry(customer).or_default() += value.quantity;
    }
    let truth = fs::read_to_string(folder.path().join("truth/customers.csv")).unwrap();
    let (mut right, mut all) = (0, 0);
    for row in truth.lines().skip(1) {
        let [id, group, ..] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let id: i64 = id.parse().unwrap();
        let guess = match spent[&id] / pieces[&id] {
            i64::MIN..12_000 => "trade",
            12_000..50_000 => "home",
            _ => "gift",
        };
        right += i32::from(guess == group);
        all += 1;
    }
    assert!(right * 100 > all * 95, "{right} of {all}");
}

#[test]
fn an_error_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "").unwrap();
    let error = generate(&parameters(1, Split::None, Dirt::None), &taken, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("taken`"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn impossible_requests_are_refused() {
    let good = parameters(1, Split::None, Dirt::None);
    let bad = [
        (Parameters { to: day("2010-11-30"), ..good.clone() }, "ends on 2010-11-30 before"),
        (Parameters { customers: 0, ..good.clone() }, "0 customers"),
        (Parameters { lines: 200, ..good.clone() }, "200 lines are too few for 150 customers"),
        (
            Parameters { from: day("2010-12-25"), to: day("2011-01-01"), ..good.clone() },
            "closed on every day",
        ),
        (Parameters { from: day("1666-09-02"), ..good.clone() }, "outside the years"),
    ];
    for (wanted, message) in bad {
        let error = wanted.check().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let few = Parameters { lines: 400, ..good.clone() };
    let error = generate(&few, folder.path(), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("ask for at least"), "{error}");
    generate(&good, folder.path(), &|_| ()).unwrap();
    assert!(matches!(generate(&good, folder.path(), &|_| ()), Err(Error::Parameters(_))));
}

#[test]
fn a_single_day_is_a_period() {
    let wanted = Parameters {
        from: day("2011-03-01"),
        to: day("2011-03-01"),
        ..parameters(1, Split::Day, Dirt::High)
    };
    let (folder, summary) = generated(&wanted);
    check_truth(folder.path(), &summary);
}
