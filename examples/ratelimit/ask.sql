-- One request, in a transaction of its own, and the answer. The whole quota is
-- back one window after the latest admission, which was this one if allowed.
INSERT INTO answers
SELECT allowed, CASE WHEN allowed THEN reset_at - interval '1 s' ELSE clock_timestamp() END
FROM idemstore.consume('login/mallory');
