\set k random(1, :seed)
SELECT * FROM SIDE.start_processing('seed-' || :k, 'print-' || :k);
