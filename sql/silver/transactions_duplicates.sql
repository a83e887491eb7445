-- The repeats of an earlier line, as received, with the line that was kept.
--
-- writes: append
with
-- The first of new lines with equal values is known by the number of its file.
source_files as (
    select
        _ingest_seq as seq_of_file,
        min(_source_file) as name_of_file
    from new.bronze.online_retail
    group by _ingest_seq
)
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
    coalesce(known_source_file, source_files.name_of_file) as kept_source_file,
    kept_source_line as kept_source_line
from source_files
right join silver.transactions_judged as lines
    on source_files.seq_of_file = lines.first_seq
where lines.fate = 'duplicate'
