//! Proves what a contract's text becomes; the museum in `tests/bad` holds what it must refuse.

use super::*;

const DAILY: &str = r#"
doc = "Sales per day."
grain = "one row per day"
key = ["sale_date"]

[columns]
sale_date = { type = "date", doc = "Day." }
net = { type = "decimal(18,4)", nullable = true, doc = "Net." }

[expect.net_is_positive]
where = "net > 0"
else = "warn"
"#;

fn parse_text(text: &str) -> Result<Contract> {
    Contract::parse(Path::new("gold/daily.toml"), TableName::new(Layer::Gold, "daily"), text)
}

#[test]
fn a_contract_becomes_a_schema_with_descriptions() {
    let contract = parse_text(DAILY).unwrap();
    let schema = contract.schema();
    assert_eq!(schema.field(1).data_type(), &DataType::Decimal128(18, 4));
    assert!(schema.field(1).is_nullable() && !schema.field(0).is_nullable());
    assert_eq!(schema.field(0).metadata()["comment"], "Day.");
    assert_eq!(contract.expectations["net_is_positive"].severity, Severity::Warn);
}

#[test]
fn type_names_read_back_as_written() {
    for name in
        ["text", "bigint", "int", "double", "boolean", "date", "timestamp", "list<text>", "decimal(38,4)"]
    {
        let contract = parse_text(&DAILY.replace("decimal(18,4)", name)).unwrap();
        assert_eq!(Contract::type_name(&contract.columns[1].data_type), name);
    }
}

#[test]
fn the_canonical_form_sees_meaning_and_not_layout() {
    let contract = parse_text(DAILY).unwrap();
    let reformatted = parse_text(&DAILY.replace("\n\n", "\n# a comment\n\n")).unwrap();
    assert_eq!(contract.canonical(), reformatted.canonical());
    let changed = parse_text(&DAILY.replace("decimal(18,4)", "decimal(18,2)")).unwrap();
    assert_ne!(contract.canonical(), changed.canonical());
    let prose = ["Sales per day.", "one row per day", "Day."];
    let reworded = prose.iter().fold(DAILY.to_string(), |text, prose| text.replace(prose, "In other words."));
    assert_eq!(contract.canonical(), parse_text(&reworded).unwrap().canonical());
}

#[test]
fn numbers_may_be_written_as_numbers() {
    let sums = |tolerance: &str| {
        let sums = format!("sum_equals = {{ column = \"net\", table = \"gold.rfm\"{tolerance} }}");
        parse_text(&DAILY.replace("where = \"net > 0\"", &sums))
    };
    for (text, tolerance) in [("", "0"), (", tolerance = 2", "2"), (", tolerance = \"0.02\"", "0.02")] {
        let contract = sums(text).unwrap();
        let Check::SumEquals(sums) = &contract.expectations["net_is_positive"].check else { panic!() };
        assert_eq!(sums.tolerance, tolerance);
    }
    assert!(sums(", tolerance = true").is_err());
    let accepted = "accepted_values = { column = \"net\", values = [1, \"2\"] }";
    let contract = parse_text(&DAILY.replace("where = \"net > 0\"", accepted)).unwrap();
    assert_eq!(contract.expectations["net_is_positive"].violation().unwrap(), "not (net in ('1', '2'))");
}

#[test]
fn null_violates_what_a_column_accepts_only_when_it_is_said() {
    let accepted = "accepted_values = { column = \"net\", values = [1] }";
    for (text, violation) in [
        (accepted.to_string(), "not (net in ('1'))"),
        (format!("{accepted}\nnull_violates = true"), "(net in ('1')) is not true"),
    ] {
        let contract = parse_text(&DAILY.replace("where = \"net > 0\"", &text)).unwrap();
        assert_eq!(contract.expectations["net_is_positive"].violation().unwrap(), violation);
    }
}

#[test]
fn names_of_tables_are_layer_and_table() {
    assert_eq!(TableName::parse("silver.products").unwrap().to_string(), "silver.products");
    assert_eq!(TableName::parse("other.runs"), None);
}
