-- Each returned line, matched to the sale lines that it takes back.
--
-- What a customer buys under one stock code at one price is one good. Its sale
-- lines lie on a pile, the latest on top, and a return takes from the top. At one
-- instant returns come first, as `return` sorts before `sale`: what they take is
-- strictly earlier. Only goods that came back are looked at.
--
-- writes: full
with
returned_goods as (
    select distinct
        customer_id,
        stock_code,
        unit_price
    from silver.transactions
    where kind = 'return' and customer_id is not null
),

moves as (
    select
        lines.*,
        cast(
            row_number() over (
                partition by lines.customer_id, lines.stock_code, lines.unit_price
                order by
                    lines.invoiced_at, lines.kind, lines.invoice_no, lines.line_no
            ) as bigint
        ) as place
    from returned_goods as goods
    inner join silver.transactions as lines
        on goods.customer_id = lines.customer_id
        and goods.stock_code = lines.stock_code
        and goods.unit_price = lines.unit_price
    where lines.kind in ('sale', 'return')
),

matches as (
    select
        customer_id as matched_customer_id,
        stock_code as matched_stock_code,
        unit_price as matched_unit_price,
        unnest(match_last_in_first_out(
            array_agg(cast(quantity as bigint) order by place)
        )) as match
    from moves
    group by customer_id, stock_code, unit_price
),

-- What no sale line gave is left without one. Guests' returns are not matched.
matched_returns as (
    select
        returned.invoice_no as return_invoice_no,
        returned.line_no as return_line_no,
        sold.invoice_no as sale_invoice_no,
        sold.line_no as sale_line_no,
        match['quantity'] as quantity,
        -returned.quantity as returned_quantity,
        returned.unit_price as unit_price,
        returned.customer_id as customer_id,
        returned.stock_code as stock_code,
        returned.line_class as line_class,
        returned.invoice_date as return_date,
        sold.invoice_date as sale_date
    from matches
    inner join moves as returned
        on matched_customer_id = returned.customer_id
        and matched_stock_code = returned.stock_code
        and matched_unit_price = returned.unit_price
        and match['taker'] = returned.place
    left join moves as sold
        on matched_customer_id = sold.customer_id
        and matched_stock_code = sold.stock_code
        and matched_unit_price = sold.unit_price
        and match['giver'] = sold.place
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
    from silver.transactions
    where kind = 'return' and customer_id is null
)
select
    return_invoice_no as return_invoice_no,
    cast(return_line_no as bigint) as return_line_no,
    sale_invoice_no as sale_invoice_no,
    cast(sale_line_no as bigint) as sale_line_no,
    cast(quantity as bigint) as quantity,
    cast(quantity * unit_price as decimal(28, 4)) as amount,
    cast(return_date - sale_date as bigint) as days_between,
    case
        when sale_date is null then 'unmatched'
        when quantity = returned_quantity then 'full'
        else 'partial'
    end as match,
    cast(customer_id as bigint) as customer_id,
    stock_code as stock_code,
    line_class as line_class,
    cast(return_date as date) as return_date,
    cast(sale_date as date) as sale_date
from matched_returns
