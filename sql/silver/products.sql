-- Every stock code of a valid line: its one description, its class, its price.
--
-- The median weighs each price by its sale lines: with n of them it is the mean
-- of the prices at places (n + 1) / 2 and (n + 2) / 2, which are one when n is
-- odd.
--
-- writes: full
with
-- A code's lines by wording and price: the one pass over the lines.
offers as (
    select
        stock_code,
        line_class,
        description,
        unit_price,
        count(*) as line_count,
        count(*) filter (where kind = 'sale') as sale_lines,
        min(invoice_date) filter (where kind = 'sale') as first_sold,
        max(invoice_date) filter (where kind = 'sale') as last_sold
    from silver.transactions
    group by stock_code, line_class, description, unit_price
),

weighed_offers as (
    select
        *,
        sum(line_count) over (partition by stock_code, description)
            as description_lines,
        sum(sale_lines) over (
            partition by stock_code
            order by unit_price, description
            rows between unbounded preceding and current row
        ) as sale_lines_so_far,
        sum(sale_lines) over (partition by stock_code) as all_sale_lines
    from offers
),

described_codes as (
    select
        stock_code,
        min(line_class) as line_class,
        first_value(description order by description_lines desc, description)
            filter (where description is not null) as description,
        count(distinct description) as descriptions_seen,
        min(first_sold) as first_sold,
        max(last_sold) as last_sold,
        min(unit_price) filter (
            where sale_lines > 0
            and sale_lines_so_far >= (all_sale_lines + 1) / 2
        ) as lower_price,
        min(unit_price) filter (
            where sale_lines > 0
            and sale_lines_so_far >= (all_sale_lines + 2) / 2
        ) as upper_price
    from weighed_offers
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
