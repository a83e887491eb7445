-- Every new line, typed, compared with the lines before it and judged.
--
-- One row per new bronze row. `fate` says where the line goes: `rejected` when it
-- is malformed or fails a rule, `duplicate` when an earlier line has the same
-- eight values, `transaction` otherwise. A repeat is looked for before the rules
-- are tried, so that a repeat of a rejected line is a duplicate; a malformed record
-- is never one. Values as received carry the suffix `_raw`.
--
-- New lines are later than all known ones. Of lines with equal values at most one
-- is known: it is among the transactions, which keep the hash of their values, or
-- among the rejected, whose hash is computed again.
--
-- writes: nothing
with
-- The class of each distinct stock code: the first pattern that matches it.
code_classes as (
    select
        codes.stock_code as code,
        first_value(classes.line_class order by classes.priority, classes.pattern)
            as line_class
    from (
        select distinct upper(btrim(stock_code, E' \t\r\n')) as stock_code
        from new.bronze.online_retail
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
),

received_lines as (
    select
        *,
        true as is_new
    from new.bronze.online_retail
    union all by name
    select
        * except (failed_rules, first_rule, run_id),
        false as is_new
    from old.silver.transactions_rejected
),

-- `place` is file and line in one number, in the order of arrival; 2^40 lines fit
-- in a file.
parsed_lines as (
    select
        *,
        _ingest_seq * 1099511627776 + _source_line as place,
        nullif(upper(btrim(invoice_no, E' \t\r\n')), '') as code_of_invoice,
        nullif(upper(btrim(stock_code, E' \t\r\n')), '') as code_of_stock,
        upper(collapse_blanks(description)) as wording,
        try_cast(parse_integer(quantity) as int) as pieces,
        parse_instant(invoice_date) as invoiced_at,
        parse_decimal(unit_price) as price,
        nullif(btrim(customer_id, E' \t\r\n'), '') is not null as customer_is_given,
        parse_integer(customer_id) as customer,
        nullif(btrim(country, E' \t\r\n'), '') as country_given
    from received_lines
),

-- chr(31) parts the values, chr(30) stands for a missing one, and chr(29) marks
-- one that does not parse and counts as received.
identified_lines as (
    select
        *,
        md5(concat_ws(
            chr(31),
            coalesce(code_of_invoice, chr(30)),
            coalesce(code_of_stock, chr(30)),
            coalesce(wording, chr(30)),
            coalesce(cast(pieces as text), chr(29) || quantity, chr(30)),
            coalesce(
                cast(cast(invoiced_at as bigint) as text),
                chr(29) || invoice_date,
                chr(30)
            ),
            coalesce(cast(price as text), chr(29) || unit_price, chr(30)),
            coalesce(
                cast(customer as text),
                case when customer_is_given then chr(29) || customer_id end,
                chr(30)
            ),
            coalesce(country_given, chr(30))
        )) as _row_hash
    from parsed_lines
),

-- Lines with equal values are of one day; one without a day gets the last of all.
comparable_lines as (
    select
        *,
        coalesce(cast(invoiced_at as date), make_date(9999, 12, 31)) as day
    from identified_lines
    where _rescued is null
),

known_lines as (
    select
        _row_hash as known_hash,
        invoice_date as known_day,
        _source_file as known_source_file,
        _source_line as known_source_line
    from old.silver.transactions
    union all
    select
        _row_hash as known_hash,
        day as known_day,
        _source_file as known_source_file,
        _source_line as known_source_line
    from comparable_lines
    where not is_new
),

-- Of new lines with equal values: how many there are, and the place of the first.
distinct_lines as (
    select
        _row_hash as kept_hash,
        min(day) as kept_day,
        min(place) as first_place,
        count(*) as line_count
    from comparable_lines
    where is_new
    group by _row_hash
),

-- The day is compared so that files of other days need not be read.
repeated_lines as (
    select
        kept_hash,
        first_place,
        known_hash is not null as is_known,
        known_source_file,
        known_source_line
    from distinct_lines
    left join known_lines
        on distinct_lines.kept_hash = known_lines.known_hash
        and distinct_lines.kept_day = known_lines.known_day
    where line_count > 1 or known_hash is not null
),

-- What all lines of a file share is fetched last, not carried along with each.
source_files as (
    select
        _ingest_seq,
        min(_source_file) as _source_file,
        min(_source_sha256) as _source_sha256,
        min(_ingest_run_id) as _ingest_run_id,
        min(_ingested_at) as _ingested_at
    from new.bronze.online_retail
    group by _ingest_seq
),

-- A known line stands before every new one.
kept_lines as (
    select
        kept_hash,
        case when is_known then -1 else first_place end as kept_place,
        coalesce(known_source_file, source_files._source_file) as kept_source_file,
        coalesce(known_source_line, first_place % 1099511627776)
            as kept_source_line
    from repeated_lines
    inner join source_files
        on repeated_lines.first_place / 1099511627776 = source_files._ingest_seq
),

-- The joins stand small table first: it is the one that is held in memory.
compared_lines as (
    select
        identified_lines.*,
        kept_lines.kept_source_file as kept_source_file,
        kept_lines.kept_source_line as kept_source_line,
        coalesce(place > kept_lines.kept_place, false) as is_repeat
    from kept_lines
    right join identified_lines
        on kept_lines.kept_hash = identified_lines._row_hash
    where identified_lines.is_new
),

classified_lines as (
    select
        compared_lines.*,
        code_classes.line_class as line_class
    from code_classes
    right join compared_lines
        on code_classes.code = compared_lines.code_of_stock
),

placed_lines as (
    select
        classified_lines.*,
        case
            when country_names.spelling is not null then country_names.name
            else country_given
        end as country_name,
        try_cast(pieces * price as decimal(18, 4)) as line_amount,
        case
            when starts_with(code_of_invoice, 'C') then 'return'
            when starts_with(code_of_invoice, 'A') then 'adjustment'
            else 'sale'
        end as kind
    from country_names
    right join classified_lines
        on country_names.spelling = classified_lines.country_given
),

judged_lines as (
    select
        *,
        code_of_invoice is not null
            and code_of_stock is not null
            and line_amount is not null
            and invoiced_at is not null
            and (customer is not null or not customer_is_given)
            and pieces <> 0
            and (price > 0 or (price < 0 and kind = 'adjustment'))
            and (pieces > 0 or kind <> 'sale')
            and (pieces < 0 or kind <> 'return') as is_valid
    from placed_lines
),

parted_lines as (
    select
        *,
        is_valid and not is_repeat and _rescued is null as is_transaction
    from judged_lines
),

-- The surviving lines of an invoice stand first, in the order of their arrival.
ordered_lines as (
    select
        *,
        row_number() over (
            partition by code_of_invoice
            order by is_transaction desc, place
        ) as new_line_no
    from parted_lines
),

-- The known lines of the invoices that new lines belong to.
known_invoices as (
    select
        known.invoice_no as known_invoice_no,
        max(known.line_no) as last_line_no
    from (
        select distinct upper(btrim(invoice_no, E' \t\r\n')) as invoice_no
        from new.bronze.online_retail
    ) as invoices
    inner join old.silver.transactions as known
        on invoices.invoice_no = known.invoice_no
    group by known.invoice_no
),

numbered_lines as (
    select
        ordered_lines.*,
        coalesce(known_invoices.last_line_no, 0) + new_line_no as line_no
    from known_invoices
    right join ordered_lines
        on known_invoices.known_invoice_no = ordered_lines.code_of_invoice
),

-- An amount that does not fit its type counts as a price that cannot be used.
explained_lines as (
    select
        *,
        case
            when is_transaction then 'transaction'
            when is_repeat and _rescued is null then 'duplicate'
            else 'rejected'
        end as fate,
        case
            when is_transaction then null
            when _rescued is not null then make_array('malformed_record')
            when is_repeat then null
            else array_compact(make_array(
                case when code_of_invoice is null then 'missing_invoice_no' end,
                case when code_of_stock is null then 'missing_stock_code' end,
                case when pieces is null then 'unparseable_quantity' end,
                case
                    when price is null then 'unparseable_unit_price'
                    when pieces is not null and line_amount is null
                        then 'unparseable_unit_price'
                end,
                case when invoiced_at is null then 'unparseable_invoice_date' end,
                case
                    when customer is null and customer_is_given
                        then 'unparseable_customer_id'
                end,
                case when pieces = 0 then 'zero_quantity' end,
                case
                    when price = 0 then 'non_positive_price'
                    when price < 0 and kind <> 'adjustment'
                        then 'non_positive_price'
                end,
                case when pieces < 0 and kind = 'sale' then 'negative_sale' end,
                case when pieces > 0 and kind = 'return' then 'positive_return' end
            ))
        end as failed_rules
    from numbered_lines
)
select
    fate,
    invoice_no as invoice_no_raw,
    stock_code as stock_code_raw,
    description as description_raw,
    quantity as quantity_raw,
    invoice_date as invoice_date_raw,
    unit_price as unit_price_raw,
    customer_id as customer_id_raw,
    country as country_raw,
    source_files._source_file,
    _source_line,
    explained_lines._ingest_seq,
    source_files._source_sha256,
    source_files._ingest_run_id,
    source_files._ingested_at,
    _rescued,
    _row_hash,
    code_of_invoice as invoice_no,
    cast(line_no as bigint) as line_no,
    code_of_stock as stock_code,
    wording as description,
    pieces as quantity,
    price as unit_price,
    line_amount,
    invoiced_at,
    cast(invoiced_at as date) as invoice_date,
    cast(date_part('hour', invoiced_at) as int) as hour,
    cast(date_part('isodow', cast(invoiced_at as date)) as int) as iso_weekday,
    customer as customer_id,
    case when customer is null then 'guest' else 'registered' end as customer_type,
    cast(country_name as text) as country,
    kind,
    coalesce(line_class, 'other') as line_class,
    kept_source_file,
    kept_source_line,
    failed_rules,
    failed_rules[1] as first_rule
from source_files
right join explained_lines
    on source_files._ingest_seq = explained_lines._ingest_seq
