\set k random(1, 9000000000000000)
BEGIN;
SELECT * FROM SIDE.start_processing('order-' || :k, 'print-' || :k);
SELECT SIDE.complete('order-' || :k, 200, '{"content-type": "application/json"}', :body);
COMMIT;
