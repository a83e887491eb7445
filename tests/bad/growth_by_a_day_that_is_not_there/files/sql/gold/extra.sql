-- Lines of a country on a day.
--
-- writes: full
-- grows: sale_date
select
    sale_date as sale_date,
    country as country,
    cast(sum(lines) as bigint) as lines
from (
    select sale_date, country, lines from old.gold.extra
    union all
    select invoice_date as sale_date, country, 1 as lines
    from new.silver.transactions
    where country is not null
) as parts
group by sale_date, country
