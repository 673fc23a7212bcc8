select
  faa,
  name,
  lat,
  lon,
  alt as altitude_ft,
  tzone as time_zone
from raw.airports
