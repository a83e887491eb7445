-- How well each model forecast each series, and on how many days.
--
-- A model has one row of accuracy, which the aggregates leave as it is, and many of
-- days.
--
-- writes: full
select
    series as series,
    model as model,
    cast(max(mase) as double) as mase,
    cast(max(smape) as double) as smape,
    cast(max(rmsse) as double) as rmsse,
    cast(max(bias) as double) as bias,
    cast(max(coverage80) as double) as coverage80,
    cast(max(coverage95) as double) as coverage95,
    bool_or(chosen) as chosen,
    cast(count(*) filter (where part = 'backtest') as bigint) as days
from gold.forecast_series
where part in ('accuracy', 'backtest')
group by series, model
