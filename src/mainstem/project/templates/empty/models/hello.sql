/* ---
materialized: table
checks: [{row_count: {min: 1}}]
--- */
select 'hello' as greeting, 1 as n
