\set k random(1, 9000000000000000)
SELECT * FROM SIDE.start_processing('order-' || :k, 'print-' || :k);
