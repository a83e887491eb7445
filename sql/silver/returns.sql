-- Each returned line, matched to the sale lines that it takes back.
--
-- What a customer buys under one stock code at one price is one good. Its sale
-- lines lie on a pile, the latest on top, and a return takes from the top. At one
-- instant returns come first, as `return` sorts before `sale`: what they take is
-- strictly earlier.
--
-- A new line, early or late, may change whom all returns of its good take from, and
-- of no other: these are matched again from all lines, other returns stay as they
-- were. The price of a known return is its amount by its pieces.
--
-- writes: full
with
changed_goods as (
    select
        customer_id,
        stock_code,
        unit_price
    from new.silver.transactions
    where kind = 'return' and customer_id is not null
    union
    select
        lines.customer_id,
        lines.stock_code,
        lines.unit_price
    from old.silver.returns as known
    inner join new.silver.transactions as lines
        on known.customer_id = lines.customer_id
        and known.stock_code = lines.stock_code
        and known.amount = known.quantity * lines.unit_price
),

-- The lines of a pile are sorted by their fields, the first one first.
matches as (
    select
        lines.customer_id,
        lines.stock_code,
        lines.unit_price,
        unnest(match_last_in_first_out(array_sort(array_agg(named_struct(
            'invoiced_at', lines.invoiced_at,
            'kind', lines.kind,
            'invoice_no', lines.invoice_no,
            'line_no', lines.line_no,
            'invoice_date', lines.invoice_date,
            'line_class', lines.line_class,
            'quantity', lines.quantity
        ))))) as match
    from changed_goods as goods
    inner join silver.transactions as lines
        on goods.customer_id = lines.customer_id
        and goods.stock_code = lines.stock_code
        and goods.unit_price = lines.unit_price
    where lines.kind in ('sale', 'return')
    group by lines.customer_id, lines.stock_code, lines.unit_price
),

-- What no sale line gave is left without one. Guests' returns are not matched.
matched_returns as (
    select
        match['taker']['invoice_no'] as return_invoice_no,
        match['taker']['line_no'] as return_line_no,
        match['giver']['invoice_no'] as sale_invoice_no,
        match['giver']['line_no'] as sale_line_no,
        match['quantity'] as quantity,
        -match['taker']['quantity'] as returned_quantity,
        unit_price,
        customer_id,
        stock_code,
        match['taker']['line_class'] as line_class,
        match['taker']['invoice_date'] as return_date,
        match['giver']['invoice_date'] as sale_date
    from matches
    union all
    select
        invoice_no as return_invoice_no,
        line_no as return_line_no,
        null as sale_invoice_no,
        null as sale_line_no,
        -quantity as quantity,
        -quantity as returned_quantity,
        unit_price,
        customer_id,
        stock_code,
        line_class,
        invoice_date as return_date,
        null as sale_date
    from new.silver.transactions
    where kind = 'return' and customer_id is null
),

all_returns as (
    select
        return_invoice_no,
        return_line_no,
        sale_invoice_no,
        sale_line_no,
        quantity,
        quantity * unit_price as amount,
        cast(return_date - sale_date as bigint) as days_between,
        case
            when sale_date is null then 'unmatched'
            when quantity = returned_quantity then 'full'
            else 'partial'
        end as match,
        customer_id,
        stock_code,
        line_class,
        return_date,
        sale_date
    from matched_returns
    union all by name
    select known.*
    from old.silver.returns as known
    left anti join new.silver.transactions as lines
        on known.customer_id = lines.customer_id
        and known.stock_code = lines.stock_code
        and known.amount = known.quantity * lines.unit_price
)
select
    return_invoice_no as return_invoice_no,
    cast(return_line_no as bigint) as return_line_no,
    sale_invoice_no as sale_invoice_no,
    cast(sale_line_no as bigint) as sale_line_no,
    cast(quantity as bigint) as quantity,
    cast(amount as decimal(28, 4)) as amount,
    cast(days_between as bigint) as days_between,
    match as match,
    cast(customer_id as bigint) as customer_id,
    stock_code as stock_code,
    line_class as line_class,
    cast(return_date as date) as return_date,
    cast(sale_date as date) as sale_date
from all_returns
