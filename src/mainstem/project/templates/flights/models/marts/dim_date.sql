select
  d.day,
  year(d.day) as year,
  month(d.day) as month,
  monthname(d.day) as month_name,
  dayname(d.day) as weekday,
  isodow(d.day) >= 6 as is_weekend,
  h.holiday
from (
  select unnest(generate_series(date '2013-01-01', date '2013-12-31', interval 1 day))::date as day
) as d
left join seeds.holidays as h on h.day = d.day
