-- Which of the largest orders were taken back whole, and how soon?
with
largest_sales as (
    select
        invoice_no,
        stock_code,
        customer_id,
        quantity,
        unit_price,
        line_amount,
        invoiced_at
    from silver.transactions
    where kind = 'sale' and customer_id is not null
    order by line_amount desc, invoice_no, line_no
    limit 100
)
select
    largest_sales.invoice_no as sale_invoice_no,
    returned.invoice_no as return_invoice_no,
    largest_sales.customer_id as customer_id,
    largest_sales.stock_code as stock_code,
    largest_sales.quantity as quantity,
    largest_sales.line_amount as line_amount,
    largest_sales.invoiced_at as sold_at,
    returned.invoiced_at as returned_at
from largest_sales
inner join silver.transactions as returned
    on largest_sales.customer_id = returned.customer_id
    and largest_sales.stock_code = returned.stock_code
    and largest_sales.unit_price = returned.unit_price
    and largest_sales.quantity = -returned.quantity
    and largest_sales.invoiced_at < returned.invoiced_at
where returned.kind = 'return'
order by line_amount desc, sale_invoice_no, return_invoice_no
limit 10
