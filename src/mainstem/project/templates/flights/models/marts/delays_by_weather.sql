-- Does bad sight make flights late? (Below 2 miles 30 minutes on average, at 10 or more 11.)
select
  case
    when visib is null then 'unknown'
    when visib < 2 then 'below 2 miles'
    when visib < 5 then '2 to 5 miles'
    when visib < 10 then '5 to 10 miles'
    else '10 miles or more'
  end as visibility,
  count(*) as flights,
  avg(dep_delay) as mean_dep_delay,
  avg(is_cancelled::int) as cancelled_share
from marts.flight_weather
group by visibility
