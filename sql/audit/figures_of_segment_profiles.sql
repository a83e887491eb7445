-- Segments whose name, revenue, shares or averages of money are not those of their
-- customers.
with
members as (
    select
        segments.segment_id as member_of,
        segments.segment_name as member_of_name,
        features.monetary as monetary,
        features.avg_order_value as avg_order_value
    from gold.customer_segments as segments
    inner join gold.customer_features as features
        on segments.customer_id = features.customer_id
),

sums as (
    select
        member_of,
        min(member_of_name) as name,
        count(*) as members,
        cast(sum(monetary) as decimal(28, 4)) as revenue,
        cast(sum(avg_order_value) as decimal(28, 4)) as order_values,
        median(cast(monetary as decimal(33, 5))) as median_monetary,
        median(cast(avg_order_value as decimal(33, 5))) as median_order_value
    from members
    group by member_of
),

shared_sums as (
    select
        *,
        cast(members as double) / cast(sum(members) over () as double) as member_share,
        cast(revenue as double)
            / nullif(cast(sum(revenue) over () as double), 0) as share
    from sums
)
select
    profiles.segment_id,
    shared_sums.member_of,
    profiles.revenue,
    shared_sums.revenue as revenue_of_customers
from gold.segment_profiles as profiles
full join shared_sums on profiles.segment_id = shared_sums.member_of
where
    profiles.segment_id is null
    or shared_sums.member_of is null
    or profiles.segment_name <> shared_sums.name
    or profiles.revenue <> shared_sums.revenue
    or abs(profiles.customer_share - shared_sums.member_share) > 1e-12
    or abs(profiles.revenue_share - shared_sums.share) > 1e-9
    or profiles.mean_avg_order_value
    <> cast(shared_sums.order_values / shared_sums.members as decimal(28, 4))
    or profiles.median_monetary <> cast(shared_sums.median_monetary as decimal(28, 4))
    or profiles.median_avg_order_value
    <> cast(shared_sums.median_order_value as decimal(28, 4))
