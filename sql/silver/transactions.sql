-- The valid, distinct line items: what every other table is made of.
--
-- The joins stand small table first: it is the one that is held in memory, and the
-- lines keep their order.
--
-- writes: append
with
-- The class of each distinct stock code: the first pattern that matches it.
code_classes as (
    select
        codes.stock_code as code,
        first_value(classes.line_class order by classes.priority, classes.pattern)
            as line_class
    from (
        select distinct normalise_code(stock_code) as stock_code
        from (
            select distinct stock_code
            from new.bronze.online_retail
        ) as spellings
    ) as codes
    inner join silver.stock_code_classes as classes
        on regexp_like(codes.stock_code, classes.pattern)
    group by codes.stock_code
),

-- One name a spelling; an empty name stands for a country that is not known.
country_names as (
    select
        spelling,
        min(nullif(country, '')) as name
    from silver.country_names
    group by spelling
)
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
    cast(
        case when spelling is not null then name else country_given end as text
    ) as country,
    country_raw as country_raw,
    kind as kind,
    coalesce(line_class, 'other') as line_class,
    _source_file as _source_file,
    _source_line as _source_line,
    _row_hash as _row_hash
from country_names
right join (
    select
        lines.*,
        code_classes.line_class as line_class
    from code_classes
    right join silver.transactions_judged as lines
        on code_classes.code = lines.stock_code
) as classified_lines
    on country_names.spelling = classified_lines.country_given
where fate = 'transaction'
