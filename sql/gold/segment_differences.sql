-- What sets each segment apart: how far its customers are from all, feature by feature.
--
-- writes: full
select
    cast(segment_id as bigint) as segment_id,
    feature as feature,
    cast(difference as double) as difference
from gold.customer_clusters
where part = 'difference'
