-- One script of calls, run against both sides, each call a transaction of its
-- own, so that what is timed afterwards is known to do the same work.

CREATE SCHEMA bench;

CREATE TABLE bench.answers (
	step integer,
	schema text,
	call text,
	answer text,
	PRIMARY KEY (step, schema)
);

-- In a call, % is the schema.
CREATE TABLE bench.calls (
	step integer GENERATED ALWAYS AS IDENTITY,
	call text
);
INSERT INTO bench.calls (call) VALUES
	($$%.cache_get('a')$$),
	($$%.cache_set('a', '{"x":  1}', '1 hour', '{red,green}')$$),
	($$%.cache_get('a')$$),
	($$%.cache_set('a', 'null', '1 hour', '{green,blue}')$$),
	($$%.cache_get('a')$$),
	($$%.cache_set('b', '2', '1 hour', '{blue}')$$),
	($$%.cache_set('c', '3', '1 hour', '{red,blue}')$$),
	($$%.cache_set('d', '4', '10 ms', '{blue}')$$),
	($$pg_sleep(0.02)$$),
	($$%.cache_get('d')$$),
	($$%.invalidate_by_tag('red')$$),
	($$%.invalidate_by_tag('red')$$),
	($$%.cache_get('c')$$),
	($$%.cache_get('a')$$),
	($$%.invalidate_by_tag('blue')$$),
	($$%.cache_get('a')$$),
	($$%.cache_set('a', '5', '1 hour', '{}')$$),
	($$%.invalidate_by_tag('green')$$),
	($$%.cache_get('a')$$);

SELECT format('INSERT INTO bench.answers SELECT %s, %L, %L, %s', step, schema, call, replace(call, '%', schema))
FROM bench.calls, unnest('{idemstore,tagged}'::text[]) AS schema
ORDER BY schema, step
\gexec

CREATE VIEW bench.differences AS
SELECT theirs.schema, ours.call, ours.answer AS our_answer, theirs.answer AS their_answer
FROM bench.answers AS ours
JOIN bench.answers AS theirs USING (step)
WHERE ours.schema = 'idemstore' AND theirs.schema = 'tagged' AND ours.answer IS DISTINCT FROM theirs.answer;
