-- name: columns
-- One row a column of the minutes of perpetuals, in their order.
select attname::text from pg_attribute
where attrelid = 'perp_1m'::regclass and attnum > 0 and not attisdropped
order by attnum

-- name: keywords
-- Those of $1 that cannot be the name of a column everywhere.
select word from pg_get_keywords() where catcode <> 'U' and word = any($1::text[])
