-- Every stock code of a valid line: its one description, its class, its price.
--
-- The median weighs each price by its sale lines: with n of them it is the mean
-- of the prices at places (n + 1) / 2 and (n + 2) / 2, which are one when n is
-- odd.
--
-- writes: full
with
descriptions as (
    select
        stock_code,
        description,
        min(line_class) as line_class,
        sum(lines) as lines,
        min(first_sold) as first_sold,
        max(last_sold) as last_sold
    from silver.price_points
    group by stock_code, description
),

described_codes as (
    select
        stock_code,
        min(line_class) as line_class,
        first_value(description order by lines desc, description)
            filter (where description is not null) as description,
        count(description) as descriptions_seen,
        min(first_sold) as first_sold,
        max(last_sold) as last_sold
    from descriptions
    group by stock_code
),

prices as (
    select
        stock_code,
        unit_price,
        sum(sale_lines) as sale_lines
    from silver.price_points
    where sale_lines > 0
    group by stock_code, unit_price
),

weighed_prices as (
    select
        *,
        sum(sale_lines) over (
            partition by stock_code
            order by unit_price
            rows between unbounded preceding and current row
        ) as sale_lines_so_far,
        sum(sale_lines) over (partition by stock_code) as all_sale_lines
    from prices
),

middle_prices as (
    select
        stock_code as sold_code,
        min(unit_price)
            filter (where sale_lines_so_far >= (all_sale_lines + 1) / 2)
            as lower_price,
        min(unit_price)
            filter (where sale_lines_so_far >= (all_sale_lines + 2) / 2)
            as upper_price
    from weighed_prices
    group by stock_code
)
select
    stock_code as stock_code,
    description as description,
    line_class as line_class,
    cast(first_sold as date) as first_sold,
    cast(last_sold as date) as last_sold,
    cast((lower_price + upper_price) / 2 as decimal(18, 4)) as median_price,
    cast(descriptions_seen as bigint) as descriptions_seen
from described_codes
left join middle_prices on described_codes.stock_code = middle_prices.sold_code
