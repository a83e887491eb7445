-- The amounts of all valid lines are in the countries' net revenue and other charges, or are adjustments.
select
    'in' as side,
    'silver.transactions' as account,
    cast(sum(line_amount) as decimal(38, 4)) as amount
from silver.transactions
union all
select
    'out' as side,
    'gold.country_sales' as account,
    cast(sum(net_revenue + other_charges) as decimal(38, 4)) as amount
from gold.country_sales
union all
select
    'out' as side,
    'adjustments in silver.transactions' as account,
    cast(sum(line_amount) as decimal(38, 4)) as amount
from silver.transactions
where kind = 'adjustment'
