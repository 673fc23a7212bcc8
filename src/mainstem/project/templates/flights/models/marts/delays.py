# SPDX-License-Identifier: Apache-2.0
"""A model in Python: what is easier to say here than in SQL."""

import pyarrow as pa
import pyarrow.compute as pc

from mainstem import asset, between, unique


@asset(checks=[unique("dest", "month"), between("mean_delay", min=-60, max=600, severity="warn")])
def delays(fct_flights: pa.Table, dim_airport: pa.Table) -> pa.Table:
    """Monthly delay per destination, and how unusual it was for that destination.

    The parameters are the tables to read; the returned table becomes `marts.delays`.
    """
    flown = fct_flights.filter(pc.invert(fct_flights["is_cancelled"]))
    flown = flown.append_column("month", pc.month(flown["flight_date"]))
    monthly = flown.group_by(["dest", "month"]).aggregate(
        [("dep_delay", "count"), ("dep_delay", "mean")]
    )
    yearly = monthly.group_by("dest").aggregate(
        [("dep_delay_mean", "mean"), ("dep_delay_mean", "stddev")]
    )
    both = monthly.join(yearly, "dest").join(dim_airport, "dest", right_keys="airport")
    spread = both["dep_delay_mean_stddev"]
    distance = pc.subtract(both["dep_delay_mean"], both["dep_delay_mean_mean"])
    return pa.table(
        {
            "dest": both["dest"],
            "airport_name": both["airport_name"],
            "month": both["month"],
            "flights": both["dep_delay_count"],
            "mean_delay": both["dep_delay_mean"],
            "unusual": pc.if_else(pc.greater(spread, 0), pc.divide(distance, spread), None),
        }
    ).sort_by([("dest", "ascending"), ("month", "ascending")])
