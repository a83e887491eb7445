-- Sales as they were and as they are expected to be, day by day.
--
-- writes: full
select
    series as series,
    cast(date as date) as date,
    kind as kind,
    cast(actual as double) as actual,
    cast(forecast as double) as forecast,
    cast(lo80 as double) as lo80,
    cast(hi80 as double) as hi80,
    cast(lo95 as double) as lo95,
    cast(hi95 as double) as hi95,
    model as model,
    cast(trained_through as date) as trained_through
from gold.forecast_series
where part = 'forecast'
