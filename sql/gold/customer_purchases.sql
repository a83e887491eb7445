-- What each customer's purchase days are made of: the product sales of the day, and
-- what silver.returns gives back of them, each with the day from which it is known.
--
-- What came back counts against the day of its sale. Days of which nothing is left
-- are here too; the estimator passes over them.
--
-- learns: customer_value
-- writes: nothing
with
sales as (
    select
        invoices.customer_id,
        invoices.invoice_date as purchase_date,
        invoices.invoice_date as known_from,
        max(customers.as_of) as as_of,
        sum(invoices.gross_revenue) as amount
    from gold.rfm as customers
    inner join silver.invoices as invoices
        on customers.customer_id = invoices.customer_id
        and invoices.invoice_date < customers.as_of
    where invoices.product_lines > 0
    group by invoices.customer_id, invoices.invoice_date
),

returned_sales as (
    select
        returned.customer_id,
        returned.sale_date as purchase_date,
        returned.return_date as known_from,
        max(customers.as_of) as as_of,
        -sum(returned.amount) as amount
    from gold.rfm as customers
    inner join silver.returns as returned
        on customers.customer_id = returned.customer_id
        and returned.return_date < customers.as_of
    where returned.line_class = 'product' and returned.match <> 'unmatched'
    group by returned.customer_id, returned.sale_date, returned.return_date
),

amounts as (
    select * from sales
    union all by name
    select * from returned_sales
)
select
    cast(customer_id as bigint) as customer_id,
    cast(purchase_date as date) as purchase_date,
    cast(known_from as date) as known_from,
    cast(amount as decimal(28, 4)) as amount,
    cast(as_of as date) as as_of
from amounts
