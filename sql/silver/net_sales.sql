-- Every sale line less what was returned of it.
--
-- writes: full
with
returned_lines as (
    select
        sale_invoice_no,
        sale_line_no,
        sum(quantity) as returned_quantity,
        sum(amount) as returned_amount
    from silver.returns
    where sale_invoice_no is not null
    group by sale_invoice_no, sale_line_no
)
select
    lines.invoice_no as invoice_no,
    lines.line_no as line_no,
    cast(coalesce(returned_quantity, 0) as bigint) as returned_quantity,
    cast(lines.quantity - coalesce(returned_quantity, 0) as bigint) as net_quantity,
    cast(lines.line_amount - coalesce(returned_amount, 0) as decimal(28, 4))
        as net_amount,
    cast(lines.customer_id as bigint) as customer_id,
    cast(lines.invoice_date as date) as invoice_date,
    lines.stock_code as stock_code,
    lines.line_class as line_class,
    cast(coalesce(returned_amount, 0) as decimal(28, 4)) as returned_amount
from returned_lines
right join silver.transactions as lines
    on returned_lines.sale_invoice_no = lines.invoice_no
    and returned_lines.sale_line_no = lines.line_no
where lines.kind = 'sale'
