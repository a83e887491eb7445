-- The valid, distinct line items: what every other table is made of.
--
-- writes: append
select
    invoice_no as invoice_no,
    line_no as line_no,
    stock_code as stock_code,
    description as description,
    cast(quantity as int) as quantity,
    cast(unit_price as decimal(18, 4)) as unit_price,
    cast(line_amount as decimal(18, 4)) as line_amount,
    invoiced_at as invoiced_at,
    cast(invoice_date as date) as invoice_date,
    cast(hour as int) as hour,
    cast(iso_weekday as int) as iso_weekday,
    cast(customer_id as bigint) as customer_id,
    customer_type as customer_type,
    country as country,
    country_raw as country_raw,
    kind as kind,
    line_class as line_class,
    _source_file as _source_file,
    _source_line as _source_line,
    _row_hash as _row_hash
from silver.transactions_judged
where fate = 'transaction'
