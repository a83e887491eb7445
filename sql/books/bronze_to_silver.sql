-- Every bronze line is in exactly one silver table, with its quantity and its amount.
--
-- Lines are counted one and all; quantity and amount over those where both numbers can be read.
with bronze_lines as (
    select
        parse_integer(quantity) as quantity,
        parse_decimal(unit_price) as unit_price
    from bronze.online_retail
),

rejected_lines as (
    select
        parse_integer(quantity) as quantity,
        parse_decimal(unit_price) as unit_price
    from silver.transactions_rejected
),

duplicate_lines as (
    select
        parse_integer(quantity) as quantity,
        parse_decimal(unit_price) as unit_price
    from silver.transactions_duplicates
)

select
    'in' as side,
    'bronze.online_retail' as account,
    count(*) as lines,
    sum(case when unit_price is not null then quantity end) as quantity,
    sum(cast(quantity * unit_price as decimal(38, 4))) as amount
from bronze_lines
union all
select
    'out' as side,
    'silver.transactions' as account,
    count(*) as lines,
    sum(cast(quantity as bigint)) as quantity,
    cast(sum(line_amount) as decimal(38, 4)) as amount
from silver.transactions
union all
select
    'out' as side,
    'silver.transactions_rejected' as account,
    count(*) as lines,
    sum(case when unit_price is not null then quantity end) as quantity,
    sum(cast(quantity * unit_price as decimal(38, 4))) as amount
from rejected_lines
union all
select
    'out' as side,
    'silver.transactions_duplicates' as account,
    count(*) as lines,
    sum(case when unit_price is not null then quantity end) as quantity,
    sum(cast(quantity * unit_price as decimal(38, 4))) as amount
from duplicate_lines
