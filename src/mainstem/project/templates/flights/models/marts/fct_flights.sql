/* ---
description: The fact table, one row per scheduled flight. Its keys lead to the four dimensions.
--- */
-- Try it: turn `left join` into `join` and run again. 52,606 flights have no known plane; they
-- would be gone, so row_count(equal_to raw.flights) holds the table and readers keep the old one.
select
  f.flight_date,
  f.time_hour,
  f.carrier,
  f.flight,
  f.tailnum,
  f.origin,
  f.dest,
  f.dep_delay,
  f.arr_delay,
  f.air_time,
  f.distance,
  f.is_cancelled,
  year(f.flight_date) - p.built_year as plane_age
from staging.flights as f
left join staging.planes as p on p.tailnum = f.tailnum
