-- Every price at which a stock code was offered, by wording and country, and what
-- was sold and returned at it.
--
-- Sums and extremes only: those of the new lines are added to those before. An
-- amount is pieces times price.
--
-- writes: full
with
new_price_points as (
    select
        stock_code,
        line_class,
        description,
        unit_price,
        country,
        count(*) as lines,
        count(*) filter (where kind = 'sale') as sale_lines,
        sum(quantity) filter (where kind = 'sale') as units,
        -sum(quantity) filter (where kind = 'return') as returned_units,
        min(invoice_date) filter (where kind = 'sale') as first_sold,
        max(invoice_date) filter (where kind = 'sale') as last_sold
    from new.silver.transactions
    group by stock_code, line_class, description, unit_price, country
),

all_price_points as (
    select * from old.silver.price_points
    union all by name
    select * from new_price_points
)
select
    stock_code as stock_code,
    line_class as line_class,
    description as description,
    cast(unit_price as decimal(18, 4)) as unit_price,
    country as country,
    cast(sum(lines) as bigint) as lines,
    cast(sum(sale_lines) as bigint) as sale_lines,
    cast(coalesce(sum(units), 0) as bigint) as units,
    cast(coalesce(sum(returned_units), 0) as bigint) as returned_units,
    cast(min(first_sold) as date) as first_sold,
    cast(max(last_sold) as date) as last_sold
from all_price_points
group by stock_code, line_class, description, unit_price, country
