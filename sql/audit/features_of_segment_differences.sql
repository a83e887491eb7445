-- Segments that do not differ in a feature in which others do, and differences of
-- segments without customers.
select
    coalesce(wanted.segment_id, differences.segment_id) as segment_id,
    coalesce(wanted.feature, differences.feature) as feature
from (
    select
        segments.segment_id,
        features.feature
    from (select distinct segment_id from gold.customer_segments) as segments
    cross join (select distinct feature from gold.segment_differences) as features
) as wanted
full join gold.segment_differences as differences
    on wanted.segment_id = differences.segment_id
    and wanted.feature = differences.feature
where wanted.segment_id is null or differences.segment_id is null
