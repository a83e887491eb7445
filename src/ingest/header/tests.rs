//! Proves which headers fit a layout and what the others are told.

use super::*;

fn layout() -> Layout {
    Layout::new(vec![
        Field::new("invoice_no", &["InvoiceNo", "Invoice"]),
        Field::new("unit_price", &["UnitPrice", "Price"]),
        Field::new("customer_id", &["CustomerID", "Customer ID"]),
    ])
}

#[test]
fn spellings_and_order_do_not_matter() {
    let header = ["\u{feff}\"customer id\"", " INVOICE ", "unit_price"];
    assert_eq!(layout().positions("x.csv", &header).unwrap(), [2, 0, 1]);
    assert_eq!(layout().positions("x.csv", &["InvoiceNo", "Price", "Customer_ID"]).unwrap(), [0, 1, 2]);
}

#[test]
fn an_unknown_column_is_refused_with_the_nearest_missing_one() {
    let error = layout().positions("x.csv", &["Invoice", "Price", "CustmerID", "Extra"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`x.csv` does not have the expected columns\n  \
         found: `Invoice`, `Price`, `CustmerID`, `Extra`\n  \
         expected: `InvoiceNo`, `UnitPrice`, `CustomerID`\n  \
         missing: `CustomerID`\n  \
         unknown: `CustmerID`, `Extra`\n\
         hint: `CustmerID` looks like `CustomerID`; rename it in the file's header"
    );
}

#[test]
fn a_missing_and_a_repeated_column_are_refused() {
    let error = layout().positions("x.csv", &["Invoice", "Price", "UnitPrice"]).unwrap_err().to_string();
    assert!(error.contains("missing: `CustomerID`\n  given twice: `UnitPrice`"), "{error}");
}

#[test]
fn a_table_without_a_header_is_told_so() {
    let error = layout().positions("x.csv", &["536365", "2.55", ""]).unwrap_err().to_string();
    assert!(
        error.ends_with("the first line must name the columns; is this the file that was meant?"),
        "{error}"
    );
}

#[test]
fn long_lists_are_shortened() {
    let names: Vec<String> = (0..50).map(|number| format!("{number}{}", "é".repeat(80))).collect();
    let text = listed(names.iter().map(String::as_str));
    assert!(text.starts_with("`0é") && text.ends_with("…`, and 10 more"), "{text}");
}
