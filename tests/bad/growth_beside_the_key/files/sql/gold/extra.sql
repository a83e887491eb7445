-- Lines of a country.
--
-- writes: full
-- grows: invoice_date
select
    invoice_date as invoice_date,
    country as country,
    cast(sum(lines) as bigint) as lines
from (
    select invoice_date, country, lines from old.gold.extra
    union all
    select invoice_date, country, 1 as lines
    from new.silver.transactions
    where country is not null
) as parts
group by invoice_date, country
