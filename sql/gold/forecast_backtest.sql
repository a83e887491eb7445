-- Forecasts of days that are past, made with what was known earlier.
--
-- writes: full
select
    series as series,
    model as model,
    cast(origin as date) as origin,
    cast(horizon as bigint) as horizon,
    cast(date as date) as date,
    cast(actual as double) as actual,
    cast(forecast as double) as forecast
from gold.forecast_series
where part = 'backtest'
