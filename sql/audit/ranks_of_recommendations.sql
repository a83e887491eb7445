-- Customers whose recommendations are not ranked from 1 without a gap, or not those of
-- the last as_of, or not ten; or, where customers have bought fewer other products
-- together, not all of these. When there are any recommendations, all customers have
-- theirs.
with
calendar as (
    select max(as_of) as as_of from gold.rfm
),

known_products as (
    select count(distinct lines.stock_code) as products
    from calendar
    cross join silver.transactions as lines
    where
        lines.kind = 'sale'
        and lines.line_class = 'product'
        and lines.customer_id is not null
        and lines.invoice_date < calendar.as_of
),

all_offers as (
    select count(*) as all_offers from gold.recommendations
),

customers as (
    select
        features.customer_id,
        calendar.as_of,
        least(10, known_products.products - features.distinct_products) as possible_offers
    from calendar
    cross join known_products
    cross join all_offers
    cross join gold.customer_features as features
    where all_offers.all_offers > 0
),

lists as (
    select
        customer_id as offered_id,
        count(*) as offers,
        max(rank) as last_rank,
        min(generated_as_of) as first_as_of,
        max(generated_as_of) as last_as_of
    from gold.recommendations
    group by customer_id
)
select
    coalesce(customers.customer_id, lists.offered_id) as customer_id,
    customers.possible_offers,
    lists.offers,
    lists.last_rank,
    lists.first_as_of,
    lists.last_as_of
from customers
full join lists on customers.customer_id = lists.offered_id
where
    customers.customer_id is null
    or customers.possible_offers <> coalesce(lists.offers, 0)
    or lists.last_rank <> lists.offers
    or lists.first_as_of <> customers.as_of
    or lists.last_as_of <> customers.as_of
