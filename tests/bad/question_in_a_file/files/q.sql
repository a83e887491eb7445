-- Numbers by channel.
select
    channel,
    count(*) as numbers
from (values (1), (2)) as t (number)
group by channel
