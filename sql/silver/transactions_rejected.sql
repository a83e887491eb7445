-- The lines that fail a rule, as received, with every rule they fail.
--
-- writes: append
select
    invoice_no_raw as invoice_no,
    stock_code_raw as stock_code,
    description_raw as description,
    quantity_raw as quantity,
    invoice_date_raw as invoice_date,
    unit_price_raw as unit_price,
    customer_id_raw as customer_id,
    country_raw as country,
    _source_file as _source_file,
    _source_line as _source_line,
    _ingest_seq as _ingest_seq,
    _source_sha256 as _source_sha256,
    _ingest_run_id as _ingest_run_id,
    _ingested_at as _ingested_at,
    _rescued as _rescued,
    failed_rules as failed_rules,
    first_rule as first_rule,
    (select run_id from lake.run) as run_id,
    _row_hash as _row_hash
from silver.transactions_judged
where fate = 'rejected'
