/* ---
materialized: table
description: Hourly weather at the three airports; impossible readings are set aside.
--- */
select
  origin,
  time_hour,
  temp,
  humid,
  wind_speed,
  wind_gust,
  precip,
  visib
from raw.weather
