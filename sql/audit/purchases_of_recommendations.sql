-- Products that are recommended to customers who have bought them, or because of
-- products that they have not bought.
with
purchases as (
    select distinct
        lines.customer_id as buyer_id,
        lines.stock_code as bought_code
    from gold.rfm as customers
    inner join silver.transactions as lines
        on customers.customer_id = lines.customer_id
        and lines.invoice_date < customers.as_of
    where lines.kind = 'sale' and lines.line_class = 'product'
)
select
    offers.customer_id,
    offers.rank,
    offers.stock_code,
    offers.because_of
from gold.recommendations as offers
left join purchases as offered
    on offers.customer_id = offered.buyer_id
    and offers.stock_code = offered.bought_code
left join purchases as reasons
    on offers.customer_id = reasons.buyer_id
    and offers.because_of = reasons.bought_code
where
    offered.bought_code is not null
    or (offers.because_of is not null and reasons.bought_code is null)
