-- Which segment each customer belongs to, and what it is called.
--
-- A segment that was there before keeps its name as long as gold/segment_names.csv
-- knows it. Any other takes the name of the first rule of that mapping whose conditions
-- all hold of its differences, with a number behind it when the name is taken: numbers
-- go on after the highest that was there before, in the order of segment_id.
--
-- A view is read once, so that customers, their segments and the differences of these
-- pass through here together, and windows over a segment tell its customers its name.
--
-- writes: full
with
-- A rule without conditions has one that is about the segment as such.
conditions as (
    select
        priority as rule_priority,
        segment_name as rule_name,
        coalesce(feature, 'segment') as subject,
        coalesce(cast(at_least as double), -1e300) as at_least,
        coalesce(cast(at_most as double), 1e300) as at_most,
        count(*) over (partition by priority, segment_name) as conditions
    from gold.segment_names
),

last_names as (
    select distinct
        segment_id as last_id,
        segment_name as last_name
    from last.gold.customer_segments
),

last_numbers as (
    select
        last_names.last_id,
        last_names.last_name,
        rules.known_name,
        case
            when last_names.last_name = rules.known_name then 1
            else try_cast(
                substr(last_names.last_name, character_length(rules.known_name) + 2)
                as bigint
            )
        end as last_number
    from last_names
    inner join (
        select distinct segment_name as known_name from gold.segment_names
    ) as rules
        on last_names.last_name = rules.known_name
        or starts_with(last_names.last_name, concat(rules.known_name, ' '))
),

kept_names as (
    select
        last_id,
        min(last_name) as kept_name
    from last_numbers
    where last_number >= 1
    group by last_id
),

taken_names as (
    select
        known_name as taken_name,
        max(last_number) as highest_number
    from last_numbers
    where last_number >= 1
    group by known_name
),

compared_rows as (
    select
        learned.*,
        rules.rule_priority,
        rules.rule_name,
        count(*) over (
            partition by learned.segment_id, rules.rule_priority, rules.rule_name
        ) = rules.conditions as holds
    from gold.customer_clusters as learned
    left join conditions as rules
        on rules.subject
        = case
            when learned.part = 'difference' then learned.feature
            when learned.part = 'segment' then 'segment'
        end
        and coalesce(learned.difference, 0) between rules.at_least and rules.at_most
),

ruled_rows as (
    select
        *,
        coalesce(
            first_value(case when holds then rule_name end) over (
                partition by segment_id
                order by
                    case when holds then rule_priority end nulls last,
                    case when holds then rule_name end
            ),
            'Unnamed'
        ) as found_name,
        bool_or(is_matched) over (partition by segment_id) as was_there
    from compared_rows
),

named_rows as (
    select
        ruled.*,
        kept.kept_name,
        coalesce(taken.highest_number, 0) + dense_rank() over (
            partition by ruled.found_name, kept.kept_name is null
            order by ruled.segment_id
        ) as number
    from ruled_rows as ruled
    left join kept_names as kept
        on ruled.segment_id = kept.last_id and ruled.was_there
    left join taken_names as taken on ruled.found_name = taken.taken_name
)
select
    cast(customer_id as bigint) as customer_id,
    cast(segment_id as bigint) as segment_id,
    case
        when kept_name is not null then kept_name
        when number = 1 then found_name
        else concat(found_name, ' ', cast(number as text))
    end as segment_name,
    cast(distance as double) as distance,
    cast(silhouette as double) as silhouette,
    is_outlier as is_outlier,
    cast(outlier_score as double) as outlier_score,
    cast(pc1 as double) as pc1,
    cast(pc2 as double) as pc2
from named_rows
where part = 'customer'
