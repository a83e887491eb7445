-- Every new line, typed, compared with the lines before it and judged.
--
-- One row per new bronze row. `fate` says where the line goes: `rejected` when it
-- is malformed or fails a rule, `duplicate` when an earlier line has the same
-- eight values, `transaction` otherwise. A repeat is looked for before the rules
-- are tried, so that a repeat of a rejected line is a duplicate; a malformed record
-- is never one. Values as received carry the suffix `_raw`.
--
-- Lines come in the order of their arrival, and every window keeps to that order:
-- nothing is sorted. New lines are later than all known ones.
--
-- writes: nothing
with
-- `place` is file and line in one number, in the order of arrival; 2^40 lines fit
-- in a file.
parsed_lines as (
    select
        *,
        _ingest_seq * 1099511627776 + _source_line as place,
        normalise_code(invoice_no) as code_of_invoice,
        normalise_code(stock_code) as code_of_stock,
        normalise_wording(description) as wording,
        try_cast(parse_integer(quantity) as int) as pieces,
        parse_instant(invoice_date) as invoiced_at,
        parse_decimal(unit_price) as price,
        normalise_code(customer_id) is not null as customer_is_given,
        parse_integer(customer_id) as customer,
        nullif(btrim(country, E' \t\r\n'), '') as country_given
    from new.bronze.online_retail
),

-- Day and hour are read off the clock of UTC.
clocked_lines as (
    select
        *,
        arrow_cast(invoiced_at, 'Timestamp(Microsecond, None)') as clock
    from parsed_lines
),

-- What does not parse counts as received. Malformed records have no hash: they are
-- equal to none.
identified_lines as (
    select
        *,
        cast(clock as date) as day,
        case when _rescued is null then row_hash(
            code_of_invoice,
            code_of_stock,
            wording,
            pieces,
            case when pieces is null then quantity end,
            invoiced_at,
            case when invoiced_at is null then invoice_date end,
            price,
            case when price is null then unit_price end,
            customer,
            case when customer is null and customer_is_given then customer_id end,
            country_given
        ) end as value_hash
    from clocked_lines
),

-- Of lines with equal values at most one is known: it is among the transactions or
-- among the rejected. Lines with equal values are of one day, which is compared so
-- that files of other days need not be read; one without a day gets the last of all.
known_lines as (
    select
        new_lines.known_hash as known_hash,
        known._source_file as known_source_file,
        known._source_line as known_source_line
    from (
        select distinct
            value_hash as known_hash,
            coalesce(day, make_date(9999, 12, 31)) as new_day
        from identified_lines
        where value_hash is not null
    ) as new_lines
    inner join (
        select
            _row_hash,
            invoice_date as day,
            _source_file,
            _source_line
        from old.silver.transactions
        union all
        select
            _row_hash,
            coalesce(cast(parse_instant(invoice_date) as date), make_date(9999, 12, 31))
                as day,
            _source_file,
            _source_line
        from old.silver.transactions_rejected
        where _row_hash is not null
    ) as known
        on new_lines.known_hash = known._row_hash and new_lines.new_day = known.day
),

-- The joins stand small table first: it is the one that is held in memory, and the
-- rows of the other keep their order. Where a line of equal values came first is kept
-- by day, too: the lines of a day are few.
compared_lines as (
    select
        identified_lines.*,
        known_lines.known_hash as known_hash,
        known_lines.known_source_file as known_source_file,
        known_lines.known_source_line as known_source_line,
        first_value(place) over (
            partition by identified_lines.day, identified_lines.value_hash
            order by identified_lines._ingest_seq, identified_lines._source_line
        ) as first_place
    from known_lines
    right join identified_lines
        on known_lines.known_hash = identified_lines.value_hash
),

-- A known line stands before every new one.
repeating_lines as (
    select
        *,
        _rescued is null and (known_hash is not null or first_place < place)
            as is_repeat
    from compared_lines
),

priced_lines as (
    select
        *,
        try_cast(pieces * price as decimal(18, 4)) as line_amount,
        starts_with(code_of_invoice, 'C') as is_return,
        starts_with(code_of_invoice, 'A') as is_adjustment
    from repeating_lines
),

judged_lines as (
    select
        *,
        case
            when is_return then 'return'
            when is_adjustment then 'adjustment'
            else 'sale'
        end as kind,
        code_of_invoice is not null
            and code_of_stock is not null
            and line_amount is not null
            and invoiced_at is not null
            and (customer is not null or not customer_is_given)
            and pieces <> 0
            and (price > 0 or (price < 0 and is_adjustment))
            and (pieces > 0 or is_return or is_adjustment)
            and (pieces < 0 or not is_return) as is_valid
    from priced_lines
),

parted_lines as (
    select
        *,
        is_valid and not is_repeat and _rescued is null as is_transaction
    from judged_lines
),

-- The surviving lines of an invoice are counted in the order of their arrival.
counted_lines as (
    select
        *,
        row_number() over (
            partition by code_of_invoice, is_transaction
            order by _ingest_seq, _source_line
        ) as new_line_no
    from parted_lines
),

-- The known lines of the invoices that new lines belong to.
known_invoices as (
    select
        known.invoice_no as known_invoice_no,
        max(known.line_no) as last_line_no
    from (
        select distinct normalise_code(invoice_no) as invoice_no
        from new.bronze.online_retail
    ) as invoices
    inner join old.silver.transactions as known
        on invoices.invoice_no = known.invoice_no
    group by known.invoice_no
),

numbered_lines as (
    select
        counted_lines.*,
        coalesce(known_invoices.last_line_no, 0) + new_line_no as line_no
    from known_invoices
    right join counted_lines
        on known_invoices.known_invoice_no = counted_lines.code_of_invoice
),

-- An amount that does not fit its type counts as a price that cannot be used.
explained_lines as (
    select
        *,
        case
            when is_transaction then 'transaction'
            when is_repeat then 'duplicate'
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
    _source_file,
    _source_line,
    _ingest_seq,
    _source_sha256,
    _ingest_run_id,
    _ingested_at,
    _rescued,
    value_hash as _row_hash,
    code_of_invoice as invoice_no,
    cast(line_no as bigint) as line_no,
    code_of_stock as stock_code,
    wording as description,
    pieces as quantity,
    price as unit_price,
    line_amount,
    invoiced_at,
    day as invoice_date,
    cast(date_part('hour', clock) as int) as hour,
    cast(date_part('isodow', day) as int) as iso_weekday,
    customer as customer_id,
    case when customer is null then 'guest' else 'registered' end as customer_type,
    country_given,
    kind,
    known_source_file,
    coalesce(known_source_line, first_place % 1099511627776) as kept_source_line,
    first_place / 1099511627776 as first_seq,
    failed_rules,
    failed_rules[1] as first_rule
from explained_lines
