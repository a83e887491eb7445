-- Segments with two names, and names of two segments.
select
    min(segment_id) as segment_id,
    max(segment_id) as other_segment_id,
    min(segment_name) as segment_name,
    max(segment_name) as other_segment_name
from gold.customer_segments
group by segment_id
having count(distinct segment_name) > 1
union all
select
    min(segment_id),
    max(segment_id),
    min(segment_name),
    max(segment_name)
from gold.customer_segments
group by segment_name
having count(distinct segment_id) > 1
