select
  faa as airport,
  name as airport_name,
  lat,
  lon,
  altitude_ft,
  time_zone
from staging.airports
