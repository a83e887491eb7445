-- What known customers bought on which day: the input of recommendations.
--
-- Of product lines; nothing dated on or after the as_of of gold.rfm is read. Days
-- count and not pieces, as who buys by the dozen likes a product no better.
--
-- learns: recommendations
-- writes: nothing
select distinct
    cast(lines.customer_id as bigint) as customer_id,
    lines.stock_code as stock_code,
    cast(lines.invoice_date as date) as purchase_date,
    cast(customers.as_of as date) as as_of
from gold.rfm as customers
inner join silver.transactions as lines
    on customers.customer_id = lines.customer_id
    and lines.invoice_date < customers.as_of
where lines.kind = 'sale' and lines.line_class = 'product'
