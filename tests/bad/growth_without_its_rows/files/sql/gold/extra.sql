-- Lines of a country on a day.
--
-- writes: full
-- grows: invoice_date
select
    invoice_date as invoice_date,
    country as country,
    cast(count(*) as bigint) as lines
from new.silver.transactions
where country is not null
group by invoice_date, country
